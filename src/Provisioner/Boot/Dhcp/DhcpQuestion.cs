using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;
using Provisioner.Storage;

namespace Provisioner.Boot.Dhcp;

/// <summary>One message with everything needed to answer it.</summary>
internal readonly ref struct DhcpQuestion
{
    public required DhcpPacket Packet { get; init; }

    public required DhcpIngress Ingress { get; init; }

    public required DhcpClient Client { get; init; }

    public required Network Network { get; init; }

    /// <summary>Our address as the client reaches it: source, siaddr, URLs.</summary>
    public required Ipv4Address Server { get; init; }

    /// <summary>Option 54: the same, unless the relay names another (RFC 5107).</summary>
    public required Ipv4Address ServerIdentifier { get; init; }

    public required Host? Host { get; init; }

    public required Snapshot Snapshot { get; init; }

    public required DateTimeOffset Now { get; init; }

    /// <summary>Where the answer is written.</summary>
    public required Span<byte> Buffer { get; init; }

    public MacAddress MacAddress => Client.MacAddress;

    /// <summary>Whether option 54 means us. Several of our addresses may stand on one interface.</summary>
    public bool NamesUs(Ipv4Address identifier) =>
        identifier == ServerIdentifier || identifier == Server || Ingress.InterfaceAddresses.Contains(identifier);

    /// <summary>Silence on this Network.</summary>
    public DhcpResponse.Silent Silent(string reason) => new(reason) { Network = Network };

    /// <summary>
    /// Where an answer goes (RFC 2131 §4.1). A relay gets it at the server port; a NAK goes to everybody, because the client's address
    /// is wrong; a client with an address gets it there; one that asks for a broadcast gets 255.255.255.255, not the subnet's
    /// own broadcast address (PyPXE#190); the rest a frame of its own, because it cannot answer ARP yet.
    /// </summary>
    public DhcpDelivery Deliver(DhcpSettings settings, DhcpMessageType type, Ipv4Address yiaddr)
    {
        // Out of the ingress interface where the client is on its link; a routed one is left to the routing table.
        var link = Network.Spec.Interface is not null ? Ingress.InterfaceIndex : 0;
        if (!Packet.Giaddr.IsAny)
            return new(DhcpDeliveryKind.Relay, Packet.Giaddr, settings.ServerPort, default, Server, 0);
        if (type == DhcpMessageType.Nak)
            return new(DhcpDeliveryKind.Broadcast, Ipv4Address.Broadcast, settings.ClientPort, default, Server, Ingress.InterfaceIndex);
        // On 4011 a client may ask from a port of its own, and listens there.
        if (Ingress.IsProxyPort && !Ingress.RemoteAddress.IsAny)
            return new(DhcpDeliveryKind.Unicast, Ingress.RemoteAddress, Ingress.RemotePort, default, Server, link);
        if (!Packet.Ciaddr.IsAny)
            return new(DhcpDeliveryKind.Unicast, Packet.Ciaddr, settings.ClientPort, default, Server, link);
        // A proxy offer gives no address to frame it for.
        if (Packet.WantsBroadcast || yiaddr.IsAny)
            return new(DhcpDeliveryKind.Broadcast, Ipv4Address.Broadcast, settings.ClientPort, default, Server, Ingress.InterfaceIndex);
        return new(DhcpDeliveryKind.Raw, yiaddr, settings.ClientPort, MacAddress, Server, Ingress.InterfaceIndex);
    }
}
