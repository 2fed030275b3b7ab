using System.Buffers.Binary;

namespace Provisioner.Protocols.Dhcp;

/// <summary>
/// Wraps a payload in IPv4 and UDP headers, for a packet socket: the only way to reach a client that has been promised an address
/// but does not answer ARP for it yet (RFC 2131 §4.1).
/// </summary>
public static class UdpFrame
{
    /// <summary>Bytes in front of the payload: IPv4 (20, RFC 791) and UDP (8, RFC 768).</summary>
    public const int HeaderLength = 28;

    /// <summary>Writes headers and payload.</summary>
    /// <returns>The packet's length, <see cref="HeaderLength"/> more than the payload's.</returns>
    /// <exception cref="ArgumentException">The destination is too small.</exception>
    public static int Write(Span<byte> destination, Ipv4Address from, int fromPort, Ipv4Address to, int toPort, ReadOnlySpan<byte> payload)
    {
        var length = HeaderLength + payload.Length;
        if (destination.Length < length || length > ushort.MaxValue)
            throw new ArgumentException("No room for the packet.", nameof(destination));
        var ip = destination[..20];
        ip.Clear();
        ip[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)length);
        ip[6] = 0x40; // do not fragment
        ip[8] = 64;
        ip[9] = 17;
        from.CopyTo(ip[12..]);
        to.CopyTo(ip[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], Checksum(ip, 0));

        var udp = destination[20..length];
        BinaryPrimitives.WriteUInt16BigEndian(udp, (ushort)fromPort);
        BinaryPrimitives.WriteUInt16BigEndian(udp[2..], (ushort)toPort);
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], (ushort)udp.Length);
        BinaryPrimitives.WriteUInt16BigEndian(udp[6..], 0);
        payload.CopyTo(udp[8..]);
        // The pseudo-header: both addresses, the protocol, the UDP length.
        var pseudo = (from.Bits >> 16) + (from.Bits & 0xFFFF) + (to.Bits >> 16) + (to.Bits & 0xFFFF) + 17 + (uint)udp.Length;
        var sum = Checksum(udp, pseudo);
        // 0 means "no checksum"; its one's complement twin stands for it (RFC 768).
        BinaryPrimitives.WriteUInt16BigEndian(udp[6..], sum == 0 ? (ushort)0xFFFF : sum);
        return length;
    }

    private static ushort Checksum(ReadOnlySpan<byte> bytes, uint sum)
    {
        for (; bytes.Length >= 2; bytes = bytes[2..])
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
        if (bytes.Length == 1)
            sum += (uint)bytes[0] << 8;
        while (sum >> 16 != 0)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~sum;
    }
}
