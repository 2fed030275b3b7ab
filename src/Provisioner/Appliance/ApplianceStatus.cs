using System.Reflection;
using Provisioner.Appliance.Machine;
using Provisioner.Boot.Dhcp;
using Provisioner.Boot.Http;
using Provisioner.Boot.Tftp;
using Provisioner.Certificates;
using Provisioner.Certificates.Est;
using Provisioner.Networks;
using Provisioner.Progress;
using Provisioner.Storage;

namespace Provisioner.Appliance;

/// <summary>One thing the appliance listens with, or does not.</summary>
/// <param name="Name">Such as <c>tftp</c>.</param>
/// <param name="At">Where it listens, or would.</param>
/// <param name="Reason">Why it does or does not.</param>
internal sealed record Plane(string Name, bool Listens, string At, string Reason);

/// <summary>What runs and what does not, and why: for the start's report and <c>provisioner status</c>.</summary>
internal sealed class ApplianceStatus(
    ApplianceOptions options, CurrentState state, DhcpService dhcp, TftpServer tftp, BootHttpService http,
    SecureServer secure, CertificateAuthority authority, SyslogService syslog, IEnumerable<IMachineFeature> machine, TimeProvider time)
{
    public static string Version { get; } =
        (typeof(ApplianceStatus).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0").Split('+')[0];

    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();

    /// <summary>What the system does for this service.</summary>
    public IEnumerable<MachineFeature> Machine() => machine.Select(feature => feature.Standing);

    /// <summary>For <c>systemctl status</c>.</summary>
    public string InOneLine()
    {
        var (snapshot, now) = (state.Snapshot, time.GetUtcNow());
        var building = snapshot.Installations.Values.Count(i => i.BuildsAt(now));
        var ports = Planes().Where(plane => plane.Name == "dhcp").ToList();
        return string.Join("; ", new[]
        {
            $"{snapshot.Hosts.Count} {(snapshot.Hosts.Count == 1 ? "host" : "hosts")}, {building} to be installed now",
            ports.TrueForAll(plane => plane.Listens) ? $"DHCP for {WhoWantsDhcp()}" : $"DHCP {ports.Find(plane => !plane.Listens)!.Reason}",
            authority.WhyNotIssuing(now) is { } whyNot ? $"no certificates are issued: {whyNot}" : null,
        }.OfType<string>());
    }

    public IEnumerable<Plane> Planes()
    {
        yield return new("api", true, options.SocketPath, "the provisioner command, by this file's permissions");
        yield return new("http", true, $"{options.Http.Address}:{http.Port}/tcp", "boot files for iPXE, HTTP Boot and installers");
        var whyNot = authority.WhyNotIssuing(time.GetUtcNow());
        yield return new("secure", true, $"{options.Secure.Address}:{secure.Port}/tcp", whyNot is null ? "certificates for hosts (EST)" : $"no certificates are issued: {whyNot}");
        yield return new("tftp", true, $"{options.Tftp.Address}:{tftp.Port}/udp", tftp.Port == 69 ? "boot files for firmware" : "boot files; firmware asks on port 69 only: run as root, or with CAP_NET_BIND_SERVICE");
        yield return new("syslog", true, $"{options.Syslog.Address}:{syslog.Port}/udp", "what firmware and installers say");
        foreach (var (port, isOpen, problem) in dhcp.Status)
            yield return new("dhcp", isOpen, $"0.0.0.0:{port}/udp", isOpen ? WhoWantsDhcp() : problem ?? WhyNoDhcp());
    }

    private string WhoWantsDhcp() => string.Join(", ", state.Snapshot.Networks.Values.Where(n => n.Spec.Dhcp != DhcpMode.Off)
        .Select(n => $"{n.Name}: {(n.Spec.Dhcp == DhcpMode.Proxy ? "proxy" : "reserve")}"));

    private string WhyNoDhcp() => state.Snapshot.Networks.Count switch
    {
        0 => "off: there is no Network yet; apply one with spec.dhcp: proxy or reserve",
        1 => $"off: Network '{state.Snapshot.Networks.Keys.First()}' has dhcp: off",
        var count => $"off: all {count} Networks have dhcp: off",
    };
}
