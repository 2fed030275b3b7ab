using System.Net.NetworkInformation;
using System.Net.Sockets;
using Provisioner.Appliance;
using Provisioner.Joining;
using Provisioner.Networks;
using Provisioner.Protocols;

namespace Provisioner.Doctor;

/// <summary>What listens, and on which wires.</summary>
internal static class NetworkChecks
{
    public static IEnumerable<Finding> Ports(IEnumerable<Plane> planes, IEnumerable<Network> networks)
    {
        var wantsDhcp = networks.Any(n => n.Spec.Dhcp != DhcpMode.Off);
        foreach (var group in planes.GroupBy(p => p.Name, StringComparer.Ordinal))
        {
            foreach (var plane in group)
            {
                var code = group.Count() == 1 ? $"port:{plane.Name}" : $"port:{plane.Name}:{plane.At.Split(':')[^1]}";
                yield return plane.Listens ? new Finding(code, Verdict.Pass, $"{plane.Name} listens on {plane.At}.", "", "")
                    : plane.Name == "dhcp" && !wantsDhcp ? new Finding(code, Verdict.Skip, $"{plane.At} is not listened on: {plane.Reason}.", "", "")
                    : new Finding(code, Verdict.Fail, $"{plane.Name} does not listen on {plane.At}: {plane.Reason}.", "Servers that ask there get no answer.", "Do what the reason says; the service tries again by itself.");
            }
        }
    }

    public static IEnumerable<Finding> Interfaces(IReadOnlyList<Network> networks)
    {
        var here = NetworkInterface.GetAllNetworkInterfaces();
        foreach (var network in networks.Where(n => n.Spec.Interface is not null))
            yield return Of(network, here.FirstOrDefault(i => i.Name == network.Spec.Interface));
    }

    private static Finding Of(Network network, NetworkInterface? found)
    {
        var (code, name) = ($"interface:{network.Spec.Interface}", network.Spec.Interface!);
        var breaks = $"Servers of Network {network.Name} do not reach the appliance.";
        if (found is null)
            return new Finding(code, Verdict.Fail, $"Network {network.Name} is on {name}, and this machine has no such interface.", breaks, $"Connect it, or correct spec.interface of Network {network.Name}. It is served as soon as it is there.");
        if (found.OperationalStatus is OperationalStatus.Down or OperationalStatus.LowerLayerDown or OperationalStatus.NotPresent)
            return new Finding(code, Verdict.Fail, $"{name} is down ({found.OperationalStatus}).", breaks, $"'ip link set {name} up'; if it is up, see the cable and the switch's port: there is no carrier.");
        var addresses = AddressesOf(found);
        var inside = addresses.Where(network.Spec.Subnet.Contains).ToList();
        if (inside.Count == 0)
        {
            return new Finding(code, Verdict.Fail, $"{name} has no address in {network.Spec.Subnet} ({(addresses.Count == 0 ? "it has none" : $"it has {string.Join(", ", addresses)}")}).", breaks,
                $"Give it one, such as 'ip address add {network.Spec.Advertise?.ToString() ?? "ADDRESS"}/{network.Spec.Subnet.PrefixLength} dev {name}', in the machine's network configuration.");
        }
        return network.Spec.Advertise is { } advertised && network.Spec.Subnet.Contains(advertised) && !addresses.Contains(advertised)
            ? new Finding(code, Verdict.Warn, $"Network {network.Name} advertises {advertised}, and {name} has {string.Join(", ", inside)}.", "Servers ask at an address that may be nobody's, unless a load balancer has it.", $"Correct spec.advertise of Network {network.Name}, or give {name} that address.")
            : new Finding(code, Verdict.Pass, $"{name} is up, with {string.Join(", ", inside)}.", "", "");
    }

    private static List<Ipv4Address> AddressesOf(NetworkInterface found)
    {
        try
        {
            return [.. found.GetIPProperties().UnicastAddresses.Where(a => a.Address.AddressFamily == AddressFamily.InterNetwork).Select(a => Ipv4Address.From(a.Address))];
        }
        catch (Exception e) when (e is NetworkInformationException or IOException)
        {
            return []; // Gone while we looked.
        }
    }
}
