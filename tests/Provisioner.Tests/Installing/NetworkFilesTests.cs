using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Protocols;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Installing;

/// <summary>The network's files as the programs that read them on a host take them: netplan, NetworkManager and systemd-networkd.</summary>
public sealed class NetworkFilesTests
{
    private const string Networkd = "/lib/systemd/systemd-networkd";

    // Its own /run, and no network: it reads its files, says what it does not like, and finds no card.
    private const string ReadByNetworkd = """
        mount -t tmpfs run /run
        mkdir -p /run/systemd/network
        cp "$1"/* /run/systemd/network
        SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console "$2" >/run/said 2>&1 &
        tries=0
        until grep -q 'Enumeration completed' /run/said; do
          [ $((tries += 1)) -lt 500 ] || break
          sleep 0.05
        done
        kill $!
        cat /run/said
        """;

    /// <summary>Bond, VLAN, static address, MTU, name servers, in every combination.</summary>
    public static TheoryData<string> Cases { get; } =
    [
        .. from bond in (string[])["", "lacp ", "backup "]
           from vlan in (string[])["", "vlan "]
           from mode in (string[])["dhcp", "static"]
           from rest in (string[])["", " mtu", " dns", " mtu dns"]
           select $"{bond}{vlan}{mode}{rest}",
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Netplan_takes_them_and_networkd_what_it_makes_of_them(string name)
    {
        Tool.SkipWithout("/usr/sbin/netplan");
        using var directory = new TemporaryDirectory();
        var network = Plan(name, "ubuntu-24.04").Network;
        foreach (var file in NetworkFiles.Netplan(network))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(directory[file.Path[1..]])!);
            File.WriteAllText(directory[file.Path[1..]], file.Text);
            File.SetUnixFileMode(directory[file.Path[1..]], (UnixFileMode)Convert.ToInt32(file.Mode, 8));
        }

        var (code, said) = Tool.Try("/usr/sbin/netplan", null, "generate", "--root-dir", directory.Path);

        Assert.True(code == 0, said);
        Assert.Equal("", said);
        var made = Directory.EnumerateFiles(directory["run/systemd/network"]).ToDictionary(f => Path.GetFileName(f), File.ReadAllText, StringComparer.Ordinal);
        var top = network.Vlan is not null ? "10-netplan-vlan120.network" : network.Bond is not null ? "10-netplan-bond0.network" : "10-netplan-card0.network";
        IsAddressed(network, made[top]);
        for (var i = 0; i < network.Cards.Length; i++)
        {
            Assert.Contains(network.Cards[i].ToString(), made[$"10-netplan-card{i}.network"]);
            Assert.Equal(network.Bond is not null, made[$"10-netplan-card{i}.network"].Contains("Bond=bond0\n", StringComparison.Ordinal));
        }
        if (network.Bond is not null)
        {
            Assert.Contains($"MACAddress={network.BootMac}\n", made["10-netplan-bond0.netdev"]);
            Assert.Contains(name.Contains("lacp", StringComparison.Ordinal) ? "Mode=802.3ad\n" : "Mode=active-backup\n", made["10-netplan-bond0.netdev"]);
        }
        if (network.Vlan is not null)
        {
            Assert.Contains("Id=120\n", made["10-netplan-vlan120.netdev"]);
            Assert.Contains("VLAN=vlan120\n", made[network.Bond is null ? "10-netplan-card0.network" : "10-netplan-bond0.network"]);
        }
        IsReadByNetworkd(network, directory["run/systemd/network"]);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Networkd_takes_what_a_host_without_a_disk_gets(string name)
    {
        using var directory = new TemporaryDirectory();
        var network = Plan(name, "debian-12-diskless").Network;
        var files = NetworkFiles.Networkd(network).ToList();
        foreach (var file in files)
            File.WriteAllText(directory[Path.GetFileName(file.Path)], file.Text);
        if (network.IsPlain)
        {
            Assert.Empty(files);
            return;
        }

        IsReadByNetworkd(network, directory.Path);

        var top = network.Vlan is not null ? "10-provisioner-vlan120.network" : network.Bond is not null ? "10-provisioner-bond0.network" : "10-provisioner-card0.network";
        IsAddressed(network, File.ReadAllText(directory[top]));
        Assert.Single(files, file => file.Text.Contains("Address=192", StringComparison.Ordinal) || file.Text.Contains("DHCP=", StringComparison.Ordinal));
    }

    [Fact]
    public void Networkd_is_heard_when_it_does_not_take_one()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory["10-wrong.network"], "[Match]\nName=bond0\n\n[Network]\nAdress=192.0.2.21/26\n");

        Assert.Contains("Unknown key 'Adress'", Assert.Single(Complaints(RunNetworkd(directory.Path))));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void NetworkManager_takes_its_connections(string name)
    {
        var nmcli = Path.Combine(Repository.Root, ".cache", "network-manager", "usr", "bin", "nmcli");
        Tool.SkipWithout(nmcli, "/usr/lib/" + (System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "aarch64" : "x86_64") + "-linux-gnu/libnm.so.0");
        var plan = Plan(name, "rhel-9");
        var files = NetworkFiles.NetworkManager(plan.Host, plan.Network).ToList();
        Assert.Equal(plan.Network.Cards.Length + (plan.Network.Bond is null ? 0 : 1) + (plan.Network.Vlan is null ? 0 : 1), files.Count);
        foreach (var file in files)
        {
            // It reads a connection, checks it as a whole, and writes what it understood: nothing may be gone.
            var (code, said) = Tool.Try(nmcli, null, file.Text, ["--offline", "connection", "modify", "connection.autoconnect-retries", "3"]);

            Assert.True(code == 0, $"{file.Path}: {said}");
            var understood = Keys(said);
            Assert.Superset(Keys(file.Text), understood);
        }
    }

    private static HashSet<string> Keys(string keyfile)
    {
        var keys = new HashSet<string>(StringComparer.Ordinal);
        var section = "";
        foreach (var line in keyfile.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line[0] == '[')
                section = line;
            else
                keys.Add($"{section} {line}");
        }
        return keys;
    }

    private static void IsAddressed(PlannedNetwork network, string text)
    {
        if (network.Address is not null)
        {
            Assert.Contains("Address=192.0.2.21/26\n", text);
            Assert.Contains("Gateway=192.0.2.1\n", text);
            Assert.DoesNotContain("DHCP=", text);
        }
        else
        {
            Assert.Contains("DHCP=ipv4\n", text);
            Assert.Contains("ClientIdentifier=mac\n", text);
        }
        Assert.Equal(network.Dns.Length, text.Split('\n').Count(line => line.StartsWith("DNS=", StringComparison.Ordinal)));
    }

    private static void IsReadByNetworkd(PlannedNetwork network, string directory)
    {
        var said = RunNetworkd(directory);
        Assert.Empty(Complaints(said));
        if (network.Bond is not null)
            Assert.Contains("bond0: loaded \"bond\"", said);
        if (network.Vlan is not null)
            Assert.Contains("vlan120: loaded \"vlan\"", said);
        Assert.Contains("Enumeration completed", said);
    }

    private static string RunNetworkd(string directory)
    {
        Tool.SkipWithout(Networkd, "/usr/bin/unshare");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "networkd needs root to be started apart");
        var (code, said) = Tool.Try("/usr/bin/unshare", null, "--mount", "--net", "/bin/sh", "-euc", ReadByNetworkd, "read", directory, Networkd);
        Assert.True(code == 0, said);
        return said;
    }

    // What it says of a file begins with the file's name and the line's number.
    private static List<string> Complaints(string said) =>
        [.. said.Split('\n').Where(line => line.StartsWith("/run/systemd/network/", StringComparison.Ordinal) || line.Contains("configured in /run/systemd/network/", StringComparison.Ordinal))];

    private static InstallPlan Plan(string name, string release)
    {
        bool Has(string word) => name.Split(' ').Contains(word);
        var network = new NetworkOptions
        {
            Mode = Has("static") ? AddressMode.Static : AddressMode.Dhcp,
            Bond = Has("lacp") ? BondMode.Lacp : Has("backup") ? BondMode.ActiveBackup : null,
            Vlan = Has("vlan") ? 120 : null,
            Mtu = Has("mtu") ? 9000 : null,
            Dns = Has("dns") ? [Ipv4Address.Parse("192.0.2.53"), Ipv4Address.Parse("192.0.2.54")] : [],
            SearchDomains = Has("dns") ? ["example.com", "no"] : [],
        };
        var context = AnswerFixture.Context(AnswerFixture.Image(release, CpuArchitecture.X64),
            new InstallOptions { Network = network, Diskless = release.EndsWith("diskless", StringComparison.Ordinal) },
            host => host with { Install = new() { Network = new() { Address = Ipv4Address.Parse("192.0.2.21"), Prefix = 26, Gateway = Ipv4Address.Parse("192.0.2.1"), BondMembers = [.. host.MacAddresses.Take(2)] } } });
        return InstallPlan.Resolve(context.Host, context.Profile, context.Image, context.Network, context.Cluster, out _)!;
    }
}
