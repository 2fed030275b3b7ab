using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>The DHCP clients that installers and operating systems use, against a Network the appliance gives addresses on.</summary>
public sealed partial class DhcpClientTests
{
    private const string Mac = "52:54:00:77:00:06";
    private const string OwnAddress = "10.77.0.60";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Dhclient_gets_the_host_s_own_address_and_gives_it_back()
    {
        Prerequisites.SkipWithout("dhclient");
        await using var network = await LabNetwork.CreateAsync();
        await using var service = await StartAsync(network, $"  address: {OwnAddress}");
        var client = await network.AddPeerAsync("client", macAddress: Mac);
        var leases = Path.Combine(network.Directory, "dhclient.leases");
        var configuration = Path.Combine(network.Directory, "dhclient.conf");
        await File.WriteAllTextAsync(configuration, "timeout 20;\n", TestContext.Current.CancellationToken);
        string[] arguments = ["-4", "-1", "-d", "-sf", "/bin/true", "-cf", configuration, "-lf", leases, "-pf", Path.Combine(network.Directory, "dhclient.pid"), "eth0"];

        await using (var dhclient = client.Start("dhclient", arguments))
        {
            Assert.Contains($"bound to {OwnAddress}", await dhclient.WaitForLineAsync("bound to", Limit), StringComparison.Ordinal);
            await dhclient.StopAsync();
        }
        Assert.Contains(Mac, await service.DoAsync("get", "leases"), StringComparison.Ordinal);

        // It releases by unicast, so it needs the address its script would have set.
        await client.IpAsync("address", "add", OwnAddress + "/24", "dev", "eth0");
        await using (var release = client.Start("dhclient", ["-r", .. arguments]))
            await release.WaitForExitAsync(Limit);

        await EventuallyAsync(
            async () => (await service.EventsAsync("server-1")).Any(e => e.What.Contains("RELEASE", StringComparison.Ordinal) && e.Reason.Contains($"{OwnAddress} is free again", StringComparison.Ordinal)),
            "the appliance takes the address back");
    }

    [Fact]
    public async Task Udhcpc_as_a_UEFI_PXE_client_is_told_address_mask_router_and_boot_file()
    {
        Prerequisites.SkipWithout("udhcpc");
        Assert.SkipUnless(File.Exists("/usr/lib/ipxe/snponly.efi"), "iPXE is not installed here: no boot file to name");
        await using var network = await LabNetwork.CreateAsync();
        await using var service = await StartAsync(network, $"  address: {OwnAddress}");
        var client = await network.AddPeerAsync("client", macAddress: Mac);

        var answer = await UdhcpcAsync(network, client, "-O", "7", "-x", "0x5d:0007", "-V", "PXEClient:Arch:00007:UNDI:003000");

        Assert.Equal(0, answer.ExitCode);
        Assert.Contains($"ip={OwnAddress}\n", answer.Text, StringComparison.Ordinal);
        Assert.Contains("subnet=255.255.255.0\n", answer.Text, StringComparison.Ordinal);
        Assert.Contains("router=10.77.0.254\n", answer.Text, StringComparison.Ordinal);
        Assert.Contains("dns=10.77.0.253\n", answer.Text, StringComparison.Ordinal);
        Assert.Contains($"serverid={LabNetwork.Address}\n", answer.Text, StringComparison.Ordinal);
        Assert.Contains($"siaddr={LabNetwork.Address}\n", answer.Text, StringComparison.Ordinal);
        Assert.Contains("boot_file=snponly.efi\n", answer.Text, StringComparison.Ordinal);
        // Whoever asks where to send its log is told (RFC 2132 section 3.9). udhcpc has no name for
        // option 7 and shows it as hexadecimal.
        var logServer = Convert.ToHexStringLower(IPAddress.Parse(LabNetwork.Address).GetAddressBytes());
        Assert.Contains($"opt7={logServer}\n", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dhcpcd_gets_the_host_s_own_address()
    {
        Prerequisites.SkipWithout("dhcpcd", "timeout");
        await using var network = await LabNetwork.CreateAsync();
        await using var service = await StartAsync(network, $"  address: {OwnAddress}");
        var client = await network.AddPeerAsync("client", macAddress: Mac);

        // 9.4.1 may hang or crash at its end (Debian 12): what it got is what counts.
        await using var dhcpcd = client.Start("timeout", "-k", "1", "20", "dhcpcd", "-T", "-4", "-t", "10", "eth0");
        await dhcpcd.WaitForLineAsync(OwnAddress, Limit);

        var events = await service.EventsAsync("server-1");
        Timeline.AssertInOrder(events, new Step("dhcp", "DISCOVER", OwnAddress));
    }

    [Fact]
    public async Task An_unknown_client_is_not_answered_and_the_silence_says_why()
    {
        Prerequisites.SkipWithout("udhcpc");
        await using var network = await LabNetwork.CreateAsync();
        await using var service = await StartAsync(network);
        var stranger = await network.AddPeerAsync("stranger", macAddress: "52:54:00:77:00:99");

        var answer = await UdhcpcAsync(network, stranger, "-t", "2", "-T", "1");

        Assert.NotEqual(0, answer.ExitCode);
        var silent = (await service.EventsAsync("52:54:00:77:00:99")).Where(e => e is { Source: "dhcp", Outcome: "silent" }).ToList();
        Assert.NotEmpty(silent);
        Assert.All(silent, e => Assert.Contains("not registered", e.Reason, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_leased_address_is_the_same_after_the_appliance_was_restarted()
    {
        Prerequisites.SkipWithout("udhcpc");
        await using var network = await LabNetwork.CreateAsync();
        var client = await network.AddPeerAsync("client", macAddress: Mac);
        string data, before;
        await using (var service = await StartAsync(network))
        {
            // Another client first, so that the same address does not come by always giving the first one.
            var other = await network.AddPeerAsync("other", macAddress: "52:54:00:77:00:07");
            await service.ApplyAsync(SiteResources.Host("server-2", "52:54:00:77:00:07", "x86_64", profile: null));
            Assert.Equal(0, (await UdhcpcAsync(network, other)).ExitCode);
            before = AddressOf(await UdhcpcAsync(network, client));
            data = service.Data;
            Assert.Equal(0, await service.StopAsync());
        }

        await using (var again = await ServiceProcess.StartAsync(network, data))
        {
            Assert.Contains(before, await again.DoAsync("get", "leases"), StringComparison.Ordinal);
            Assert.Equal(before, AddressOf(await UdhcpcAsync(network, client)));
        }
    }

    [Fact]
    public async Task Perfdhcp_loses_no_exchange()
    {
        Prerequisites.SkipWithout("perfdhcp");
        await using var network = await LabNetwork.CreateAsync();
        await using var service = await StartAsync(network, networkSpec: "\n  allowUnknown: true");
        var load = await network.AddPeerAsync("load", "10.77.0.9/24");

        var result = await load.RunAsync("perfdhcp", ["-4", "-l", "eth0", "-r", "50", "-p", "3", "-R", "40", "-x", "i"], Limit);

        var counts = PacketCount().Matches(result.Text).Select(m => (What: m.Groups["what"].Value, Count: int.Parse(m.Groups["count"].Value, CultureInfo.InvariantCulture))).ToList();
        Assert.True(counts.Count(c => c.What == "drops") == 2, result.Text);
        Assert.All(counts.Where(c => c.What == "drops"), c => Assert.True(c.Count == 0, result.Text));
        Assert.All(counts.Where(c => c.What == "received packets"), c => Assert.True(c.Count >= 100, result.Text));
    }

    private static async Task<ServiceProcess> StartAsync(LabNetwork network, string host = "", string networkSpec = "")
    {
        var service = await ServiceProcess.StartAsync(network);
        try
        {
            await service.ApplyAsync(
                SiteResources.Network(SiteResources.Reserve + "\n  gateway: 10.77.0.254\n  dns: [10.77.0.253]" + networkSpec)
                + SiteResources.Host("server-1", Mac, "x86_64", host, profile: null));
            return service;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>Gets a lease once, with a script that says what it was told.</summary>
    private static async Task<CommandResult> UdhcpcAsync(LabNetwork network, NetworkNamespace client, params string[] more)
    {
        var script = Path.Combine(network.Directory, "udhcpc.sh");
        if (!File.Exists(script))
        {
            await File.WriteAllTextAsync(script, "#!/bin/sh\n[ \"$1\" = bound ] && env\nexit 0\n");
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }
        return await client.RunAsync("udhcpc", ["-i", "eth0", "-n", "-q", "-f", "-s", script, .. more], Limit);
    }

    private static string AddressOf(CommandResult answer)
    {
        var match = Address().Match(answer.OrThrow().Text);
        Assert.True(match.Success, answer.Text);
        return match.Groups["address"].Value;
    }

    private static async Task EventuallyAsync(Func<Task<bool>> holds, string what)
    {
        for (var attempt = 0; attempt < 25; attempt++)
        {
            if (await holds())
                return;
            await Task.Delay(200);
        }
        Assert.Fail($"Within 5 s it did not come that {what}.");
    }

    [GeneratedRegex("(?<what>drops|received packets): (?<count>[0-9]+)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PacketCount();

    [GeneratedRegex("^ip=(?<address>[0-9.]+)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.Multiline, 1000)]
    private static partial Regex Address();
}
