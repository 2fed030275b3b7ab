using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>What a real installer says by syslog is kept with its host.</summary>
public sealed class SyslogTests(ITestOutputHelper output)
{
    private const string Mac = "52:54:00:77:00:12";

    [Fact]
    public async Task What_a_booting_installer_logs_is_kept_with_its_host()
    {
        Prerequisites.SkipWithout(Firmware.Bios);
        await using var site = await Site.CreateAsync(Firmware.Bios, SiteResources.Reserve);
        // Debian's installer with nobody at it: its syslogd sends from the first minute on, as soon as it has an address.
        await site.Service.ApplyAsync(SiteResources.Profile(Firmware.Bios, SiteImage.Installer(Firmware.Bios).Name).TrimEnd() + $"""

                  - log_host={LabNetwork.Address}
                  - auto=true
                  - priority=critical
                  - locale=en_US.UTF-8
                  - keymap=us
                  - interface=auto

            """);
        await site.RegisterAsync("server-1", Mac);
        await site.RegisterAsync("server-2", "52:54:00:77:00:13");
        await site.Service.DoAsync("provision", "server-1");
        var server = site.AddServer(Mac);

        await server.PowerOnAsync();
        string log;
        do
        {
            Assert.True(server.IsOn && server.SincePowerOn < site.BootLimit, $"Nothing of it is in the log:\n{server.SerialTail()}\n{site.Service.LogTail()}");
            await Task.Delay(500);
            log = (await site.Service.RunAsync("log", "server-1")).Output;
        }
        while (!log.Contains("netcfg", StringComparison.Ordinal));

        output.WriteLine($"{server.SincePowerOn.TotalSeconds:F0} s after power-on:\n{log}");
        Assert.DoesNotContain("netcfg", (await site.Service.RunAsync("log", "server-2")).Output, StringComparison.Ordinal);
    }
}
