using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>A server nobody registered: it is seen, waits, is adopted, and then boots.</summary>
public sealed class AdoptionTests
{
    private const string Mac = "52:54:00:77:00:05";

    [Fact]
    public async Task An_unknown_server_is_discovered_adopted_and_then_boots_its_installer()
    {
        Prerequisites.SkipWithout(Firmware.UefiX64);
        await using var site = await Site.CreateAsync(Firmware.UefiX64, SiteResources.Reserve + "\n  allowUnknown: true");
        var server = site.AddServer(Mac);

        await server.PowerOnAsync();
        await site.WaitForAsync(server, "It waits to be adopted.");
        Assert.Contains($"provisioner adopt {Mac} --name NAME --profile PROFILE", server.Serial(), StringComparison.Ordinal);
        var discovered = await site.Service.DoAsync("get", "discovered", "-o", "yaml");
        await server.PowerOffAsync();

        // What it said in DHCP. This iPXE reads no SMBIOS tables under OVMF, so serial and product stay unsaid.
        Assert.Contains(Mac, discovered, StringComparison.Ordinal);
        Assert.Contains("UEFI x64", discovered, StringComparison.Ordinal);

        await site.Service.DoAsync("adopt", Mac, "--name", "server-1", "--profile", "worker");
        await site.Service.DoAsync("provision", "server-1");
        await server.PowerOnAsync();
        await site.WaitForAsync(server, Site.KernelStarted);

        Assert.DoesNotContain(Mac, await site.Service.DoAsync("get", "discovered", "-o", "yaml"), StringComparison.Ordinal);
        Timeline.AssertInOrder(await site.Service.EventsAsync("server-1"),
            new Step("dhcp", "DISCOVER", "snponly.efi"),
            new Step("http", "linux"),
            new Step("http", "initrd.gz"));
    }

    [Fact]
    public async Task An_unknown_server_gets_no_address_where_the_Network_does_not_allow_it_and_is_discovered_all_the_same()
    {
        Prerequisites.SkipWithout(Firmware.Bios);
        await using var site = await Site.CreateAsync(Firmware.Bios, SiteResources.Reserve);
        var server = site.AddServer(Mac, await BootDisk.CreateAsync(Firmware.Bios, site.Network.Directory));

        await server.PowerOnAsync();
        await site.WaitForAsync(server, BootDisk.Marker);

        Assert.Contains(Mac, await site.Service.DoAsync("get", "discovered", "-o", "yaml"), StringComparison.Ordinal);
        var events = await site.Service.EventsAsync(Mac);
        Assert.Contains(events, e => e is { Source: "dhcp", Outcome: "silent" } && e.What.Contains("DISCOVER", StringComparison.Ordinal));
        Timeline.AssertNone(events, new Step("dhcp"));
    }
}
