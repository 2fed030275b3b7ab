using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Provisioner.Protocols.Dhcp;

namespace Provisioner.Boot.Dhcp;

/// <summary>
/// Sends a datagram to a MAC address whose IP address does not answer ARP yet: a packet socket (packet(7)) that the kernel puts an
/// Ethernet header on. Needs CAP_NET_RAW.
/// </summary>
/// <remarks>Used by one thread.</remarks>
internal sealed class RawSender : IDisposable
{
    private const int EtherTypeIpv4 = 0x0800;

    private readonly Socket socket;
    private readonly byte[] frame = new byte[UdpFrame.HeaderLength + DhcpPacket.MaximumLength];
    private readonly SocketAddress address = new(AddressFamily.Packet, 20);

    /// <exception cref="SocketException">Not permitted.</exception>
    public RawSender()
    {
        // No protocol: it sends and hears nothing.
        socket = new Socket(AddressFamily.Packet, SocketType.Dgram, ProtocolType.Unspecified);
    }

    /// <exception cref="SocketException">The interface is gone or down.</exception>
    public void Send(ReadOnlySpan<byte> payload, in DhcpDelivery delivery, int fromPort)
    {
        var length = UdpFrame.Write(frame, delivery.From, fromPort, delivery.To, delivery.Port, payload);
        // struct sockaddr_ll: family, protocol (network order), ifindex, hatype, pkttype, halen, addr[8].
        var link = address.Buffer.Span;
        link[2..].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(link[2..], EtherTypeIpv4);
        BitConverter.TryWriteBytes(link[4..], delivery.InterfaceIndex);
        link[11] = 6;
        delivery.MacAddress.CopyTo(link[12..]);
        socket.SendTo(frame.AsSpan(0, length), SocketFlags.None, address);
    }

    public void Dispose() => socket.Dispose();
}
