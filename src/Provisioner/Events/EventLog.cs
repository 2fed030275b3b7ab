using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Provisioner.Protocols;
using Provisioner.Storage;

namespace Provisioner.Events;

/// <summary>The events as they are read: by the API, the console and <c>provisioner events</c>.</summary>
public sealed class EventLog
{
    /// <summary>Enough to tell for each host whether it asked since the service started.</summary>
    private const int StartupEvents = 5_000;

    private readonly IStore store;
    private readonly CurrentState state;
    private readonly ConcurrentDictionary<MacAddress, DateTimeOffset> answered = [];
    private TaskCompletionSource committed = NewSignal();

    public EventLog(IStore store, CurrentState state, TimeProvider time)
    {
        this.store = store;
        this.state = state;
        // Only an open Installation asks for it.
        if (state.Snapshot.Installations.Values.Any(i => i.IsOpenAt(time.GetUtcNow())))
            Learn(store.FindEvents(new EventQuery { Limit = StartupEvents }));
    }

    /// <summary>Raised on the writer's lane with what was stored; handlers return at once.</summary>
    internal event Action<IReadOnlyList<Event>>? Stored;

    /// <summary>The query for a host: its own events and those of its MAC addresses.</summary>
    public EventQuery ForHost(string host) => new()
    {
        Host = host,
        MacAddresses = state.Snapshot.Hosts.GetValueOrDefault(host)?.Spec.MacAddresses ?? [],
    };

    /// <summary>Finds stored events, in ascending order of id.</summary>
    public IReadOnlyList<Event> Find(EventQuery query) => store.FindEvents(query);

    /// <summary>
    /// When a boot question of any of the host's MAC addresses was last answered, as far as the recent events tell. A lease alone
    /// does not count: an installed system renews its own.
    /// </summary>
    public DateTimeOffset? LastAnswered(Host host)
    {
        DateTimeOffset? last = null;
        foreach (var mac in host.Spec.MacAddresses)
        {
            if (answered.TryGetValue(mac, out var at) && (last is null || at > last))
                last = at;
        }
        return last;
    }

    /// <summary>
    /// What <see cref="Find"/> gives, then each new event as it is committed, without a gap and in order, until cancelled. A slow
    /// reader is held up by nobody and holds up nobody: what it has not read yet stays in the store.
    /// </summary>
    public async IAsyncEnumerable<Event> FollowAsync(EventQuery query, [EnumeratorCancellation] CancellationToken ct = default)
    {
        var after = query.AfterId ?? store.LastEventId;
        if (query.AfterId is null)
        {
            foreach (var entry in store.FindEvents(query))
            {
                after = Math.Max(after, entry.Id);
                yield return entry;
            }
        }
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            // Taken before the store is asked, so that an event committed in between wakes us.
            var next = Volatile.Read(ref committed).Task;
            var last = store.LastEventId;
            var found = store.FindEvents(query with { AfterId = after, Limit = 500 });
            foreach (var entry in found)
            {
                after = Math.Max(after, entry.Id);
                yield return entry;
            }
            if (found.Count == 500)
                continue;
            after = Math.Max(after, last);
            await next.WaitAsync(ct);
        }
    }

    /// <summary>From the writer's lane: these are stored.</summary>
    internal void Committed(IReadOnlyList<Event> events)
    {
        if (events.Count == 0)
            return;
        Learn(events);
        Stored?.Invoke(events);
        Interlocked.Exchange(ref committed, NewSignal()).SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Learn(IReadOnlyList<Event> events)
    {
        // Bounded like the address book: anybody can make up MAC addresses.
        if (answered.Count > Networks.AddressBook.Capacity)
            answered.Clear();
        foreach (var entry in events)
        {
            if (entry is { Outcome: EventOutcome.Answered, Source: EventSource.ProxyDhcp or EventSource.Tftp or EventSource.Http, MacAddress: { } mac })
                answered[mac] = entry.At;
        }
    }
}
