using System.Collections.Concurrent;
using Provisioner.Protocols;

namespace Provisioner.Networks;

/// <summary>
/// Which machine was last seen at an address, learned from DHCP. TFTP and HTTP carry no MAC address; this is how they know
/// whom they talk to. It selects, it never authorises.
/// </summary>
/// <remarks>Safe for any number of readers and writers. Bounded: past <see cref="Capacity"/> it starts anew and learns again.</remarks>
public sealed class AddressBook
{
    public const int Capacity = 65_536;

    private readonly ConcurrentDictionary<Ipv4Address, MacAddress> seen = new();

    public void Learn(Ipv4Address address, MacAddress mac)
    {
        if (address.IsAny || mac.IsZero)
            return;
        if (seen.Count >= Capacity)
            seen.Clear();
        seen[address] = mac;
    }

    public MacAddress? Find(Ipv4Address address) => seen.TryGetValue(address, out var mac) ? mac : null;
}
