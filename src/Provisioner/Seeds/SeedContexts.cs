using System.Collections.Immutable;
using Provisioner.Artifacts;
using Provisioner.Boot;
using Provisioner.Certificates;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Installing;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Storage;

namespace Provisioner.Seeds;

/// <summary>
/// Puts together what a host's answers are made of: its resources as they were when the Installation was opened, the addresses it reaches the
/// appliance by, and its secrets, or words in their place for whoever only looks.
/// </summary>
internal sealed class SeedContexts(CurrentState state, SeedKey keys, PublishedCertificates certificates, PlanePorts ports, ArtifactOptions artifacts)
{
    private const string Hidden = "REDACTED";

    private readonly string[] upstreams = [.. artifacts.Allowed.Select(u => u.Name)];

    /// <param name="endpoint">Where the host reaches the boot plane.</param>
    /// <param name="redacted">For people: no secret, and no capability.</param>
    /// <param name="mayEnrol">The token is in it.</param>
    public SeedContext Of(Host host, Profile profile, Image image, Installation installation, BootEndpoint endpoint, bool redacted, bool mayEnrol = true)
    {
        var seed = $"{endpoint.HttpRoot}{SeedEndpoint.Prefix}{(redacted ? Hidden : keys.CapabilityOf(installation))}";
        var ca = certificates.Trusted() is { } pem ? System.Text.Encoding.ASCII.GetString(pem.Span) : "";
        var secrets = redacted ? SeedSecrets.Redacted(ca) : new SeedSecrets(keys.TokenOf(installation), ca, keys.DiskPassphraseOf(installation));
        return new SeedContext(
            host, profile, image, NetworkOf(host, endpoint.Address), installation,
            seed, $"{seed}/report",
            ports.Syslog == 514 ? $"{endpoint.Address}" : $"{endpoint.Address}:{ports.Syslog}",
            $"https://{endpoint.Address}:{ports.Secure}",
            mayEnrol ? secrets : secrets with { Token = null },
            profile.Spec.Cluster is { } cluster ? state.Snapshot.Clusters.GetValueOrDefault(cluster) : null)
        {
            Upstreams = upstreams,
        };
    }

    /// <summary>The kernel arguments by which the installer finds its answers; none for a profile that has none.</summary>
    public ImmutableArray<string> Arguments(BootIntent.Install install, BootEndpoint endpoint, bool redacted) =>
        install.Profile.Spec.Install is null ? [] : InstallerArguments.For(Of(install.Host, install.Profile, install.Image, install.Installation, endpoint, redacted));

    // The one its fixed address lies in, or the one the appliance's own address is advertised on or lies in.
    private Networks.Network? NetworkOf(Host host, Ipv4Address appliance) =>
        state.Snapshot.Networks.Values.FirstOrDefault(n => host.Spec.Address is { } address && n.Spec.Subnet.Contains(address))
        ?? state.Snapshot.Networks.Values.FirstOrDefault(n => n.Spec.Advertise == appliance)
        ?? state.Snapshot.Networks.Values.FirstOrDefault(n => n.Spec.Subnet.Contains(appliance));
}

/// <summary>The ports hosts are told of. Those that were chosen by the kernel are known once the planes listen.</summary>
internal sealed class PlanePorts(IServiceProvider services)
{
    // Asked for when they are needed: these services need the seeds themselves.
    public int Secure => services.GetRequiredService<Certificates.Est.SecureServer>().Port;

    public int Syslog => services.GetRequiredService<Progress.SyslogService>().Port;
}
