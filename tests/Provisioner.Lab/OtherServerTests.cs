using System.Diagnostics;
using System.Text.Json.Nodes;
using Provisioner.Lab.Harness;
using Provisioner.Lab.Peers;

namespace Provisioner.Lab;

/// <summary>A DHCP server that should not be there, on the wire of a Network that the appliance gives addresses on; and an interface that goes away.</summary>
public sealed class OtherServerTests
{
    private const string Rogue = "10.77.0.66";

    [Fact]
    public async Task A_rogue_dnsmasq_is_found_and_named_within_30_seconds()
    {
        Prerequisites.SkipWithout("dnsmasq");
        await using var network = await LabNetwork.CreateAsync();
        await using var service = await ServiceProcess.StartAsync(network);
        await service.ApplyAsync(SiteResources.Network(SiteResources.Reserve));
        Assert.Contains("Nobody else answers DHCP or PXE on br0", (await service.RunAsync("doctor", "--all")).Output, StringComparison.Ordinal);

        var peer = await network.AddPeerAsync("rogue", Rogue + "/24");
        await using (var dnsmasq = await Dnsmasq.StartServerAsync(peer, "10.77.0.210,10.77.0.220", "10.77.0.253"))
        {
            var watch = Stopwatch.StartNew();
            while (!(await AlertsAsync(service)).Contains($"other-server:lab:{Rogue}"))
            {
                Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), $"not found within 30 s; the log ends: {service.LogTail(10)}");
                await Task.Delay(250, TestContext.Current.CancellationToken);
            }
            // By name, with what to do, to whoever asks; and in the record.
            var doctor = await service.RunAsync("doctor");
            Assert.Equal(1, doctor.ExitCode);
            Assert.Contains($"Another DHCP server, {Rogue}, answers on br0", Joined(doctor.Output), StringComparison.Ordinal);
            Assert.Contains("dhcp: proxy", Joined(doctor.Output), StringComparison.Ordinal);
            Assert.Contains(Rogue, await service.DoAsync("events"), StringComparison.Ordinal);
            // Our own question is nobody's boot: no machine was discovered by it.
            Assert.DoesNotContain("02:", await service.DoAsync("get", "discovered", "-o", "json"), StringComparison.Ordinal);
            await dnsmasq.StopAsync();
        }
        for (var attempt = 0; (await AlertsAsync(service)).Count > 0; attempt++)
        {
            Assert.True(attempt < 400, "the alert stays though the server is gone");
            await Task.Delay(250, TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_site_s_own_DHCP_server_is_what_a_proxy_needs()
    {
        Prerequisites.SkipWithout("dnsmasq");
        await using var network = await LabNetwork.CreateAsync();
        await using var service = await ServiceProcess.StartAsync(network);
        await service.ApplyAsync(SiteResources.Network(SiteResources.Proxy));
        Assert.Contains("No DHCP server answers on br0", Joined((await service.RunAsync("doctor")).Output), StringComparison.Ordinal);
        var peer = await network.AddPeerAsync("router", "10.77.0.254/24");
        await using var dnsmasq = await Dnsmasq.StartServerAsync(peer, "10.77.0.210,10.77.0.220", "10.77.0.254");
        Assert.Contains("10.77.0.254 gives addresses on br0, as it is to be", Joined((await service.RunAsync("doctor", "--all")).Output), StringComparison.Ordinal);
        Assert.Empty(await AlertsAsync(service));
    }

    /// <summary>The wire's interface is taken away, and comes back: the appliance says so, goes on with the rest, and serves it again.</summary>
    [Fact]
    public async Task An_interface_that_goes_away_is_named_and_served_again_when_it_is_back()
    {
        Prerequisites.SkipWithout("udhcpc");
        await using var network = await LabNetwork.CreateAsync();
        await using var service = await ServiceProcess.StartAsync(network);
        await network.Appliance.AddBridgeAsync("br1", "10.78.0.1/24");
        await service.ApplyAsync(SiteResources.Network("""
              interface: br1
              dhcp: reserve
              range: 10.78.0.100-10.78.0.199
              allowUnknown: true
            """, "10.78.0.0/24"));
        Assert.Contains("br1 is up, with 10.78.0.1", Joined((await service.RunAsync("doctor", "--all")).Output), StringComparison.Ordinal);
        await network.Appliance.IpAsync("link", "delete", "br1");
        var doctor = await service.RunAsync("doctor");
        Assert.Equal(1, doctor.ExitCode);
        Assert.Contains("this machine has no such interface", Joined(doctor.Output), StringComparison.Ordinal);
        Assert.False(service.HasExited);

        await network.Appliance.AddBridgeAsync("br1", "10.78.0.1/24");
        await network.Appliance.IpAsync("link", "add", "veth1", "type", "veth", "peer", "name", "client1");
        await network.Appliance.IpAsync("link", "set", "veth1", "master", "br1", "up");
        var client = await network.AddNamespaceAsync("late");
        await network.Appliance.IpAsync("link", "set", "client1", "netns", client.Name);
        await client.IpAsync("link", "set", "client1", "up");
        var leased = "";
        for (var attempt = 0; attempt < 10 && !leased.Contains("10.78.0.1", StringComparison.Ordinal); attempt++)
            leased = (await client.RunAsync("udhcpc", ["-i", "client1", "-n", "-q", "-f", "-t", "4", "-T", "1", "-s", "/bin/true"])).Text;
        Assert.Contains("10.78.0.1", leased, StringComparison.Ordinal);
    }

    private static async Task<IReadOnlyList<string>> AlertsAsync(ServiceProcess service) =>
        [.. JsonNode.Parse(await service.DoAsync("get", "alerts", "-o", "json"))!["items"]!.AsArray().Select(a => a!["id"]!.GetValue<string>()).Where(id => id.StartsWith("other-server:", StringComparison.Ordinal))];

    // Findings are broken between words to fit a screen.
    private static string Joined(string text) => string.Join(' ', text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
}
