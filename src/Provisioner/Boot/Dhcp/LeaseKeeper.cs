using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Protocols;

namespace Provisioner.Boot.Dhcp;

/// <summary>
/// Takes lease changes off the packet path and gives them to the store at its own pace. Of several changes to one address the
/// latest is kept, so what waits here is bounded by the number of addresses.
/// </summary>
/// <remarks>
/// A lease is acknowledged before it is stored: a crash loses the last fraction of a second. The client then renews an address that
/// is unknown but free and keeps it, and the wire is asked before it is offered to another.
/// </remarks>
internal sealed class LeaseKeeper(BootJournal journal)
{
    /// <summary>The journal's other half stays free for events.</summary>
    private const int MostInJournal = 4_096;

    private readonly Lock gate = new();
    private readonly Dictionary<Ipv4Address, Lease> changed = [];

    public void Keep(Lease lease)
    {
        lock (gate)
            changed[lease.Address] = lease;
    }

    /// <summary>Hands on what the journal has room for; the number left.</summary>
    public int Flush()
    {
        lock (gate)
        {
            foreach (var (address, lease) in changed)
            {
                if (journal.Reader.Count >= MostInJournal)
                    break;
                journal.Record(lease);
                changed.Remove(address);
            }
            return changed.Count;
        }
    }
}
