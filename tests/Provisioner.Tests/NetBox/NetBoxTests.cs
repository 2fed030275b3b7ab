using Microsoft.Extensions.DependencyInjection;
using Provisioner.NetBox;
using Provisioner.Resources;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.NetBox;

public sealed class NetBoxTests : IAsyncLifetime
{
    private NetBoxDouble netBox = null!;

    public async ValueTask InitializeAsync() => netBox = await NetBoxDouble.StartAsync();

    public ValueTask DisposeAsync() => netBox.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Devices_are_read_with_the_addresses_of_what_can_boot(bool old)
    {
        netBox.IsOld = old;
        using var client = new NetBoxClient(netBox.Options);
        var found = await client.FindAsync("site=madrid&role=worker", CancellationToken.None);
        Assert.Equal(["r7-n01", "r7-n02", ""], found.Select(d => d.Name));
        Assert.Equal(old ? ["A0:36:9F:00:00:01"] : ["A0:36:9F:00:00:01", "A0:36:9F:0F:00:01"], found[0].MacAddresses);
        Assert.Equal(("Madrid", "r7", "1", "S-1", "10.77.0.1", "Worker"), (found[0].Site, found[0].Rack, found[0].Unit, found[0].Serial, found[0].Address, found[0].Role));
        Assert.Contains("/netbox/api/dcim/devices/?site=madrid&role=worker&limit=250&offset=0", netBox.Asked);
        Assert.All(netBox.Asked, a => Assert.StartsWith("/netbox/api/dcim/", a, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Many_devices_come_in_pages_by_our_own_counting()
    {
        netBox.Devices = 600;
        using var client = new NetBoxClient(netBox.Options);
        var found = await client.FindAsync("", CancellationToken.None);
        Assert.Equal(600, found.Count);
        Assert.Equal(600, found.SelectMany(d => d.MacAddresses.Take(1)).Distinct().Count());
        Assert.Equal(3, netBox.Asked.Count(a => a.Contains("/devices/", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_token_of_the_second_version_is_sent_as_one()
    {
        netBox.Token = "nbt_abc123.0123456789";
        netBox.WriteToken(netBox.Token);
        using var client = new NetBoxClient(netBox.Options);
        Assert.Equal(3, (await client.FindAsync("", CancellationToken.None)).Count);
    }

    [Theory]
    [InlineData("limit=0", "is said by the appliance itself")]
    [InlineData("site", "is no filter")]
    [InlineData("site=", "is no filter")]
    [InlineData("../users/tokens/=1", "is no filter")]
    [InlineData("site=a%0ab", "is no filter")]
    public void A_filter_can_be_nothing_else(string filter, string why) =>
        Assert.Contains(why, Assert.Throws<ChangeRefusedException>(() => NetBoxClient.Check(filter)).Message, StringComparison.Ordinal);

    [Fact]
    public void Any_text_is_a_filter_or_is_refused() => CsCheck.Check.Sample(CsCheck.Gen.String, text =>
    {
        try
        {
            var query = NetBoxClient.Check(text);
            Assert.DoesNotContain('#', query);
            Assert.DoesNotContain('/', query);
        }
        catch (ChangeRefusedException)
        {
            // With a reason, as the test before this one shows.
        }
    });

    [Fact]
    public async Task What_NetBox_refuses_is_said_and_its_token_is_not()
    {
        using var client = new NetBoxClient(netBox.Options);
        using var none = new NetBoxClient(null);
        Assert.Contains("nowhere is not one of", (await Assert.ThrowsAsync<ChangeRefusedException>(() => client.FindAsync("site=nowhere", CancellationToken.None))).Message, StringComparison.Ordinal);
        netBox.WriteToken("another");
        var refused = (await Assert.ThrowsAsync<NetBoxException>(() => client.FindAsync("", CancellationToken.None))).Message;
        Assert.Contains("Invalid token", refused, StringComparison.Ordinal);
        Assert.DoesNotContain("another", refused, StringComparison.Ordinal);
        netBox.Elsewhere = "http://127.0.0.1:1/";
        Assert.Contains("no redirect is followed", (await Assert.ThrowsAsync<NetBoxException>(() => client.FindAsync("", CancellationToken.None))).Message, StringComparison.Ordinal);
        Assert.Contains("names no NetBox", (await Assert.ThrowsAsync<NetBoxException>(() => none.FindAsync("", CancellationToken.None))).Message, StringComparison.Ordinal);
        await netBox.StopAsync();
        Assert.Contains("cannot be reached", (await Assert.ThrowsAsync<NetBoxException>(() => client.FindAsync("", CancellationToken.None))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_command_prints_what_can_be_applied_and_says_what_cannot()
    {
        await using var appliance = await RunningAppliance.StartAsync(more: services => services.AddSingleton(_ => new NetBoxClient(netBox.Options)));
        var printed = await appliance.RunAsync("netbox", "--filter", "site=madrid");
        Assert.Equal(1, printed.ExitCode);
        Assert.Contains("1 of 3 cannot be registered as they are.", printed.Error, StringComparison.Ordinal);
        Assert.Contains("metadata.name", printed.Error, StringComparison.Ordinal);
        Assert.Empty(appliance.Snapshot.Hosts);
        Assert.Equal(200, (await appliance.ApplyAsync(printed.Output)).Status);
        var host = appliance.Snapshot.Hosts["r7-n02"];
        Assert.Equal(["a0-36-9f-00-00-02", "a0-36-9f-0f-00-02"], host.Spec.MacAddresses.Select(m => m.ToDashed()));
        Assert.Equal(("Madrid", "r7", 2, "S-2"), (host.Spec.Location!.Site, host.Spec.Location.Rack, host.Spec.Location.Unit, host.Spec.Serial));
        // A second time, they are there already.
        Assert.Contains("there is a Host r7-n02 already", (await appliance.RunAsync("netbox")).Error, StringComparison.Ordinal);
    }
}
