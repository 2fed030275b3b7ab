using System.Globalization;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>The packages, installed under a real systemd, and what the service and that systemd do for each other over the real bus.</summary>
public sealed class PackageTests(BuiltPackages packages) : IClassFixture<BuiltPackages>
{
    private const string Site = """
        apiVersion: provisioner/v1
        kind: Profile
        metadata: { name: worker }
        spec: { image: debian-12 }
        ---
        apiVersion: provisioner/v1
        kind: Host
        metadata: { name: web-1 }
        spec: { macAddresses: ["52:54:00:12:34:56"], architecture: x86_64, profile: worker }
        """;

    [Fact]
    public async Task Installs_and_starts_keeps_its_data_through_upgrade_and_removal_refuses_to_go_back_and_purges()
    {
        Container.SkipWithout();
        await using var container = await Container.BootAsync();
        var installed = await InstallAsync(container, BuiltPackages.Before);
        Assert.Contains("DHCP answers nobody until a Network asks for it", installed, StringComparison.Ordinal);
        Assert.Equal("active\nenabled\n", await container.ShellAsync("systemctl is-active provisioner; systemctl is-enabled provisioner"));
        Assert.Equal("provisioner 750 provisioner\n", await container.ShellAsync("stat -c '%U %a %G' /var/lib/provisioner"));
        Assert.Equal("provisioner\n", await container.ShellAsync("stat -c %U /proc/$(systemctl show -p MainPID --value provisioner)"));
        await ExposesLittleAsync(container);
        await IsFedAsync(container);
        // What shells and people ask.
        Assert.Contains("status", await container.ShellAsync("provisioner '[suggest:16]' 'provisioner stat'"), StringComparison.Ordinal);
        Assert.Contains(".SH EXIT STATUS", await container.ShellAsync("zcat /usr/share/man/man1/provisioner.1.gz"), StringComparison.Ordinal);
        Assert.Contains("provisioner provision web\\-1 \\-\\-window 30m", await container.ShellAsync("zcat /usr/share/man/man1/provisioner-provision.1.gz"), StringComparison.Ordinal);

        await ApplyAsync(container);
        await container.ShellAsync("echo '# of this site' >> /etc/provisioner/provisioner.yaml");
        var id = await container.ShellAsync("provisioner get host web-1 -o json");

        await InstallAsync(container, BuiltPackages.After);
        Assert.Equal("active\n", await container.ShellAsync("systemctl is-active provisioner"));
        Assert.Equal($"{BuiltPackages.After}\n", await container.ShellAsync("dpkg-query -W -f '${Version}\\n' provisioner"));
        Assert.Equal(id, await container.ShellAsync("provisioner get host web-1 -o json"));
        Assert.Contains("# of this site", await container.ShellAsync("cat /etc/provisioner/provisioner.yaml"), StringComparison.Ordinal);

        var back = await container.RunAsync("dpkg", "-i", $"/root/{Path.GetFileName(packages.Deb(BuiltPackages.Before))}");
        Assert.NotEqual(0, back.ExitCode);
        Assert.Contains($"provisioner: {BuiltPackages.Before} is older than {BuiltPackages.After}, which has written the data in /var/lib/provisioner", back.Text, StringComparison.Ordinal);
        Assert.Contains("restore a backup", back.Text, StringComparison.Ordinal);
        Assert.Equal($"active\n{BuiltPackages.After}\n", await container.ShellAsync("systemctl is-active provisioner; dpkg-query -W -f '${Version}\\n' provisioner"));

        var removed = await container.ShellAsync("dpkg --remove provisioner");
        Assert.Contains("the data stay in /var/lib/provisioner", removed, StringComparison.Ordinal);
        Assert.Equal("inactive\n", (await container.RunAsync("systemctl", "is-active", "provisioner")).Output);
        await container.ShellAsync("test -s /var/lib/provisioner/provisioner.db -a -s /etc/provisioner/provisioner.yaml");
        await InstallAsync(container, BuiltPackages.After);
        Assert.Equal(id, await container.ShellAsync("provisioner get host web-1 -o json"));

        var purged = await container.ShellAsync("dpkg --purge provisioner");
        Assert.Contains("deleting /var/lib/provisioner (", purged, StringComparison.Ordinal);
        Assert.Contains("the authority's key", purged, StringComparison.Ordinal);
        await container.ShellAsync("test ! -e /var/lib/provisioner -a ! -e /etc/provisioner -a ! -e /usr/lib/provisioner -a ! -e /etc/systemd/system/multi-user.target.wants/provisioner.service");
    }

    [Fact]
    public async Task What_systemd_does_for_the_service_is_followed_by_signals_on_the_real_bus()
    {
        Container.SkipWithout();
        await using var container = await Container.BootAsync();
        await container.ShellAsync("""
            mkdir -p /etc/provisioner
            printf 'http: { address: 10.99.0.1 }\nmachine: { timeZone: Europe/Zurich, timeServers: [10.99.0.5] }\n' > /etc/provisioner/provisioner.yaml
            systemctl stop systemd-resolved
            # What keeps timesyncd out of containers; no server of it can be reached here.
            mkdir -p /etc/systemd/system/systemd-timesyncd.service.d
            printf '[Unit]\nConditionVirtualization=\n[Service]\nSystemCallFilter=\nProtectClock=no\n' > /etc/systemd/system/systemd-timesyncd.service.d/here.conf
            systemctl daemon-reload
            """);
        await InstallAsync(container, BuiltPackages.After, "--force-confold");

        // Zone and clock: set by timedated, as polkit's rules allow it; and nobody has set this clock.
        await SaysAsync(container, "clock", "time zone Europe/Zurich");
        Assert.Contains("Europe/Zurich", await container.ShellAsync("readlink /etc/localtime"), StringComparison.Ordinal);
        Assert.Contains("no certificates are issued: the clock is not synchronised", await container.ShellAsync("provisioner status | tr -s ' \\n' ' '"), StringComparison.Ordinal);

        await SaysAsync(container, "clock", "machine.timeServers is not set: org.freedesktop.timesync1 is not on this machine, or is off");
        await container.ShellAsync("systemctl start systemd-timesyncd");
        await container.UntilAsync("busctl get-property org.freedesktop.timesync1 /org/freedesktop/timesync1 org.freedesktop.timesync1.Manager RuntimeNTPServers",
            said => said == "as 1 \"10.99.0.5\"\n", "its servers are set");

        // Name: somebody changes it.
        await container.ShellAsync("hostnamectl set-hostname rack-seven");
        await SaysAsync(container, "name", "rack-seven");

        // Found: the resolver comes late, and is started again.
        await SaysAsync(container, "found", "org.freedesktop.resolve1 is not on this machine, or is off");
        await container.ShellAsync("systemctl start systemd-resolved");
        await SaysAsync(container, "found", "made known by multicast DNS as _https._tcp on port 8443, and as rack-seven.local");
        Assert.Contains("/org/freedesktop/resolve1/dnssd/provisioner", await container.ShellAsync("busctl tree --list org.freedesktop.resolve1"), StringComparison.Ordinal);
        await container.ShellAsync("systemctl restart systemd-resolved");
        await container.UntilAsync("busctl tree --list org.freedesktop.resolve1", said => said.Contains("/dnssd/provisioner", StringComparison.Ordinal), "it is registered again");

        // Links: the address that is listened at comes late, goes and comes back; networkd comes late.
        const string Ask = "curl -s --max-time 2 http://10.99.0.1:8080/healthz";
        Assert.NotEqual(0, (await container.RunAsync("sh", "-c", Ask)).ExitCode);
        await container.ShellAsync("ip link add rack0 type veth peer name rack1; ip link set rack0 up; ip link set rack1 up; ip address add 10.99.0.1/24 dev rack0");
        Assert.Equal("ok\n", await container.ShellAsync(Ask));
        await container.ShellAsync("ip link delete rack0");
        Assert.NotEqual(0, (await container.RunAsync("sh", "-c", Ask)).ExitCode);
        await SaysAsync(container, "links", "org.freedesktop.network1 is not on this machine, or is off");
        await container.ShellAsync("systemctl start systemd-networkd");
        await SaysAsync(container, "links", "there is none");

        // A Network on a link that is not there, then is, then has another address: DHCP follows.
        await container.ShellAsync("""
            provisioner apply -f - <<END
            apiVersion: provisioner/v1
            kind: Network
            metadata: { name: rack }
            spec: { subnet: 10.99.0.0/24, interface: rack0, dhcp: proxy }
            END
            """);
        await container.UntilAsync("provisioner events", said => said.Contains("Network rack is not served", StringComparison.Ordinal), "the missing link is told");
        await container.ShellAsync("ip link add rack0 type veth peer name rack1; ip link set rack0 up; ip link set rack1 up; ip address add 10.99.0.1/24 dev rack0");
        await container.UntilAsync("provisioner events", said => said.Contains("Network rack is served on rack0", StringComparison.Ordinal), "the link is followed");
        Assert.Equal("ok\n", await container.ShellAsync(Ask));
        await SaysAsync(container, "links", "rack0 ");
        await container.ShellAsync("ip link set rack1 down");
        await SaysAsync(container, "links", "rack0 no-carrier");
        await container.ShellAsync("ip link set rack1 up");
        await container.UntilAsync("provisioner status", said => !said.Contains("no-carrier", StringComparison.Ordinal), "the carrier is back");

        // Units: one fails, and is mended.
        await container.RunAsync("systemd-run", "--unit", "broken", "--wait", "false");
        await SaysAsync(container, "units", "failed: broken.service");
        await container.ShellAsync("systemctl reset-failed broken");
        await SaysAsync(container, "units", "no unit has failed");
        await container.ShellAsync("systemctl kill --signal KILL provisioner");
        await SaysAsync(container, "units", "provisioner.service active (running), restarted once");
        // The resolver does not notice that the one before was killed.
        await SaysAsync(container, "found", "made known by multicast DNS");
        await container.ShellAsync("systemctl stop provisioner");
        Assert.DoesNotContain("dnssd/provisioner", await container.ShellAsync("busctl tree --list org.freedesktop.resolve1"), StringComparison.Ordinal);
        await container.ShellAsync("systemctl start provisioner");

        // Shutting down: held while a host is installed, by its name; then asked for.
        await ApplyAsync(container);
        await container.ShellAsync("provisioner provision web-1; curl -s --max-time 5 'http://10.99.0.1:8080/boot/52:54:00:12:34:56/boot.ipxe' >/dev/null");
        await container.ShellAsync("provisioner apply -f - <<END\napiVersion: provisioner/v1\nkind: Host\nmetadata: { name: web-2 }\nspec: { macAddresses: [\"52:54:00:12:34:57\"], architecture: x86_64, profile: worker }\nEND");
        await container.UntilAsync("systemd-inhibit --list --no-legend --no-pager", said => said.Contains("web-1 is being installed", StringComparison.Ordinal) && said.Contains("block", StringComparison.Ordinal), "it is held");
        var refused = await container.RunAsync("provisioner", "machine", "power-off");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("web-1 is being installed. Wait for it, or say --force", refused.Error, StringComparison.Ordinal);
        Assert.Contains("turns off", await container.ShellAsync("provisioner machine power-off --force"), StringComparison.Ordinal);
        Assert.Equal(0, await container.WaitForEndAsync());
    }

    [Fact]
    public async Task The_rpm_holds_the_same_and_refuses_to_go_back()
    {
        Container.SkipWithout();
        var rpm = packages.Rpm(BuiltPackages.After);
        var files = (await LabProcess.RunAsync("rpm", ["-qlp", rpm])).OrThrow().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.Ordinal);
        // Directories are the deb's alone.
        var deb = (await LabProcess.RunAsync("dpkg-deb", ["--contents", packages.Deb(BuiltPackages.After)])).OrThrow().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] != 'd').Select(line => line.Split(" ./")[1].Split(" -> ")[0]).Select(name => "/" + name).ToList();
        Assert.True(deb.Count > 200);
        Assert.Empty(deb.Except(files));
        Assert.Equal("/etc/provisioner/provisioner.yaml\n", (await LabProcess.RunAsync("rpm", ["-qcp", rpm])).OrThrow().Output);
        var scripts = (await LabProcess.RunAsync("rpm", ["-qp", "--scripts", rpm])).OrThrow().Output;
        Assert.Contains($"newest=$(printf '%s\\n' \"$installed\" \"{BuiltPackages.After}\" | sort -V | tail -n 1)", scripts, StringComparison.Ordinal);
        // Every file is root's, none may be written by others, and what is inside is as it was packed.
        var owners = (await LabProcess.RunAsync("rpm", ["-qp", "--qf", "[%{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEMODES:perms}\\n]", rpm])).OrThrow().Output;
        Assert.All(owners.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Matches("^root:root (l|.{5}-.{2}-)", line));
        (await LabProcess.RunAsync("rpm", ["--checksig", "--nosignature", rpm])).OrThrow();
        Assert.Contains(BuiltPackages.After, (await LabProcess.RunAsync("sh", ["-ec", $"rpm2cpio '{rpm}' | cpio -i --quiet --to-stdout ./usr/lib/provisioner/package-version"])).OrThrow().Output, StringComparison.Ordinal);
    }

    private async Task<string> InstallAsync(Container container, string version, params string[] options)
    {
        var name = Path.GetFileName(packages.Deb(version));
        if (!File.Exists(Path.Combine(container.Root, "root", name)))
            File.Copy(packages.Deb(version), Path.Combine(container.Root, "root", name));
        return (await container.RunAsync("dpkg", [.. options, "-i", $"/root/{name}"])).OrThrow().Text;
    }

    private static async Task ApplyAsync(Container container)
    {
        File.WriteAllText(Path.Combine(container.Root, "root", "site.yaml"), Site);
        var files = Directory.CreateDirectory(Path.Combine(container.Root, "root", "files"));
        foreach (var name in new[] { "linux", "initrd.gz" })
            File.Copy(Path.Combine(Prerequisites.ImageAmd64, name), Path.Combine(files.FullName, name));
        await container.ShellAsync("""
            provisioner image import /root/files --name debian-12
            provisioner apply -f /root/site.yaml
            """);
    }

    private static Task<string> SaysAsync(Container container, string feature, string what) => container.UntilAsync(
        $"provisioner status -o json | tr -d '\\n' | sed 's/ \\+/ /g' | grep -o '\"feature\": \"{feature}\"[^}}]*'", said => said.Contains(what, StringComparison.Ordinal), $"{feature} says '{what}'");

    private static async Task ExposesLittleAsync(Container container)
    {
        var said = await container.ShellAsync("systemd-analyze security provisioner --no-pager | tail -n 1");
        var level = double.Parse(said.Split(": ")[1].Split(' ')[0], CultureInfo.InvariantCulture);
        Assert.True(level <= 2.0, said);
        Assert.Equal("CapInh:\t0000000000002400\nCapPrm:\t0000000000002400\nCapEff:\t0000000000002400\nCapBnd:\t0000000000002400\nCapAmb:\t0000000000002400\n",
            await container.ShellAsync("grep ^Cap /proc/$(systemctl show -p MainPID --value provisioner)/status"));
    }

    private static async Task IsFedAsync(Container container)
    {
        Assert.Equal("1min\n", await container.ShellAsync("systemctl show -p WatchdogUSec --value provisioner"));
        await container.UntilAsync("systemctl show -p StatusText --value provisioner", said => said.StartsWith("0 hosts, 0 to be installed now; DHCP off", StringComparison.Ordinal), "systemd was told how it is");
        Assert.NotEqual("0\n", await container.ShellAsync("systemctl show -p WatchdogTimestampMonotonic --value provisioner"));
    }
}
