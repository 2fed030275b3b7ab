using Provisioner.Storage;

namespace Provisioner.Events;

/// <summary>The events as they are read: by the API, the console and <c>provisioner events</c>.</summary>
public sealed class EventLog(IStore store, CurrentState state)
{
    /// <summary>The query for a host: its own events and those of its MAC addresses.</summary>
    public EventQuery ForHost(string host) => new()
    {
        Host = host,
        MacAddresses = state.Snapshot.Hosts.GetValueOrDefault(host)?.Spec.MacAddresses ?? [],
    };

    /// <summary>Finds stored events, in ascending order of id.</summary>
    public IReadOnlyList<Event> Find(EventQuery query) => store.FindEvents(query);

    /// <summary>When a boot question of any of the host's MAC addresses was last answered, as far as the recent events tell.</summary>
    public DateTimeOffset? LastAnswered(Host host) => throw new NotSupportedException("Not there yet");

    /// <summary>What <see cref="Find"/> gives, then each new event as it is committed, without a gap, until cancelled.</summary>
    public IAsyncEnumerable<Event> FollowAsync(EventQuery query, CancellationToken ct = default) => throw new NotSupportedException("Not there yet");
}
