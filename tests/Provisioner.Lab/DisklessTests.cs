using System.Globalization;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>The diskless image boots from the appliance to a whole system in memory, and a test can do what it needs to in it.</summary>
public sealed class DisklessTests(ITestOutputHelper output)
{
    private const string Mac = "52:54:00:77:00:0d";

    [Theory]
    [InlineData(nameof(Firmware.UefiX64))]
    [InlineData(nameof(Firmware.UefiArm64))]
    public async Task A_server_boots_a_whole_system_into_memory(string machine)
    {
        var firmware = Enum.Parse<Firmware>(machine);
        Prerequisites.SkipWithoutDiskless(firmware);
        await using var site = await Site.CreateAsync(firmware, SiteResources.Reserve, image: SiteImage.Diskless(firmware));
        await site.RegisterAsync("server-1", Mac);
        await site.Service.DoAsync("provision", "server-1");
        var server = await site.AddDisklessServerAsync(Mac, new Dictionary<string, string> { ["token"] = "only for root" });

        await server.PowerOnAsync();
        var report = await server.WaitUntilUpAsync();

        output.WriteLine($"Up {server.UpAfter.TotalSeconds:F0} s after power-on:\n{string.Join('\n', report)}");
        Assert.Contains("host server-1", report);
        Assert.Contains(report, line => line.StartsWith("address 10.77.0.1", StringComparison.Ordinal) && line.Contains("/24 on e", StringComparison.Ordinal));
        Assert.Contains(report, line => line.StartsWith("systemd 252 ", StringComparison.Ordinal));
        // Units that failed are named before it.
        Assert.DoesNotContain(report, line => line.StartsWith("failed ", StringComparison.Ordinal));
        Assert.StartsWith("running after ", report[^1], StringComparison.Ordinal);
        // GRUB opens all initrds before it reads them: the small one can be the first to be whole.
        var events = await site.Service.EventsAsync("server-1");
        Timeline.AssertInOrder(events, new(site.ImageSource, "vmlinuz"), new(site.ImageSource, "initrd.img"));
        Timeline.AssertInOrder(events, new(site.ImageSource, "vmlinuz"), new(site.ImageSource, "overlay.img"));

        const string Credential = "/run/credentials/@system/token";
        Assert.Equal("only for root", await server.DoAsync($"cat {Credential}"));
        var other = await server.RunAsync($"setpriv --reuid=nobody --regid=nogroup --clear-groups cat {Credential}");
        Assert.NotEqual(0, other.ExitCode);
        Assert.Contains("Permission denied", other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_test_adds_files_sets_the_clock_and_restarts_units()
    {
        Prerequisites.SkipWithoutDiskless(Firmware.Bios);
        var overlay = new DisklessOverlay()
            .AddFile("/etc/motto", "as little as possible\n")
            .AddProgram("/usr/local/bin/say-motto", "#!/bin/sh\necho \"The motto is: $(cat /etc/motto)\"\n")
            .AddUnit("motto.service", """
                [Service]
                Type=oneshot
                RemainAfterExit=yes
                ExecStart=/usr/local/bin/say-motto
                """, wantedBy: "multi-user.target");
        await using var site = await Site.CreateAsync(Firmware.Bios, SiteResources.Reserve, image: SiteImage.Diskless(Firmware.Bios, overlay));
        await site.RegisterAsync("server-1", Mac);
        await site.Service.DoAsync("provision", "server-1");
        var server = await site.AddDisklessServerAsync(Mac);

        await server.PowerOnAsync();
        await server.WaitForAsync("The motto is: as little as possible");
        await server.WaitUntilUpAsync();

        await server.SetClockAsync(new DateTimeOffset(2031, 2, 3, 4, 5, 6, TimeSpan.Zero));
        Assert.StartsWith("2031-02-03T04:05", await server.DoAsync("date --utc +%FT%T"), StringComparison.Ordinal);

        var before = int.Parse(await server.DoAsync("systemctl show --value --property=MainPID systemd-networkd"), CultureInfo.InvariantCulture);
        await server.DoAsync("systemctl restart systemd-networkd && systemctl is-active systemd-networkd");
        Assert.NotEqual(before, int.Parse(await server.DoAsync("systemctl show --value --property=MainPID systemd-networkd"), CultureInfo.InvariantCulture));

        var failing = await server.RunAsync("echo out; echo wrong >&2; exit 7");
        Assert.Equal((7, "out\n", "wrong\n"), (failing.ExitCode, failing.Output, failing.Error));
        Assert.Equal("", await server.DoAsync("sleep 300 &"));

        // What stages on top rely on: the appliance by HTTP, and room for their files.
        Assert.Equal("200", await server.DoAsync($"curl --silent --output /dev/null --write-out '%{{http_code}}' http://{LabNetwork.Address}:8080/boot.ipxe"));
        output.WriteLine(await server.DoAsync("openssl version; df -h / | tail -n 1; grep MemAvailable /proc/meminfo"));
    }
}
