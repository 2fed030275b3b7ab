using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Provisioner.Protocols;

namespace Provisioner.Boot.Dhcp;

/// <summary>This machine's interfaces with their IPv4 addresses, read in the background: names and addresses come and go.</summary>
internal sealed class HostInterfaces
{
    private volatile FrozenDictionary<int, HostInterface> byIndex = FrozenDictionary<int, HostInterface>.Empty;

    public HostInterface? Find(int index) => byIndex.GetValueOrDefault(index);

    public bool Has(string name) => byIndex.Values.Any(i => i.Name == name);

    /// <summary>Whether this machine owns the address, and so may send from it.</summary>
    public bool Owns(Ipv4Address address)
    {
        foreach (var candidate in byIndex.Values)
        {
            if (candidate.Addresses.Contains(address))
                return true;
        }
        return false;
    }

    public void Refresh()
    {
        var found = new Dictionary<int, HostInterface>();
        foreach (var network in NetworkInterface.GetAllNetworkInterfaces())
        {
            try
            {
                var properties = network.GetIPProperties();
                var addresses = properties.UnicastAddresses
                    .Where(a => a.Address.AddressFamily == AddressFamily.InterNetwork)
                    .Select(a => Ipv4Address.From(a.Address)).ToImmutableArray();
                // Not from /sys: what is mounted there may show another network namespace.
                found[properties.GetIPv4Properties().Index] = new HostInterface(network.Name, addresses);
            }
            catch (Exception e) when (e is NetworkInformationException or IOException or UnauthorizedAccessException)
            {
                // Gone while we looked; the next look will not see it.
            }
        }
        byIndex = found.ToFrozenDictionary();
    }
}

internal sealed record HostInterface(string Name, ImmutableArray<Ipv4Address> Addresses);
