namespace Provisioner.Protocols.Dhcp;

/// <summary>Option 53 (RFC 2132 §9.6).</summary>
public enum DhcpMessageType
{
    /// <summary>Not a DHCP message type.</summary>
    None = 0,

    /// <summary>Client broadcast to find servers.</summary>
    Discover = 1,

    /// <summary>Server's offer of parameters.</summary>
    Offer = 2,

    /// <summary>Client takes an offer, checks an address it had, or extends a lease.</summary>
    Request = 3,

    /// <summary>Client found the address in use.</summary>
    Decline = 4,

    /// <summary>Server commits.</summary>
    Ack = 5,

    /// <summary>Server tells the client that its address is wrong.</summary>
    Nak = 6,

    /// <summary>Client gives its address back.</summary>
    Release = 7,

    /// <summary>Client has an address and asks for the other parameters.</summary>
    Inform = 8,
}
