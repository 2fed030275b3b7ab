using System.Collections.Immutable;
using Provisioner.Audit;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Networks;

namespace Provisioner.Storage;

/// <summary>
/// Where everything is kept. Narrow on purpose, so that another database can take LiteDB's place. Writes come from the one
/// writer lane alone; reads from any thread.
/// </summary>
public interface IStore : IDisposable
{
    /// <summary>Everything but events and leases, as stored; certificates that are long over are only in the journal.</summary>
    Snapshot LoadSnapshot();

    /// <summary>All leases as stored, ended ones too: their addresses are given back to the same machine. For the DHCP service, at start.</summary>
    IReadOnlyList<Lease> LoadLeases();

    /// <summary>All Installations of a host, newest first.</summary>
    IReadOnlyList<Installation> LoadInstallations(string host);

    /// <summary>The greatest id given so far; 0 before the first event.</summary>
    long LastEventId { get; }

    /// <summary>Events in ascending order of id.</summary>
    IReadOnlyList<Event> FindEvents(EventQuery query);

    /// <summary>
    /// True once after a change that was not acknowledged turned out to be stored: the snapshot is to be loaded anew.
    /// </summary>
    /// <exception cref="StoreException">It cannot be opened yet.</exception>
    internal bool HasMoreThanAcknowledged();

    /// <summary>Writes all of it in one transaction or nothing.</summary>
    /// <returns>The events with the ids they were given.</returns>
    /// <exception cref="StoreException">Nothing was written, with the reason.</exception>
    internal IReadOnlyList<Event> Commit(Commit commit);

    /// <summary>Copies all that is stored, whole, into a directory from which a store opens. From the writer lane alone.</summary>
    /// <returns>How many changes are in it.</returns>
    /// <exception cref="StoreException">The store is damaged or closed, or the copy cannot be written.</exception>
    internal long CopyTo(string directory);

    /// <summary>Reads everything there is and says what is wrong with it; null when nothing is.</summary>
    internal string? FindDamage();

    /// <summary>Forgets the oldest events, those from before that time, at most so many at once.</summary>
    /// <returns>How many.</returns>
    internal int ForgetEvents(DateTimeOffset before, int most);
}

/// <summary>One transaction.</summary>
/// <param name="Revision">The snapshot's revision after it.</param>
/// <param name="Writes">Records to put, or to remove where the value is null.</param>
/// <param name="Audit">What the audit trail is to say of it.</param>
/// <param name="Durable">On the disk before it returns, whatever happens to the process or the machine then.</param>
internal sealed record Commit(long Revision, IReadOnlyDictionary<RecordKey, object?> Writes, IReadOnlyList<Event> Events, IReadOnlyList<AuditEntry> Audit, bool Durable);

/// <summary>Which events to find.</summary>
public sealed record EventQuery
{
    /// <summary>Events that name this host.</summary>
    public string? Host { get; init; }

    /// <summary>Events of these MAC addresses, besides those of <see cref="Host"/>; with neither, all events.</summary>
    public ImmutableArray<Protocols.MacAddress> MacAddresses { get; init; } = [];

    /// <summary>Only events with a greater id: the oldest of them first. Null: the newest.</summary>
    public long? AfterId { get; init; }

    /// <summary>At most so many, 1 to 10,000.</summary>
    public int Limit { get; init; } = 100;

    internal bool Matches(Event entry) =>
        (Host is null && MacAddresses.IsEmpty || Host is not null && entry.Host == Host
            || entry.MacAddress is { } mac && MacAddresses.Contains(mac))
        && (AfterId is null || entry.Id > AfterId);
}

/// <summary>The store cannot be opened or written, with the reason and what to do.</summary>
public sealed class StoreException(string message, Exception? cause = null) : Exception(message, cause)
{
    private const int NoSpace = 28, QuotaExceeded = 122, ReadOnlyFileSystem = 30; // ENOSPC, EDQUOT, EROFS, on every architecture of Linux

    /// <summary>There is no room: it passes when somebody makes some.</summary>
    public bool IsDiskFull => Errors().Any(e => e is NoSpace or QuotaExceeded);

    /// <summary>The disk takes no writes at all.</summary>
    public bool IsReadOnly => Errors().Any(e => e is ReadOnlyFileSystem);

    private IEnumerable<int> Errors()
    {
        // On Unix an IOException's HResult is the errno.
        for (var inner = InnerException; inner is not null; inner = inner.InnerException)
        {
            if (inner is IOException)
                yield return inner.HResult & 0xffff;
        }
    }
}
