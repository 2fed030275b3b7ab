using Provisioner.Lab.Harness;
using Provisioner.Lab.Peers;

namespace Provisioner.Lab;

/// <summary>Another DHCP server gives the addresses, as at a site whose router does; the appliance only says what to boot.</summary>
public sealed class ProxyTests
{
    private const string Mac = "52:54:00:77:00:02";

    [Theory]
    [InlineData(nameof(Firmware.UefiX64))]
    [InlineData(nameof(Firmware.Bios))]
    public async Task A_server_with_an_address_from_dnsmasq_boots_from_the_appliance(string machine)
    {
        var firmware = Enum.Parse<Firmware>(machine);
        Prerequisites.SkipWithout(firmware, "dnsmasq");
        await using var network = await LabNetwork.CreateAsync();
        var router = await network.AddPeerAsync("router", "10.77.0.2/24");
        await using var dnsmasq = await Dnsmasq.StartServerAsync(router, "10.77.0.50,10.77.0.99", "10.77.0.2");
        await using var site = await Site.CreateAsync(network, firmware, SiteResources.Proxy);
        await site.RegisterAsync("server-1", Mac);
        await site.Service.DoAsync("provision", "server-1");
        var server = site.AddServer(Mac);

        await server.PowerOnAsync();
        await site.WaitForAsync(server, Site.KernelStarted);

        // The address is dnsmasq's, the boot file is ours.
        Assert.Contains(dnsmasq.Lines, line => line.Contains("DHCPACK", StringComparison.Ordinal) && line.Contains(Mac, StringComparison.Ordinal));
        var events = await site.Service.EventsAsync("server-1");
        Timeline.AssertInOrder(events, firmware == Firmware.UefiX64
            ?
            [
                new Step("proxyDhcp", "DISCOVER", "snponly.efi"),
                new Step("tftp", "snponly.efi"),
                new Step("proxyDhcp", "boot.ipxe"),
                new Step("http", "linux"),
                new Step("http", "initrd.gz"),
            ]
            :
            [
                new Step("proxyDhcp", "DISCOVER", "boot.ipxe"),
                new Step("http", "boot.ipxe"),
                new Step("http", "linux"),
                new Step("http", "initrd.gz"),
            ]);
        Timeline.AssertNone(events, new Step("dhcp"));
    }
}
