using Microsoft.Extensions.Logging.Abstractions;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Tests.Storage;

public sealed class StateWriterTests
{
    [Fact]
    public async Task A_reader_keeps_the_snapshot_it_took()
    {
        await using var fixture = new StoreFixture();
        await fixture.Writer.ChangeAsync(editor => editor.Put(StoreFixture.Host(1)));
        var taken = fixture.State.Snapshot;
        await fixture.Writer.ChangeAsync(editor =>
        {
            editor.RemoveHost("worker-1");
            editor.Put(StoreFixture.Host(2));
            return 0;
        });
        Assert.Equal(["worker-1"], taken.Hosts.Keys);
        Assert.Equal("worker-1", taken.FindHost(new MacAddress(0x5254_0000_0001UL))!.Name);
        Assert.Equal(["worker-2"], fixture.State.Snapshot.Hosts.Keys);
        Assert.Null(fixture.State.Snapshot.FindHost(new MacAddress(0x5254_0000_0001UL)));
        Assert.Equal(taken.Revision + 1, fixture.State.Snapshot.Revision);
    }

    [Fact]
    public async Task A_change_that_throws_leaves_nothing_behind()
    {
        await using var fixture = new StoreFixture();
        var before = fixture.State.Snapshot;
        await Assert.ThrowsAsync<ChangeRefusedException>(() => fixture.Writer.ChangeAsync<int>(editor =>
        {
            editor.Put(StoreFixture.Host(1));
            editor.Record(StoreFixture.Event("x"));
            throw new ChangeRefusedException(RefusalKind.Conflict, "no");
        }));
        Assert.Same(before, fixture.State.Snapshot);
        Assert.Empty(fixture.Store.LoadSnapshot().Hosts);
        Assert.Empty(fixture.Events.Find(new EventQuery()));
        await fixture.Writer.ChangeAsync(editor => editor.Put(StoreFixture.Host(2)));
        Assert.Equal(["worker-2"], fixture.State.Snapshot.Hosts.Keys);
    }

    [Fact]
    public async Task Changes_from_many_callers_are_carried_out_one_after_another()
    {
        await using var fixture = new StoreFixture();
        await fixture.Writer.ChangeAsync(editor => editor.Put(StoreFixture.Host(1)));
        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => fixture.Writer.ChangeAsync(editor =>
        {
            var host = editor.Snapshot.Hosts["worker-1"];
            return editor.Put(host with { Spec = host.Spec with { Serial = (int.Parse(host.Spec.Serial ?? "0") + 1).ToString() } });
        })));
        Assert.Equal("50", fixture.State.Snapshot.Hosts["worker-1"].Spec.Serial);
        Assert.Equal(51, fixture.State.Snapshot.Hosts["worker-1"].Metadata.ResourceVersion);
    }

    [Fact]
    public async Task A_change_cancelled_before_it_began_is_not_carried_out()
    {
        await using var fixture = new StoreFixture();
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fixture.Writer.ChangeAsync(editor => editor.Put(StoreFixture.Host(1)), cancelled.Token));
        await fixture.Writer.ChangeAsync(_ => 0);
        Assert.Empty(fixture.State.Snapshot.Hosts);
    }

    [Fact]
    public async Task A_stopped_writer_says_so()
    {
        var fixture = new StoreFixture();
        await fixture.DisposeAsync();
        await Assert.ThrowsAsync<StoreException>(() => fixture.Writer.ChangeAsync(editor => editor.Put(StoreFixture.Host(1))));
    }

    [Fact]
    public async Task Follows_events_without_a_gap_and_in_order()
    {
        await using var fixture = new StoreFixture();
        await fixture.Writer.ChangeAsync(editor => { editor.Record(StoreFixture.Event("e0", "worker-1")); editor.Record(StoreFixture.Event("other")); return 0; });
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var writing = Task.Run(async () =>
        {
            for (var i = 1; i <= 200; i++)
                await fixture.Writer.NoteAsync(editor => { editor.Record(StoreFixture.Event($"e{i}", "worker-1")); editor.Record(StoreFixture.Event("other", "worker-2")); return 0; }, limit.Token);
        });
        var seen = new List<string>();
        await foreach (var entry in fixture.Events.FollowAsync(new EventQuery { Host = "worker-1" }, limit.Token))
        {
            seen.Add(entry.What);
            if (seen.Count == 201)
                break;
        }
        await writing;
        Assert.Equal(Enumerable.Range(0, 201).Select(i => $"e{i}"), seen);
    }

    [Fact]
    public async Task Stores_what_the_packet_path_recorded()
    {
        await using var fixture = new StoreFixture(limits: new StoreLimits { Discovered = 100 });
        var journal = new BootJournal();
        var now = TimeProvider.System.GetUtcNow();
        var mac = MacAddress.Parse("52:54:00:00:00:01");
        await fixture.Writer.ChangeAsync(editor => editor.Put(StoreFixture.Host(2)));
        using var service = new JournalWriter(journal, fixture.Writer, new StoreLimits { Discovered = 100 }, TimeProvider.System, NullLogger<JournalWriter>.Instance);
        journal.Record(StoreFixture.Event("asked\nand\u202eanswered", mac: mac, source: EventSource.Tftp));
        journal.Record(new Sighting(mac, now) { Architecture = "UEFI x64", VendorClass = "PXE\u0001Client" });
        journal.Record(new Sighting(mac, now.AddSeconds(1)) { Serial = new string('s', 500) });
        journal.Record(new Sighting(MacAddress.Parse("52:54:00:00:00:02"), now) { Architecture = "UEFI x64" });
        journal.Record(new Lease(Ipv4Address.Parse("10.0.0.1"), mac, "net", now));
        journal.Record(new Lease(Ipv4Address.Parse("10.0.0.1"), mac, "net", now.AddHours(1)));
        for (var i = 0; i < 300; i++)
            journal.Record(new Sighting(new MacAddress(0x0200_0000_0000UL + (ulong)i), now.AddSeconds(-1000 + i)));
        await service.StartAsync(CancellationToken.None);
        await service.StopAsync(CancellationToken.None);

        var known = fixture.State.Snapshot.Discovered[mac];
        Assert.Equal(("UEFI x64", "PXE\ufffdClient", 2), (known.Architecture, known.VendorClass, known.Times));
        Assert.Equal(129, known.Serial!.Length);
        // A registered machine is not discovered; of the flood the latest stay.
        Assert.False(fixture.State.Snapshot.Discovered.ContainsKey(MacAddress.Parse("52:54:00:00:00:02")));
        Assert.InRange(fixture.State.Snapshot.Discovered.Count, 90, 100);
        Assert.True(fixture.State.Snapshot.Discovered.ContainsKey(new MacAddress(0x0200_0000_0000UL + 299)));
        Assert.Equal("asked\ufffdand\ufffdanswered", Assert.Single(fixture.Events.Find(new EventQuery())).What);
        Assert.Equal(now.AddHours(1), Assert.Single(fixture.Store.LoadLeases()).EndsAt);
        Assert.Equal(fixture.State.Snapshot.Discovered.Count, fixture.Store.LoadSnapshot().Discovered.Count);
    }

    [Fact]
    public async Task Tells_when_a_host_was_last_answered_but_not_for_a_lease()
    {
        await using var fixture = new StoreFixture();
        await fixture.Writer.ChangeAsync(editor =>
        {
            editor.Put(StoreFixture.Image());
            editor.Put(StoreFixture.Profile());
            editor.Put(StoreFixture.Host(1, "worker"));
            return HostChanges.Provision(editor, "worker-1", null, "me");
        });
        var host = fixture.State.Snapshot.Hosts["worker-1"];
        var installation = fixture.State.Snapshot.Installations["worker-1"];
        HostState State() => HostStanding.Of(host, installation, fixture.Events.LastAnswered(host), enrolledAt: null, TimeProvider.System.GetUtcNow()).State;
        Assert.Equal(HostState.Waiting, State());
        await fixture.Writer.ChangeAsync(editor => { editor.Record(StoreFixture.Event("ACK", mac: host.Spec.MacAddresses[0], source: EventSource.Dhcp)); return 0; });
        Assert.Equal(HostState.Waiting, State());
        await fixture.Writer.ChangeAsync(editor => { editor.Record(StoreFixture.Event("GET", mac: host.Spec.MacAddresses[0])); return 0; });
        Assert.Equal(HostState.Booting, State());
        // The same after a restart.
        Assert.NotNull(new EventLog(fixture.Store, fixture.State, TimeProvider.System).LastAnswered(host));
        Assert.Equal(HostState.Registered, HostStanding.Of(host, installation, null, enrolledAt: null, installation.ClosesAt).State);
        Assert.Equal(HostState.Registered, HostStanding.Of(host, null, null, enrolledAt: null, installation.OpenedAt).State);
    }
}
