using System.Collections.Immutable;
using Provisioner.Events;
using Provisioner.Storage;

namespace Provisioner.Fleet;

/// <summary>
/// The fleet as pages, streams and metrics show it. However fast the state changes and however many look, it is worked out at most a few times a
/// second, once for all of them; and not at all while nobody looks.
/// </summary>
internal sealed class FleetView : IDisposable
{
    /// <summary>Several changes in this time are shown as one.</summary>
    private static readonly TimeSpan Calm = TimeSpan.FromMilliseconds(250);

    /// <summary>States change by time alone, too: a host stalls.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(5);

    private readonly CurrentState state;
    private readonly EventLog events;
    private readonly TimeProvider time;
    private readonly ITimer timer;
    private readonly Lock gate = new();
    private Action? changed;
    private bool isDue;
    private ImmutableArray<FleetRow> rows = [];
    private Snapshot? of;
    private DateTimeOffset at;

    public FleetView(CurrentState state, EventLog events, TimeProvider time)
    {
        (this.state, this.events, this.time) = (state, events, time);
        timer = time.CreateTimer(_ => Tell(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        state.Changed += OnChanged;
    }

    /// <summary>Raised after the state changed, on no particular thread: look again.</summary>
    public event Action Changed
    {
        add
        {
            lock (gate)
            {
                changed += value;
                timer.Change(isDue ? Calm : Tick, Timeout.InfiniteTimeSpan);
            }
        }
        remove
        {
            lock (gate)
                changed -= value;
        }
    }

    public DateTimeOffset Now => time.GetUtcNow();

    public Snapshot Snapshot => state.Snapshot;

    /// <summary>Every host, by name; at most <see cref="Tick"/> old.</summary>
    public ImmutableArray<FleetRow> Rows
    {
        get
        {
            var (snapshot, now) = (state.Snapshot, time.GetUtcNow());
            lock (gate)
            {
                // While a change waits to be told, what was is good enough.
                if (of is not null && now - at < Tick && (isDue || ReferenceEquals(of, snapshot)))
                    return rows;
                rows = [.. snapshot.Hosts.Values.Select(host => FleetRow.Of(host, snapshot, events.LastAnswered(host), now))];
                (of, at) = (snapshot, now);
                return rows;
            }
        }
    }

    /// <summary>One host as it is now; null when there is none of that name.</summary>
    public FleetRow? Find(string host)
    {
        var snapshot = state.Snapshot;
        return snapshot.Hosts.TryGetValue(host, out var found) ? FleetRow.Of(found, snapshot, events.LastAnswered(found), time.GetUtcNow()) : null;
    }

    public void Dispose()
    {
        state.Changed -= OnChanged;
        timer.Dispose();
    }

    // On the writer's lane.
    private void OnChanged(Snapshot next)
    {
        lock (gate)
        {
            if (isDue || changed is null)
                return;
            isDue = true;
            timer.Change(Calm, Timeout.InfiniteTimeSpan);
        }
    }

    private void Tell()
    {
        Action? listeners;
        lock (gate)
        {
            (isDue, of) = (false, null);
            listeners = changed;
            if (listeners is not null)
                timer.Change(Tick, Timeout.InfiniteTimeSpan);
        }
        listeners?.Invoke();
    }
}
