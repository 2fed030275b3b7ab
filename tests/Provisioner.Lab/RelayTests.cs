using Provisioner.Lab.Harness;
using Provisioner.Lab.Peers;

namespace Provisioner.Lab;

/// <summary>The servers are on another segment than the appliance: a relay agent (RFC 1542) is between them, and a router.</summary>
public sealed class RelayTests
{
    private const string Mac = "52:54:00:77:00:03";

    [Fact]
    public async Task A_server_behind_a_relay_boots_with_an_address_of_its_own_segment()
    {
        Prerequisites.SkipWithout(Firmware.UefiX64, "dnsmasq", "sysctl");
        await using var network = await LabNetwork.CreateAsync();
        // 10.77.0.0/24 with the appliance — the router, which relays — 10.78.0.0/24 with the servers.
        var router = await network.AddPeerAsync("router", "10.77.0.254/24");
        await router.AddBridgeAsync("rack", "10.78.0.1/24");
        (await router.RunAsync("sysctl", ["-q", "-w", "net.ipv4.ip_forward=1"])).OrThrow();
        await network.Appliance.IpAsync("route", "add", "10.78.0.0/24", "via", "10.77.0.254");
        await using var relay = await Dnsmasq.StartRelayAsync(router, "10.78.0.1", LabNetwork.Address);
        await using var site = await Site.CreateAsync(network, Firmware.UefiX64, """
              dhcp: reserve
              range: 10.78.0.100-10.78.0.199
              gateway: 10.78.0.1
              advertise: 10.77.0.1
            """, subnet: "10.78.0.0/24");
        await site.RegisterAsync("server-1", Mac, "  address: 10.78.0.21");
        await site.Service.DoAsync("provision", "server-1");
        var server = site.AddServer(router, "rack", Mac);

        await server.PowerOnAsync();
        await site.WaitForAsync(server, Site.KernelStarted);

        Timeline.AssertInOrder(await site.Service.EventsAsync("server-1"),
            new Step("dhcp", "DISCOVER", "10.78.0.21", "snponly.efi"),
            new Step("tftp", "snponly.efi"),
            new Step("dhcp", "boot.ipxe"),
            new Step("http", "linux"),
            new Step("http", "initrd.gz"));
        Assert.Contains("Station IP address is 10.78.0.21", server.Serial(), StringComparison.Ordinal);
    }
}
