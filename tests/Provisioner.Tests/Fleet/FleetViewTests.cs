using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Fleet;
using Provisioner.Hosts;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Web;

namespace Provisioner.Tests.Fleet;

public sealed class FleetViewTests
{
    [Fact]
    public async Task Many_changes_are_told_as_one_and_none_while_nobody_looks()
    {
        var time = new FakeTimeProvider(DateTimeOffset.Parse("2026-03-01T12:00:00Z", System.Globalization.CultureInfo.InvariantCulture));
        await using var appliance = await RunningAppliance.StartAsync(time: time);
        await ConsoleSite.BuildAsync(appliance);
        var fleet = appliance.Services.GetRequiredService<FleetView>();
        var told = 0;
        void Count() => Interlocked.Increment(ref told);
        fleet.Changed += Count;
        Assert.Equal(18, fleet.Rows.Length);
        for (var i = 0; i < 100; i++)
            await ChangeAsync();
        Assert.Equal(0, told);
        time.Advance(TimeSpan.FromMilliseconds(250));
        Assert.Equal(1, told);
        Assert.Equal("zone-new", fleet.Rows[0].Zone);

        // By time alone a host stalls.
        Assert.Equal(HostState.Installing, fleet.Rows.Single(r => r.Name == "r1-n03").State);
        time.Advance(TimeSpan.FromMinutes(119));
        Assert.True(told > 1);
        Assert.Equal(HostState.Stalled, fleet.Rows.Single(r => r.Name == "r1-n03").State);

        fleet.Changed -= Count;
        var before = told;
        await ChangeAsync();
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(before, told);

        Task ChangeAsync() => appliance.Writer.ChangeAsync(editor =>
        {
            var host = editor.Snapshot.Hosts["r1-n01"];
            editor.Put(host with { Spec = host.Spec with { Zone = "zone-new" } });
            return 0;
        });
    }
}
