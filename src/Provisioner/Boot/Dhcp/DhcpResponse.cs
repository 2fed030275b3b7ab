using Provisioner.Networks;
using Provisioner.Protocols;

namespace Provisioner.Boot.Dhcp;

/// <summary>What is done about a message. Closed.</summary>
/// <param name="Reason">Why, as a sentence for people; recorded with the answer.</param>
internal abstract record DhcpResponse(string Reason)
{
    /// <summary>The Network it was asked on; null when none is known.</summary>
    public Network? Network { get; init; }

    /// <summary>The boot file named in the answer.</summary>
    public string? File { get; init; }

    /// <param name="Address">0.0.0.0 for a proxy offer.</param>
    /// <param name="Length">Bytes written into the caller's buffer.</param>
    public sealed record Offer(Ipv4Address Address, int Length, DhcpDelivery Delivery, string Reason) : DhcpResponse(Reason);

    /// <param name="Address">The client's address; 0.0.0.0 when it is not known.</param>
    public sealed record Ack(Ipv4Address Address, int Length, DhcpDelivery Delivery, string Reason) : DhcpResponse(Reason);

    public sealed record Nak(int Length, DhcpDelivery Delivery, string Reason) : DhcpResponse(Reason);

    /// <summary>Nothing is sent, on purpose.</summary>
    public sealed record Silent(string Reason) : DhcpResponse(Reason);

    /// <summary>The wire is asked whether the address is taken; ask again when that is known.</summary>
    /// <param name="FoundTaken">Another one was just found taken, which is worth a record.</param>
    public sealed record Probing(Ipv4Address Address, bool FoundTaken, string Reason) : DhcpResponse(Reason);
}

internal enum DhcpDeliveryKind
{
    /// <summary>To the relay's address and the server port.</summary>
    Relay,

    /// <summary>To an address that answers ARP.</summary>
    Unicast,

    /// <summary>To 255.255.255.255 out of one interface.</summary>
    Broadcast,

    /// <summary>To an address that does not answer ARP yet, framed for the client's MAC address.</summary>
    Raw,
}

/// <summary>Where an answer goes (RFC 2131 §4.1).</summary>
/// <param name="To">The IP destination.</param>
/// <param name="MacAddress">The Ethernet destination, for <see cref="DhcpDeliveryKind.Raw"/>.</param>
/// <param name="From">The address advertised on the Network: the source address wherever this machine owns it.</param>
/// <param name="InterfaceIndex">The interface to leave by; 0 leaves it to the routing table.</param>
internal readonly record struct DhcpDelivery(DhcpDeliveryKind Kind, Ipv4Address To, int Port, MacAddress MacAddress, Ipv4Address From, int InterfaceIndex)
{
    public override string ToString() => Kind switch
    {
        DhcpDeliveryKind.Relay => $"relay {To}:{Port} from {From}",
        DhcpDeliveryKind.Broadcast => $"broadcast {To}:{Port} from {From} out of interface {InterfaceIndex}",
        DhcpDeliveryKind.Raw => $"raw {MacAddress} {To}:{Port} from {From} out of interface {InterfaceIndex}",
        _ => $"unicast {To}:{Port} from {From}{(InterfaceIndex == 0 ? "" : $" out of interface {InterfaceIndex}")}",
    };
}
