using Provisioner.Protocols;

namespace Provisioner.Networks.Sockets;

/// <summary>Where a datagram came from and where it reached us.</summary>
/// <param name="RemoteAddress">The sender; 0.0.0.0 for a DHCP client without an address.</param>
/// <param name="LocalAddress">Our own address to answer from: the destination of a unicast, the interface's address for a broadcast.</param>
/// <param name="InterfaceIndex">The interface it came in by.</param>
internal readonly record struct DatagramInfo(Ipv4Address RemoteAddress, int RemotePort, Ipv4Address LocalAddress, int InterfaceIndex)
{
    /// <summary>The destination as the sender wrote it, such as 255.255.255.255.</summary>
    public Ipv4Address Destination { get; init; }
}
