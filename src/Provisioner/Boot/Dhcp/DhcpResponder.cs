using System.Collections.Immutable;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;
using Provisioner.Storage;

namespace Provisioner.Boot.Dhcp;

/// <summary>
/// Answers DHCP, proxyDHCP and PXE questions. All it knows comes in with the question; what it changes is the lease table and the
/// address book. Never waits, never throws on a client's words.
/// </summary>
internal sealed class DhcpResponder(
    DhcpSettings settings,
    LeaseTable leases,
    AddressBook addressBook,
    Func<BootRequest, Snapshot, DateTimeOffset, BootDecision> decide,
    AddressProbe probe)
{
    private readonly ReserveMode reserve = new(settings, leases, addressBook, probe);
    private readonly ProxyMode proxy = new(settings, addressBook);
    private NetworkIndex index = new(Snapshot.Empty);

    /// <summary>Answers one message.</summary>
    /// <param name="packet">What was asked.</param>
    /// <param name="ingress">How it reached us.</param>
    /// <param name="snapshot">What is registered.</param>
    /// <param name="now">The time of the answer.</param>
    /// <param name="buffer">Where the answer is written: <see cref="DhcpPacket.MaximumLength"/> bytes.</param>
    public DhcpResponse Respond(in DhcpPacket packet, in DhcpIngress ingress, Snapshot snapshot, DateTimeOffset now, Span<byte> buffer)
    {
        if (packet.Op != 1)
            return new DhcpResponse.Silent("it is another server's answer (op 2)");
        if (!TryFindNetwork(packet, ingress, IndexOf(snapshot), out var network, out var reason))
            return new DhcpResponse.Silent(reason) { Network = network };
        var server = ServerAddress(network!, ingress);
        if (server.IsAny)
        {
            return new DhcpResponse.Silent(
                $"{ingress.InterfaceName} has no address in {network!.Spec.Subnet}: give it one, or set 'advertise' on Network {network.Name}") { Network = network };
        }
        // RFC 5107: the relay wants to stay in the way of renewals.
        var overriding = packet.Giaddr.IsAny ? default : packet.RelayAddress(RelayAgentOption.ServerIdentifierOverride);
        var question = new DhcpQuestion
        {
            Packet = packet,
            Ingress = ingress,
            Client = DhcpClient.From(packet),
            Network = network!,
            Server = server,
            ServerIdentifier = overriding.IsAny ? server : overriding,
            Host = snapshot.FindHost(packet.Chaddr),
            Snapshot = snapshot,
            Now = now,
            Buffer = buffer,
        };
        var response = ingress.IsProxyPort ? proxy.RespondOnProxyPort(question, Decide(question))
            : network!.Spec.Dhcp == DhcpMode.Proxy ? proxy.Respond(question, Decide(question))
            : reserve.Respond(question, Decide(question), IndexOf(snapshot));
        return response with { Network = network };
    }

    /// <summary>Networks as they are now; for the service, too.</summary>
    public NetworkIndex IndexOf(Snapshot snapshot)
    {
        var current = Volatile.Read(ref index);
        if (current.IsCurrent(snapshot))
            return current;
        current = new NetworkIndex(snapshot);
        Volatile.Write(ref index, current);
        leases.ReservationsChanged();
        return current;
    }

    private BootDecision Decide(in DhcpQuestion question) => decide(
        new BootRequest
        {
            Step = BootStep.BootFile,
            MacAddress = question.MacAddress,
            Architecture = question.Client.Architecture,
            Client = question.Client.Kind,
            Endpoint = new BootEndpoint(question.Server, settings.HttpPort),
            DhcpMode = question.Network.Spec.Dhcp,
            IpxeHasHttp = question.Packet.IpxeHasHttp,
        },
        question.Snapshot,
        question.Now);

    private static bool TryFindNetwork(in DhcpPacket packet, in DhcpIngress ingress, NetworkIndex index, out Network? network, out string reason)
    {
        network = null;
        reason = "";
        if (!packet.Giaddr.IsAny)
        {
            // RFC 3527: giaddr may be any address of the relay; the subnet is then in 82.5.
            var link = packet.RelayAddress(RelayAgentOption.LinkSelection);
            var subnet = link.IsAny ? packet.Giaddr : link;
            network = index.Containing(subnet);
            if (network is null)
            {
                reason = link.IsAny
                    ? $"relay {packet.Giaddr} is on no Network: register one with its subnet"
                    : $"the subnet {link} that relay {packet.Giaddr} names (82.5) is on no Network: register one with it";
            }
        }
        else
        {
            var here = index.On(ingress.InterfaceName);
            // A routed client that renews or asks on 4011 comes by any interface, and says where it is.
            network = Among(here, packet.Ciaddr) ?? (packet.Ciaddr.IsAny ? null : index.Containing(packet.Ciaddr) is { Spec.Interface: null } routed ? routed : null)
                ?? Among(here, packet.Address(DhcpOption.RequestedAddress)) ?? Here(here, ingress.InterfaceAddresses);
            if (network is null)
                reason = $"no Network names the interface {ingress.InterfaceName}";
        }
        if (network is { Spec.Dhcp: DhcpMode.Off })
            reason = $"DHCP is off on Network {network.Name}";
        return reason.Length == 0;
    }

    private static Network? Among(ImmutableArray<Network> networks, Ipv4Address address)
    {
        if (address.IsAny)
            return null;
        foreach (var network in networks)
        {
            if (network.Spec.Dhcp != DhcpMode.Off && network.Spec.Subnet.Contains(address))
                return network;
        }
        return null;
    }

    /// <summary>The Network of this link; of several the first that is not off and that the interface has an address in.</summary>
    private static Network? Here(ImmutableArray<Network> networks, ImmutableArray<Ipv4Address> addresses)
    {
        Network? best = null;
        var bestRank = -1;
        foreach (var network in networks)
        {
            var rank = network.Spec.Dhcp == DhcpMode.Off ? 0 : 1;
            if (rank == 1 && HasAddressIn(addresses, network))
                rank = 2;
            if (rank > bestRank)
                (best, bestRank) = (network, rank);
        }
        return best;
    }

    private static bool HasAddressIn(ImmutableArray<Ipv4Address> addresses, Network network)
    {
        foreach (var address in addresses)
        {
            if (network.Spec.Subnet.Contains(address))
                return true;
        }
        return false;
    }

    /// <summary>Never the machine's first address: the one the client can reach.</summary>
    private static Ipv4Address ServerAddress(Network network, in DhcpIngress ingress)
    {
        if (network.Spec.Advertise is { } advertised)
            return advertised;
        if (network.Spec.Subnet.Contains(ingress.LocalAddress))
            return ingress.LocalAddress;
        foreach (var address in ingress.InterfaceAddresses)
        {
            if (network.Spec.Subnet.Contains(address))
                return address;
        }
        // Behind a relay none of ours is in the subnet: the address the relay sent it to.
        return network.Spec.Interface is null ? ingress.LocalAddress : default;
    }
}
