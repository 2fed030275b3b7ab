using System.Collections.Immutable;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Storage;

namespace Provisioner.Boot.Dhcp;

/// <summary>Networks and static addresses as DHCP asks for them, made once for each change of Networks or Hosts.</summary>
internal sealed class NetworkIndex
{
    private readonly Snapshot source;
    private readonly ImmutableArray<Network> bySubnet;
    private readonly Dictionary<string, ImmutableArray<Network>> byInterface;
    private readonly Dictionary<Ipv4Address, string> reserved = [];

    public NetworkIndex(Snapshot snapshot)
    {
        source = snapshot;
        bySubnet = [.. snapshot.Networks.Values.OrderByDescending(n => n.Spec.Subnet.PrefixLength)];
        byInterface = snapshot.Networks.Values.Where(n => n.Spec.Interface is not null)
            .GroupBy(n => n.Spec.Interface!).ToDictionary(g => g.Key, g => g.ToImmutableArray());
        foreach (var host in snapshot.Hosts.Values)
        {
            if (host.Spec.Address is { } address)
                reserved[address] = host.Name;
        }
        foreach (var network in bySubnet)
        {
            foreach (var address in (ReadOnlySpan<Ipv4Address?>)[network.Spec.Advertise, network.Spec.Gateway, .. network.Spec.Dns, .. network.Spec.Ntp])
            {
                if (address is { } taken)
                    reserved[taken] = "";
            }
        }
    }

    /// <summary>Made from the same Networks and Hosts: other parts of a snapshot do not matter here.</summary>
    public bool IsCurrent(Snapshot snapshot) => ReferenceEquals(source.Networks, snapshot.Networks) && ReferenceEquals(source.Hosts, snapshot.Hosts);

    public bool AnyActive => bySubnet.Any(n => n.Spec.Dhcp != DhcpMode.Off);

    public ImmutableArray<Network> All => bySubnet;

    /// <summary>The Networks on an interface; empty when none names it.</summary>
    public ImmutableArray<Network> On(string interfaceName) => byInterface.GetValueOrDefault(interfaceName, []);

    /// <summary>The Network whose subnet holds the address, the longest prefix first.</summary>
    public Network? Containing(Ipv4Address address)
    {
        foreach (var network in bySubnet)
        {
            if (network.Spec.Subnet.Contains(address))
                return network;
        }
        return null;
    }

    /// <summary>Whether the range's address is kept for somebody: a host's static one, a gateway, a server, the appliance itself.</summary>
    public bool IsReserved(Ipv4Address address) => reserved.ContainsKey(address);
}
