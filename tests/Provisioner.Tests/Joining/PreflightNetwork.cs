using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Join;

namespace Provisioner.Tests.Joining;

/// <summary>What the preflight says of one thing.</summary>
internal sealed record PreflightLine(string Code, string State, string Found, string Breaks, string ToDo);

/// <summary>
/// A host's network in namespaces: the host, the router of its site, and the far side with a DNS server, an endpoint of a cluster, AWS and the
/// appliance. All is right in it; each test breaks one thing, and mends it after. Where it cannot be had, <see cref="Missing"/> says why.
/// </summary>
/// <remarks>
/// host 10.77.0.2 — 10.77.0.1 router 10.88.0.1 — far 10.88.0.2 (DNS, appliance), 10.88.0.3 (cluster), 10.88.0.4 (AWS), 10.88.0.5 and .6 (one more each for
/// what the kernel remembers of a way), 203.0.113.7 (public)
/// host 10.99.0.1 — a cable of its own to 10.99.0.2 (the same far side), which tests can make long
/// </remarks>
public sealed class PreflightNetwork : IAsyncLifetime
{
    internal const string Endpoint = "c0ffee.gr7.eu-west-1.eks.amazonaws.com";
    internal const string Sts = "sts.eu-west-1.amazonaws.com";

    private static int count;

    private readonly TemporaryDirectory directory = new();
    private readonly List<Process> running = [];
    private readonly string prefix = $"pvpre-{Environment.ProcessId}-{Interlocked.Increment(ref count)}-";
    private readonly List<string> namespaces = [];

    /// <summary>Why there is no such network here.</summary>
    public string? Missing { get; private set; }

    internal string this[string name] => directory[name];

    public async ValueTask InitializeAsync()
    {
        // What was left by a test run that was killed; its process id is in the name.
        if (Directory.Exists("/run/netns") && Environment.IsPrivilegedProcess)
        {
            foreach (var old in Directory.GetFiles("/run/netns", "pvpre-*").Select(file => Path.GetFileName(file)!).Where(name => !Directory.Exists($"/proc/{name.Split('-')[1]}")))
                await DeleteNamespaceAsync(old);
        }
        Missing = WhatIsMissing();
        if (Missing is not null)
            return;
        foreach (var name in (string[])["host", "router", "far", "cable"])
        {
            await IpAsync("netns", "add", prefix + name);
            namespaces.Add(prefix + name);
            await OnAsync(name, "ip", "link", "set", "lo", "up");
        }
        await ConnectAsync("host", "eth0", "router", "site");
        await ConnectAsync("router", "uplink", "far", "eth0");
        await ConnectAsync("host", "eth1", "cable", "near");
        await ConnectAsync("cable", "away", "far", "eth1");
        foreach (var (name, address, device) in ((string, string, string)[])
        [
            ("host", "10.77.0.2/24", "eth0"), ("host", "10.99.0.1/24", "eth1"), ("router", "10.77.0.1/24", "site"), ("router", "10.88.0.1/24", "uplink"),
            ("far", "10.88.0.2/24", "eth0"), ("far", "10.88.0.3/24", "eth0"), ("far", "10.88.0.4/24", "eth0"), ("far", "10.88.0.5/24", "eth0"), ("far", "10.88.0.6/24", "eth0"), ("far", "203.0.113.7/32", "lo"), ("far", "10.99.0.2/24", "eth1"),
        ])
            await OnAsync(name, "ip", "address", "add", address, "dev", device);
        await OnAsync("host", "ip", "route", "add", "default", "via", "10.77.0.1");
        await OnAsync("far", "ip", "route", "add", "10.77.0.0/24", "via", "10.88.0.1");
        await OnAsync("router", "ip", "route", "add", "203.0.113.0/24", "via", "10.88.0.2");
        await OnAsync("router", "sysctl", "-qw", "net.ipv4.ip_forward=1");

        // What the host trusts, the cluster's own authority, and that of a company which inspects TLS.
        var trusted = await AuthorityAsync("trusted", "Amazon Root");
        WritePair("aws", trusted, Sts, "10.88.0.2");
        WritePair("cluster", await AuthorityAsync("kubernetes", "kubernetes"), Endpoint, "slow." + Endpoint);
        WritePair("inspected", await AuthorityAsync("company", "Corp Inspection CA"), Sts);
        await File.WriteAllTextAsync(this["names"], $"""
            10.88.0.3 {Endpoint}
            10.99.0.2 slow.{Endpoint}
            203.0.113.7 public.{Endpoint}
            10.88.0.3 both.{Endpoint}
            203.0.113.7 both.{Endpoint}
            10.88.0.4 {Sts}
            10.77.0.2 worker-1
            10.88.0.4 worker-2
            10.88.0.99 worker-3

            """);
        await File.WriteAllTextAsync(this["resolv.conf"], "nameserver 10.88.0.2\n");
        Directory.CreateDirectory(this["root/etc/provisioner"]);
        Directory.CreateDirectory(this["root/var"]);
        File.Copy(this["trusted.pem"], this["root/etc/provisioner/ca.pem"]);
        WriteHost("worker-1");
        // As a right host has it.
        foreach (var (file, text) in new Dictionary<string, string>
        {
            ["proc/swaps"] = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
            ["proc/cpuinfo"] = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp\nCPU architecture: 8\n",
            ["proc/sys/kernel/hostname"] = "worker-1\n",
            ["proc/sys/kernel/osrelease"] = "5.14.0-427.el9.aarch64\n",
            ["sys/fs/cgroup/cgroup.controllers"] = "cpu memory pids\n",
            ["sys/class/dmi/id/product_uuid"] = "4C4C4544-0042-3510-8054-B7C04F4E3332\n",
            ["sys/class/net/eth0/mtu"] = "1500\n",
        })
            Put(file, text);

        var listening = Start("far", "python3", Script("world.py"), directory.Path, "443=aws", "6443=cluster", "8443=aws", "444=inspected", "8080=");
        await WaitForAsync(listening);
        // The cluster's endpoint is another server than AWS's, behind the same port.
        await OnAsync("far", "nft", "add", "table", "ip", "servers");
        await OnAsync("far", "nft", "add", "chain", "ip", "servers", "in", "{ type nat hook prerouting priority -100; }");
        await OnAsync("far", "nft", "add", "rule", "ip", "servers", "in", "ip", "daddr", "{ 10.88.0.3, 10.99.0.2 }", "tcp", "dport", "443", "redirect", "to", ":6443");
        Start("far", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--addn-hosts=" + this["names"], "--listen-address=10.88.0.2",
            "--bind-interfaces", "--user=root", "--pid-file=");
        AddUsualPrograms();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while ((await FindAsync("dns-endpoint")).Single().State != "pass")
            await Task.Delay(100, limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in running)
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }
        foreach (var name in namespaces)
            await DeleteNamespaceAsync(name);
        directory.Dispose();
    }

    internal void SkipIfMissing() => Assert.SkipWhen(Missing is not null, Missing ?? "");

    internal static Dictionary<string, string> Answer() => new(StringComparer.Ordinal)
    {
        ["state"] = "ready",
        ["cluster"] = "prod",
        ["region"] = "eu-west-1",
        ["kubernetes"] = "1.35",
        ["provider"] = "iam-ra",
        ["nodeip"] = "10.77.0.2",
        ["nodenetworks"] = "10.60.0.0/16 10.77.0.0/24",
        ["podnetworks"] = "10.85.0.0/16",
        // As EKS writes it, and in the list below as the appliance does.
        ["endpoint"] = "https://" + Endpoint.Replace("c0ffee", "C0FFEE", StringComparison.Ordinal),
        ["access"] = "private",
        ["cni"] = "cilium",
        ["cniport"] = "8472",
        ["artifacts"] = "http://10.88.0.2:8080/artifacts",
        ["nodeadm"] = "nodeadm",
        ["manifest"] = "manifest.yaml",
        ["endpoints"] = $"{Endpoint}:443 {Sts}:443 10.88.0.2:8443",
    };

    internal void WriteHost(string name) => Put("root/etc/provisioner/join.conf", $"APPLIANCE=https://10.88.0.2:8443\nHOST={name}\nINSTALLATION=i\n");

    internal void Put(string file, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(this[file])!);
        File.WriteAllText(this[file], text);
    }

    /// <summary>A program that stands on the host's path before others.</summary>
    internal void AddProgram(string name, string text)
    {
        Put("bin/" + name, text.ReplaceLineEndings("\n"));
        File.SetUnixFileMode(this["bin/" + name], (UnixFileMode)0b111_101_101);
    }

    /// <summary>What would otherwise tell of this machine: a time service that is content, and no firewall.</summary>
    internal void AddUsualPrograms()
    {
        AddProgram("timedatectl", "#!/bin/sh\necho yes\n");
        AddProgram("firewall-cmd", "#!/bin/sh\necho not running\nexit 252\n");
        AddProgram("ufw", "#!/bin/sh\necho Status: inactive\n");
    }

    /// <summary>Runs a command in a namespace to its end.</summary>
    internal async Task OnAsync(string where, params string[] command)
    {
        var run = await JoinHost.EndAsync(Process.Start(Start(["netns", "exec", prefix + where, .. command]))!);
        Assert.True(run.Exit == 0, $"{string.Join(' ', command)} in {where}: {run.Said}");
    }

    internal Process Start(string where, params string[] command)
    {
        var process = Process.Start(Start(["netns", "exec", prefix + where, .. command]))!;
        running.Add(process);
        return process;
    }

    internal async Task StopAsync(Process process)
    {
        running.Remove(process);
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
    }

    internal static async Task WaitForAsync(Process process)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        Assert.Equal("listening", await process.StandardOutput.ReadLineAsync(limit.Token));
    }

    /// <summary>Puts rules before all that goes through a namespace, and takes them away.</summary>
    internal async Task<IAsyncDisposable> RulesAsync(string where, string hook, params string[] rules)
    {
        await OnAsync(where, "nft", "add", "table", "ip", "broken");
        await OnAsync(where, "nft", "add", "chain", "ip", "broken", "rules", hook);
        foreach (var rule in rules)
            await OnAsync(where, ["nft", "add", "rule", "ip", "broken", "rules", .. rule.Split(' ')]);
        return new Mended(() => OnAsync(where, "nft", "delete", "table", "ip", "broken"));
    }

    internal async Task<IAsyncDisposable> RouteAsync(params string[] route)
    {
        await OnAsync("host", ["ip", "route", "add", .. route]);
        return new Mended(() => OnAsync("host", ["ip", "route", "delete", .. route]));
    }

    /// <summary>Runs the preflight on the host, with these programs before others and these settings beside its own.</summary>
    internal async Task<List<PreflightLine>> FindAsync(string checks, IReadOnlyDictionary<string, string>? answer = null, string shell = "dash", string before = "", params (string, string)[] environment)
    {
        Put("answer", string.Concat((answer ?? Answer()).Select(line => $"{line.Key}={line.Value}\n")));
        // Mounts of 'ip netns exec' are its own, and gone with it.
        var start = Start(["netns", "exec", prefix + "host", "sh", "-c", $"mount --bind '{this["resolv.conf"]}' /etc/resolv.conf; {before} exec {shell} '{JoinHost.TemplateFile("provisioner-preflight")}' --tsv --answer '{this["answer"]}' {checks}"]);
        start.Environment["PATH"] = $"{this["bin"]}:/usr/sbin:/usr/bin:/sbin:/bin";
        start.Environment["PROVISIONER_ROOT"] = this["root"];
        start.Environment["PROVISIONER_PROC"] = this["proc"];
        start.Environment["PROVISIONER_SYS"] = this["sys"];
        start.Environment["CURL_CA_BUNDLE"] = this["trusted.pem"];
        foreach (var name in (string[])["http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "all_proxy", "no_proxy", "NO_PROXY"])
            start.Environment.Remove(name);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var run = await JoinHost.EndAsync(Process.Start(start)!);
        var findings = run.Said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t')).ToList();
        Assert.True(findings.Count > 0 && findings.TrueForAll(fields => fields.Length == 5), run.Said);
        Assert.Equal(findings.Exists(fields => fields[1] == "fail") ? 1 : 0, run.Exit);
        return [.. findings.Select(fields => new PreflightLine(fields[0], fields[1], fields[2], fields[3], fields[4]))];
    }

    internal static string Script(string name) => Path.GetFullPath(Path.Combine(JoinHost.TemplateFile(""), "..", "..", "tests", "Provisioner.Tests", "Joining", name));

    private static ProcessStartInfo Start(string[] arguments) => new("ip", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };

    private static string? WhatIsMissing()
    {
        if (!Environment.IsPrivilegedProcess)
            return "network namespaces need root";
        var missing = ((string[])["ip", "nft", "ethtool", "ping", "dnsmasq", "python3", "curl", "openssl"])
            .Where(program => JoinHost.Find(program) is null && !File.Exists("/usr/sbin/" + program))
            .ToList();
        return missing.Count == 0 ? null : $"not installed here: {string.Join(", ", missing)} (.ci/install peers brings it)";
    }

    private static async Task IpAsync(params string[] arguments)
    {
        var run = await JoinHost.EndAsync(Process.Start(Start(arguments))!);
        Assert.True(run.Exit == 0, run.Said);
    }

    private static async Task DeleteNamespaceAsync(string name)
    {
        var inside = await JoinHost.EndAsync(Process.Start(Start(["netns", "pids", name]))!);
        foreach (var id in inside.Said.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (int.TryParse(id, out var process))
                await JoinHost.EndAsync(Process.Start(new ProcessStartInfo("kill", ["-KILL", $"{process}"]) { RedirectStandardOutput = true, RedirectStandardError = true })!);
        }
        await JoinHost.EndAsync(Process.Start(Start(["netns", "delete", name]))!);
    }

    private async Task ConnectAsync(string one, string deviceOne, string other, string deviceOther)
    {
        await OnAsync(one, "ip", "link", "add", deviceOne, "type", "veth", "peer", "name", deviceOther, "netns", prefix + other);
        foreach (var (where, device) in ((string, string)[])[(one, deviceOne), (other, deviceOther)])
        {
            await OnAsync(where, "ip", "link", "set", device, "up");
            // A virtual card leaves checksums to hardware that is not there, and makes packets that no cable carries.
            await OnAsync(where, "ethtool", "-K", device, "tx", "off");
        }
    }

    private async Task<(X509Certificate2, ECDsa)> AuthorityAsync(string file, string name)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = TimeProvider.System.GetUtcNow();
        var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
        await File.WriteAllTextAsync(this[file + ".pem"], certificate.ExportCertificatePem() + "\n");
        return (certificate, key);
    }

    private void WritePair(string file, (X509Certificate2 Certificate, ECDsa Key) authority, params string[] names)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + names[0], key, HashAlgorithmName.SHA256);
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
        {
            if (System.Net.IPAddress.TryParse(name, out var address))
                alternatives.AddIpAddress(address);
            else
                alternatives.AddDnsName(name);
        }
        request.CertificateExtensions.Add(alternatives.Build());
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority.Certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.Create(authority.Certificate, now.AddHours(-1), now.AddDays(20), RandomNumberGenerator.GetBytes(15).Prepend((byte)1).ToArray());
        File.WriteAllText(this[file + ".pem"], certificate.ExportCertificatePem() + "\n");
        File.WriteAllText(this[file + ".key"], key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    private sealed class Mended(Func<Task> mend) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await mend();
    }
}
