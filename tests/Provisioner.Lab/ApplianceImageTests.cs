using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Provisioner.ClusterPrograms;
using Provisioner.Lab.Cloud;
using Provisioner.Lab.Harness;
using Provisioner.Lab.Peers;

namespace Provisioner.Lab;

/// <summary>
/// The appliance as a machine of its own: its image boots under its own systemd and is set up by a file of answers; a server boots from it, enrols and joins;
/// in the middle of that somebody pulls the appliance's plug, and the server becomes Ready all the same.
/// </summary>
public sealed class ApplianceImageTests(ITestOutputHelper output)
{
    private const string Host = "server-1", Mac = "52:54:00:77:00:11", Image = "debian-12-diskless-amd64";

    /// <summary>Two emulated machines, a cluster and this on two cores; ten times that where others work as well.</summary>
    private static readonly TimeSpan StateWithin = TimeSpan.FromMinutes(20);

    [Fact]
    public async Task A_server_becomes_Ready_though_the_appliance_is_killed_while_it_is_built()
    {
        Prerequisites.SkipWithoutDiskless(Firmware.UefiX64, "dnsmasq", "openssl", "sfdisk");
        KubeApiSetup.SkipWithout();
        ApplianceMachine.SkipWithout();
        await using var network = await LabNetwork.CreateAsync();
        await using var cloud = await AwsCloud.CreateAsync(network, isApiReal: true);
        await using var time = new TimeServer(cloud.On, IPAddress.Parse(AwsCloud.Address));
        await using var appliance = await ApplianceMachine.CreateAsync(network, Answers(cloud.FirstSettings()), FilesOf(cloud.FirstSettings()));

        await appliance.PowerOnAsync();
        Assert.Equal("running", await UpAsync(appliance));
        output.WriteLine($"The appliance is up {appliance.Machine.SincePowerOn.TotalSeconds:F0} s after power-on.");
        await IsAnApplianceAsync(appliance);
        await appliance.LetInAsync();
        await HasImageAsync(appliance);
        await SetUpSiteAsync(appliance, cloud);

        await using var server = new VirtualServer(network.Appliance, LabNetwork.Bridge, Firmware.UefiX64, Mac, network.Directory) { ShellSocket = Path.Combine(network.Directory, "server.shell") };
        await appliance.AskAsync("provision", Host);
        await server.PowerOnAsync();
        await using var shell = new GuestShell(server.ShellSocket!);
        await WaitForStateAsync(appliance, server, "Enrolled", "Joining");
        output.WriteLine($"{Host} enrolled {server.SincePowerOn.TotalSeconds:F0} s after power-on.");
        var certificate = await CertificateAsync(appliance);
        var events = (await appliance.EventsAsync(Host)).Count;

        await appliance.KillAsync();
        output.WriteLine($"The appliance is killed {server.SincePowerOn.TotalSeconds:F0} s after the server's power-on.");
        await appliance.PowerOnAsync();
        Assert.Equal("running", await UpAsync(appliance));
        output.WriteLine($"The appliance is up again after {appliance.Machine.SincePowerOn.TotalSeconds:F0} s.");
        // What it had said before: the certificate, and what is recorded of the host.
        Assert.Equal(certificate, await CertificateAsync(appliance));
        Assert.True((await appliance.EventsAsync(Host)).Count >= events);

        await WaitForStateAsync(appliance, server, "Joined");
        output.WriteLine($"{Host} joined {server.SincePowerOn.TotalSeconds:F0} s after power-on.");
        (await shell.RunAsync(AwsCloud.NetworkPlugin, TimeSpan.FromMinutes(2))).OrThrow();
        await WaitForStateAsync(appliance, server, "Ready");
        output.WriteLine($"{Host} Ready {server.SincePowerOn.TotalSeconds:F0} s after power-on.");
        var node = (await cloud.Api!.FindAsync($"api/v1/nodes/{Host}"))!;
        Assert.Equal("True", node["status"]!["conditions"]!.AsArray().Single(c => c!["type"]!.GetValue<string>() == "Ready")!["status"]!.GetValue<string>());
        Assert.Equal(certificate, await CertificateAsync(appliance));
        output.WriteLine(Timeline.Describe(await appliance.EventsAsync(Host)));
    }

    /// <summary>The set-up of a rack's appliance, as somebody would write it.</summary>
    private static string Answers(ServiceSettings settings) => $"""
        hostName: rack7-boot
        timeZone: Europe/Madrid
        timeServers: [{AwsCloud.Address}]
        provisioning:
          address: {ApplianceMachine.Address}/24
          nameServers: [{AwsCloud.Address}]
          dhcp: reserve
          range: 10.77.0.100-10.77.0.199
        administrator: {"{"} name: alice, password: correct horse battery {"}"}
        configuration: |
        {string.Join('\n', File.ReadAllLines(settings.Configuration).Select(line => "  " + line))}

        """;

    // Pages of code that are made writable and executable in turn are translated anew each time by an emulated processor.
    private const string Quick = "[Service]\nEnvironment=DOTNET_EnableWriteXorExecute=0\n";

    /// <summary>AWS's authority is the lab's, and an administrator's keys are there for the first set-up.</summary>
    private static Dictionary<string, string> FilesOf(ServiceSettings settings) => new(StringComparer.Ordinal)
    {
        ["lab/trusted.pem"] = File.ReadAllText(settings.Environment["SSL_CERT_FILE"]),
        ["lab/aws"] = string.Concat(settings.Environment.Where(v => v.Key.StartsWith("AWS_", StringComparison.Ordinal)).Select(v => $"{v.Key}={v.Value}\n")),
        ["systemd/system/provisioner.service.d/lab.conf"] = """
            [Service]
            Environment=SSL_CERT_FILE=/etc/lab/trusted.pem SSL_CERT_DIR=/nonexistent
            EnvironmentFile=-/etc/lab/aws
            # An emulated processor takes ten times as long for everything.
            TimeoutStartSec=600
            WatchdogSec=300
            Environment=DOTNET_EnableWriteXorExecute=0

            """,
        // As much for what starts beside it; and one console is enough.
        ["systemd/system/provisioner-setup.service.d/lab.conf"] = Quick,
        ["systemd/system/provisioner-setup-finish.service.d/lab.conf"] = Quick,
        ["systemd/system/getty@tty1.service.d/lab.conf"] = "[Unit]\nConditionPathExists=/nonexistent\n",
    };

    private async Task<string> UpAsync(ApplianceMachine appliance)
    {
        var state = await appliance.WaitUntilUpAsync();
        if (state != "running")
            output.WriteLine((await appliance.RunAsync("systemctl --failed --no-legend --plain; journalctl -b -p warning --no-pager -n 60 -o short-monotonic")).Text);
        return state;
    }

    /// <summary>Read-only, its data on a partition of the disk's size, set up as was said, its clock right, its services on the bus.</summary>
    private async Task IsAnApplianceAsync(ApplianceMachine appliance)
    {
        output.WriteLine(await appliance.DoAsync("systemd-analyze; findmnt -n -t squashfs,ext4,overlay -o TARGET,FSTYPE,OPTIONS; df -h /var; head -n 3 /proc/meminfo"));
        Assert.Contains("ro", (await appliance.DoAsync("findmnt -n -o OPTIONS /")).Trim().Split(','));
        Assert.Contains("Read-only file system", (await appliance.RunAsync("touch /usr/bin/another")).Error, StringComparison.Ordinal);
        var grown = long.Parse((await appliance.DoAsync("df --block-size=1 --output=size /var | tail -n 1")).Trim(), CultureInfo.InvariantCulture);
        Assert.InRange(grown, ApplianceMachine.DiskBytes - (5L << 29), ApplianceMachine.DiskBytes);
        Assert.Equal("rack7-boot\n", await appliance.DoAsync("hostname"));
        Assert.Equal("rack7-boot\n", await appliance.DoAsync("cat /etc/hostname"));
        Assert.Equal("TZ=Europe/Madrid", (await appliance.DoAsync("timedatectl show -p Timezone | sed s/Timezone/TZ/")).Trim());
        Assert.StartsWith("root L ", await appliance.DoAsync("passwd --status root"), StringComparison.Ordinal);
        // Of the answers, what is secret is not kept.
        Assert.NotEqual(0, (await appliance.RunAsync("grep -rl 'correct horse' /var/lib/appliance /etc /var/log")).ExitCode);
        var clock = await SaysAsync(appliance, "clock", "is synchronised");
        output.WriteLine(clock);
        output.WriteLine(await SaysAsync(appliance, "links", "routable"));
        await SaysAsync(appliance, "name", "rack7-boot");
        await SaysAsync(appliance, "found", "rack7-boot.local");
        await SaysAsync(appliance, "units", "no unit has failed");
        output.WriteLine((await appliance.RunAsync("provisioner status; provisioner doctor")).Text);
    }

    private static async Task<string> SaysAsync(ApplianceMachine appliance, string feature, string what)
    {
        var said = "";
        for (var i = 0; i < 30; i++)
        {
            var status = JsonNode.Parse(await appliance.DoAsync("provisioner status -o json"))!;
            var line = status["machine"]!.AsArray().Single(f => f!["feature"]!.GetValue<string>() == feature)!;
            said = line["says"]!.GetValue<string>();
            if (line["works"]!.GetValue<bool>() && said.Contains(what, StringComparison.Ordinal))
                return $"{feature}: {said}";
            await Task.Delay(2000);
        }
        Assert.Fail($"{feature} does not say '{what}' but: {said}");
        return said;
    }

    /// <summary>A first server can boot from it at once.</summary>
    private async Task HasImageAsync(ApplianceMachine appliance)
    {
        var verified = await appliance.AskAsync("image", "verify");
        output.WriteLine(verified);
        Assert.Contains($"image/{Image} is as imported", verified, StringComparison.Ordinal);
        var network = JsonNode.Parse(await appliance.AskAsync("get", "network", "provisioning", "-o", "json"))!["spec"]!;
        Assert.Equal("10.77.0.0/24 reserve 10.77.0.100-10.77.0.199", $"{network["subnet"]} {network["dhcp"]} {network["range"]}");
        Assert.Contains("alice", await appliance.AskAsync("user", "list"), StringComparison.Ordinal);
    }

    private async Task SetUpSiteAsync(ApplianceMachine appliance, AwsCloud cloud)
    {
        // The same operating system with what the lab's hosts need besides.
        var image = SiteImage.Diskless(Firmware.UefiX64, await cloud.OverlayAsync());
        await image.ImportAsync(appliance.AskAsync, cloud.Directory);
        await appliance.ApplyAsync(AwsCloud.ClusterResource + AwsCloud.ProfileResource(Firmware.UefiX64, Image) + SiteResources.Host(Host, Mac, "x86_64"));
        var applied = await appliance.AskAsync("aws", "apply", AwsCloud.Cluster);
        output.WriteLine(applied);
        await cloud.Api!.CreateAsync(await appliance.AskAsync("aws", "plan", AwsCloud.Cluster, "--as", "kubernetes"));
        // The set-up is run again, now with its own way into AWS; the administrator's keys go.
        await File.WriteAllTextAsync(Path.Combine(cloud.Directory, "again.yaml"), Answers(cloud.LastingSettings(applied)));
        var again = await File.ReadAllTextAsync(Path.Combine(cloud.Directory, "again.yaml"));
        await appliance.DoAsync($"rm /etc/lab/aws; cat > /run/again.yaml <<'END'\n{again}\nEND\nprovisioner machine setup --answers /run/again.yaml", TimeSpan.FromMinutes(10));
        Assert.Equal($"Nothing wrong is found in AWS for {AwsCloud.Cluster}.\n", await appliance.AskAsync("aws", "check", AwsCloud.Cluster));
    }

    private static async Task<string> CertificateAsync(ApplianceMachine appliance)
    {
        var certificates = JsonNode.Parse(await appliance.AskAsync("get", "certificates", "-o", "json"))!["items"]!.AsArray();
        return Assert.Single(certificates, c => c!["host"]!.GetValue<string>() == Host)!["serial"]!.GetValue<string>();
    }

    private async Task WaitForStateAsync(ApplianceMachine appliance, VirtualServer server, params string[] states)
    {
        var from = server.SincePowerOn;
        while (true)
        {
            var status = JsonNode.Parse(await appliance.AskAsync("get", "hosts", Host, "-o", "json"))!["status"]!;
            if (states.Contains(status["state"]!.GetValue<string>(), StringComparer.Ordinal))
                return;
            if (server.SincePowerOn - from > StateWithin)
            {
                output.WriteLine(Timeline.Describe(await appliance.EventsAsync(Host)));
                Assert.Fail($"{Host} is {status.ToJsonString()} and not {string.Join(" or ", states)}:\n{server.SerialTail()}\n{(await appliance.RunAsync("journalctl -u provisioner -n 40 --no-pager")).Text}");
            }
            await Task.Delay(1000);
        }
    }
}
