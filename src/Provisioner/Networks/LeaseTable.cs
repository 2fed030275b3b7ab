using System.Collections.Immutable;
using Provisioner.Protocols;

namespace Provisioner.Networks;

/// <summary>
/// Who has which address, in memory. Offers are held here for a short time; leases, releases and declined addresses are told to
/// <c>changed</c>, which keeps them for the next start and must not wait.
/// </summary>
/// <remarks>
/// Safe for several threads. Finding an address takes constant time while there are unused ones, and logarithmic time after that:
/// then the one that ended longest ago is given away, so that a machine that comes back finds its address again.
/// </remarks>
/// <param name="changed">Called inside the table's lock, with each lease that is to survive a restart.</param>
public sealed class LeaseTable(Action<Lease> changed)
{
    private readonly Lock gate = new();
    private readonly Dictionary<Ipv4Address, Entry> byAddress = [];
    private readonly Dictionary<(MacAddress, string), Entry> byClient = [];
    private readonly Dictionary<string, Pool> pools = [];

    private enum State
    {
        Offered,
        Leased,
        Resting,
    }

    /// <summary>Takes over what was stored. Ended leases count too: they say who had an address last.</summary>
    public void Load(IEnumerable<Lease> leases)
    {
        lock (gate)
        {
            foreach (var lease in leases.OrderBy(l => l.EndsAt))
            {
                var entry = new Entry(lease.Address, lease.Network)
                {
                    Mac = lease.MacAddress,
                    EndsAt = lease.EndsAt,
                    State = lease.Declined ? State.Resting : State.Leased,
                    HostName = lease.HostName,
                };
                byAddress[lease.Address] = entry;
                if (!lease.Declined)
                    byClient[(lease.MacAddress, lease.Network)] = entry;
            }
        }
    }

    /// <summary>Leases and resting addresses that have not ended.</summary>
    public ImmutableArray<Lease> Active(DateTimeOffset now)
    {
        lock (gate)
            return [.. byAddress.Values.Where(e => e.State != State.Offered && e.EndsAt > now).OrderBy(e => e.Address).Select(ToLease)];
    }

    /// <summary>The address that was offered or leased last to this machine on this Network, ended or not; null when there is none.</summary>
    public Ipv4Address? AddressOf(MacAddress mac, string network)
    {
        lock (gate)
            return byClient.TryGetValue((mac, network), out var entry) ? entry.Address : null;
    }

    /// <summary>Whether the machine holds a lease of this address that has not ended.</summary>
    public bool HasLease(MacAddress mac, Ipv4Address address, DateTimeOffset now)
    {
        lock (gate)
            return byAddress.TryGetValue(address, out var entry) && entry.Mac == mac && entry.State == State.Leased && entry.EndsAt > now;
    }

    /// <summary>Whether the machine may have this address: it is its own, or nobody's.</summary>
    public bool IsFreeFor(MacAddress mac, Ipv4Address address, DateTimeOffset now)
    {
        lock (gate)
            return IsFree(mac, address, now);
    }

    /// <summary>Holds one particular address for a machine, as for a host's static one. False when another holds it or it rests.</summary>
    public bool TryHold(MacAddress mac, string network, Ipv4Address address, DateTimeOffset now, TimeSpan hold)
    {
        lock (gate)
        {
            if (!IsFree(mac, address, now))
                return false;
            Hold(mac, network, address, now, hold);
            return true;
        }
    }

    /// <summary>
    /// Chooses an address and holds it (RFC 2131 §4.3.1): the one it has or had, the one it asks for, one that was never used,
    /// the one that ended longest ago.
    /// </summary>
    /// <param name="requested">Option 50, or 0.0.0.0.</param>
    /// <param name="isReserved">Addresses in the range that belong to somebody else: static ones, the gateway, our own.</param>
    /// <returns>Null when the range is used up.</returns>
    public Ipv4Address? Hold(MacAddress mac, string network, Ipv4Range range, Ipv4Address requested, Func<Ipv4Address, bool> isReserved, DateTimeOffset now, TimeSpan hold)
    {
        lock (gate)
        {
            if (byClient.TryGetValue((mac, network), out var known) && range.Contains(known.Address) && !isReserved(known.Address) && IsFree(mac, known.Address, now))
                return Hold(mac, network, known.Address, now, hold);
            if (!requested.IsAny && range.Contains(requested) && !isReserved(requested) && IsFree(mac, requested, now))
                return Hold(mac, network, requested, now, hold);

            var pool = PoolOf(network, range);
            while (pool.Next is { } next)
            {
                pool.Next = next == range.To ? null : new Ipv4Address(next.Bits + 1);
                if (!byAddress.ContainsKey(next) && !isReserved(next))
                    return Hold(mac, network, next, now, hold);
            }
            while (pool.ByEnd.Count > 0)
            {
                var (endsAt, address) = pool.ByEnd.Min;
                if (endsAt > now)
                    break;
                if (!isReserved(address))
                    return Hold(mac, network, address, now, hold);
                pool.ByEnd.Remove((endsAt, address));
            }
            return null;
        }
    }

    /// <summary>Leases an address to a machine. False when it is another's.</summary>
    public bool TryLease(MacAddress mac, string network, Ipv4Address address, DateTimeOffset endsAt, string? hostName, DateTimeOffset now)
    {
        lock (gate)
        {
            if (!IsFree(mac, address, now))
                return false;
            var entry = Take(mac, network, address);
            Change(entry, State.Leased, endsAt);
            entry.HostName = hostName;
            changed(ToLease(entry));
            return true;
        }
    }

    /// <summary>Gives an offer up: the machine took another server's (RFC 2131 §3.1.4).</summary>
    public void Withdraw(MacAddress mac, string network, DateTimeOffset now)
    {
        lock (gate)
        {
            if (byClient.TryGetValue((mac, network), out var entry) && entry.State == State.Offered)
                Change(entry, State.Offered, now);
        }
    }

    /// <summary>Ends a lease (RFC 2131 §4.3.4). The machine keeps first call on the address. False when it has no such lease.</summary>
    public bool Release(MacAddress mac, Ipv4Address address, DateTimeOffset now)
    {
        lock (gate)
        {
            if (!byAddress.TryGetValue(address, out var entry) || entry.Mac != mac || entry.State != State.Leased || entry.EndsAt <= now)
                return false;
            Change(entry, State.Leased, now);
            changed(ToLease(entry));
            return true;
        }
    }

    /// <summary>Leaves an address alone for a while: it is in use by somebody we do not know (RFC 2131 §4.3.3).</summary>
    public void Rest(MacAddress reporter, string network, Ipv4Address address, DateTimeOffset until)
    {
        lock (gate)
        {
            var entry = Take(reporter, network, address);
            byClient.Remove((reporter, network));
            Change(entry, State.Resting, until);
            entry.HostName = null;
            changed(ToLease(entry));
        }
    }

    /// <summary>Looks at whole ranges anew: which addresses are reserved has changed.</summary>
    public void ReservationsChanged()
    {
        lock (gate)
            pools.Clear();
    }

    private bool IsFree(MacAddress mac, Ipv4Address address, DateTimeOffset now) =>
        !byAddress.TryGetValue(address, out var entry) || entry.EndsAt <= now || entry.Mac == mac && entry.State != State.Resting;

    private Ipv4Address Hold(MacAddress mac, string network, Ipv4Address address, DateTimeOffset now, TimeSpan hold)
    {
        var entry = Take(mac, network, address);
        // An offer of the address it has leaves the lease as it is.
        if (entry.State != State.Leased || entry.EndsAt <= now)
            Change(entry, State.Offered, now + hold);
        return address;
    }

    private Entry Take(MacAddress mac, string network, Ipv4Address address)
    {
        if (!byAddress.TryGetValue(address, out var entry) || entry.Network != network)
        {
            if (entry is not null)
                Forget(entry);
            byAddress[address] = entry = new Entry(address, network);
        }
        else if (entry.Mac != mac)
        {
            if (byClient.TryGetValue((entry.Mac, network), out var other) && other == entry)
                byClient.Remove((entry.Mac, network));
            entry.State = State.Offered;
            entry.HostName = null;
        }
        entry.Mac = mac;
        byClient[(mac, network)] = entry;
        return entry;
    }

    private void Forget(Entry entry)
    {
        if (pools.TryGetValue(entry.Network, out var pool))
            pool.ByEnd.Remove((entry.EndsAt, entry.Address));
        if (byClient.TryGetValue((entry.Mac, entry.Network), out var mapped) && mapped == entry)
            byClient.Remove((entry.Mac, entry.Network));
    }

    private void Change(Entry entry, State state, DateTimeOffset endsAt)
    {
        if (pools.TryGetValue(entry.Network, out var pool) && pool.Range.Contains(entry.Address))
        {
            pool.ByEnd.Remove((entry.EndsAt, entry.Address));
            pool.ByEnd.Add((endsAt, entry.Address));
        }
        entry.State = state;
        entry.EndsAt = endsAt;
    }

    private Pool PoolOf(string network, Ipv4Range range)
    {
        if (pools.TryGetValue(network, out var pool) && pool.Range == range)
            return pool;
        pool = new Pool(range);
        foreach (var entry in byAddress.Values)
        {
            if (entry.Network == network && range.Contains(entry.Address))
                pool.ByEnd.Add((entry.EndsAt, entry.Address));
        }
        return pools[network] = pool;
    }

    private static Lease ToLease(Entry entry) => new(entry.Address, entry.Mac, entry.Network, entry.EndsAt)
    {
        Declined = entry.State == State.Resting,
        HostName = entry.HostName,
    };

    private sealed class Entry(Ipv4Address address, string network)
    {
        public Ipv4Address Address { get; } = address;
        public string Network { get; } = network;
        public MacAddress Mac { get; set; }
        public DateTimeOffset EndsAt { get; set; }
        public State State { get; set; }
        public string? HostName { get; set; }
    }

    /// <param name="range">What it was made for; another range makes another pool.</param>
    private sealed class Pool(Ipv4Range range)
    {
        public Ipv4Range Range { get; } = range;

        /// <summary>The first address that was not yet looked at; null when all were.</summary>
        public Ipv4Address? Next { get; set; } = range.From;

        public SortedSet<(DateTimeOffset EndsAt, Ipv4Address Address)> ByEnd { get; } = [];
    }
}
