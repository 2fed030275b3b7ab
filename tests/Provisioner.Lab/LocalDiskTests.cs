using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>A server that is not to be installed starts what is on its disk, although it asks the network first: no reinstall loops.</summary>
public sealed class LocalDiskTests
{
    private const string Mac = "52:54:00:77:00:04";

    [Theory]
    [InlineData(nameof(Firmware.Bios))]
    [InlineData(nameof(Firmware.UefiX64))]
    [InlineData(nameof(Firmware.HttpBoot))]
    [InlineData(nameof(Firmware.UefiArm64))]
    public async Task A_host_without_an_open_Installation_boots_its_own_disk(string machine)
    {
        var firmware = Enum.Parse<Firmware>(machine);
        Prerequisites.SkipWithout(firmware, "mformat", "mmd", "mcopy");
        await using var site = await Site.CreateAsync(firmware, SiteResources.Reserve);
        await site.RegisterAsync("server-1", Mac);
        var server = site.AddServer(Mac, await BootDisk.CreateAsync(firmware, site.Network.Directory));

        await server.PowerOnAsync();
        await site.WaitForAsync(server, BootDisk.Marker);

        var events = await site.Service.EventsAsync("server-1");
        Assert.Contains(events, e => e.Reason.Contains("no open Installation", StringComparison.Ordinal));
        Timeline.AssertNone(events, new Step("http", "linux"));
        Timeline.AssertNone(events, new Step("tftp", "linux"));
    }

    [Fact]
    public async Task A_host_whose_Installation_was_cancelled_boots_its_own_disk()
    {
        Prerequisites.SkipWithout(Firmware.Bios);
        await using var site = await Site.CreateAsync(Firmware.Bios, SiteResources.Reserve);
        await site.RegisterAsync("server-1", Mac);
        await site.Service.DoAsync("provision", "server-1");
        await site.Service.DoAsync("cancel", "server-1");
        var server = site.AddServer(Mac, await BootDisk.CreateAsync(Firmware.Bios, site.Network.Directory));

        await server.PowerOnAsync();
        await site.WaitForAsync(server, BootDisk.Marker);
    }
}
