using System.Threading.Channels;
using Provisioner.Hosts;
using Provisioner.Protocols;

namespace Provisioner.Events;

/// <summary>What an unregistered machine just said of itself; fields it did not say are null and leave the record as it was.</summary>
public sealed record Sighting(MacAddress MacAddress, DateTimeOffset At)
{
    public string? Architecture { get; init; }

    public string? Uuid { get; init; }

    public string? VendorClass { get; init; }

    public string? Serial { get; init; }

    public string? Product { get; init; }

    public string? Manufacturer { get; init; }

    public string? Address { get; init; }

    public string? Network { get; init; }

    /// <summary>The record after this sighting.</summary>
    public Discovered Merge(Discovered? before, string? vendor) => new(MacAddress)
    {
        Vendor = vendor ?? before?.Vendor,
        Architecture = Architecture ?? before?.Architecture,
        Uuid = Uuid ?? before?.Uuid,
        VendorClass = VendorClass ?? before?.VendorClass,
        Serial = Serial ?? before?.Serial,
        Product = Product ?? before?.Product,
        Manufacturer = Manufacturer ?? before?.Manufacturer,
        Address = Address ?? before?.Address,
        Network = Network ?? before?.Network,
        FirstSeen = before?.FirstSeen ?? At,
        IgnoredAt = before?.IgnoredAt,
        LastSeen = At,
        Times = (before?.Times ?? 0) + 1,
    };
}

/// <summary>
/// The way from the packet path to the store: a bounded queue that never makes the sender wait. When it is full the newest
/// entry is dropped and counted, because an answer on the wire matters more than its record.
/// </summary>
public sealed class BootJournal
{
    private readonly Channel<object> queue = Channel.CreateBounded<object>(new BoundedChannelOptions(8192)
    {
        SingleReader = true,
        FullMode = BoundedChannelFullMode.Wait,
    });

    private long dropped;

    /// <summary>Entries lost because the store did not keep up, since the start.</summary>
    public long Dropped => Interlocked.Read(ref dropped);

    /// <summary>The store's end: <see cref="Event"/>, <see cref="Sighting"/> and <see cref="Networks.Lease"/> values in the order they came.</summary>
    public ChannelReader<object> Reader => queue.Reader;

    public void Record(Event entry) => Add(entry);

    public void Record(Sighting sighting) => Add(sighting);

    /// <summary>
    /// Keeps a lease as it is now; a later one for the same address replaces it. <see cref="Storage.IStore.LoadLeases"/> gives them back at start.
    /// </summary>
    public void Record(Networks.Lease lease) => Add(lease);

    private void Add(object entry)
    {
        if (!queue.Writer.TryWrite(entry))
            Interlocked.Increment(ref dropped);
    }
}
