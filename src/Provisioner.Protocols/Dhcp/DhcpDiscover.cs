using System.Buffers.Binary;

namespace Provisioner.Protocols.Dhcp;

/// <summary>Writes the DISCOVER of a UEFI firmware that boots by PXE (RFC 2131 §4.4.1, RFC 4578): what every DHCP and PXE server answers.</summary>
public static class DhcpDiscover
{
    /// <summary>Room for it.</summary>
    public const int MaximumLength = DhcpPacket.MinimumReplyLength + 256;

    /// <param name="buffer">At least <see cref="MaximumLength"/> bytes.</param>
    /// <param name="mac">Whose message it is.</param>
    /// <param name="xid">Answers carry it.</param>
    /// <param name="userClass">Option 77, by which the sender knows its own.</param>
    /// <returns>Its length.</returns>
    public static int Write(Span<byte> buffer, MacAddress mac, uint xid, ReadOnlySpan<byte> userClass)
    {
        buffer[..MaximumLength].Clear();
        buffer[0] = 1;
        buffer[1] = 1;
        buffer[2] = 6;
        BinaryPrimitives.WriteUInt32BigEndian(buffer[4..], xid);
        // The broadcast bit: nobody has the address that is offered.
        buffer[10] = 0x80;
        mac.CopyTo(buffer[28..]);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[DhcpPacket.FixedLength..], DhcpPacket.MagicCookie);
        var position = DhcpPacket.OptionsStart;
        Add(buffer, ref position, DhcpOption.MessageType, [(byte)DhcpMessageType.Discover]);
        Add(buffer, ref position, DhcpOption.VendorClass, "PXEClient:Arch:00007:UNDI:003016"u8);
        Add(buffer, ref position, DhcpOption.ClientArchitecture, [0, 7]);
        Add(buffer, ref position, DhcpOption.ClientNetworkInterface, [1, 3, 16]);
        Add(buffer, ref position, DhcpOption.ParameterRequestList, [
            (byte)DhcpOption.SubnetMask, (byte)DhcpOption.Router, (byte)DhcpOption.VendorSpecific, (byte)DhcpOption.ServerIdentifier,
            (byte)DhcpOption.VendorClass, (byte)DhcpOption.TftpServerName, (byte)DhcpOption.BootFileName]);
        Add(buffer, ref position, DhcpOption.UserClass, userClass);
        buffer[position++] = (byte)DhcpOption.End;
        return Math.Max(position, DhcpPacket.MinimumReplyLength);
    }

    private static void Add(Span<byte> buffer, ref int position, DhcpOption option, ReadOnlySpan<byte> value)
    {
        buffer[position] = (byte)option;
        buffer[position + 1] = (byte)value.Length;
        value.CopyTo(buffer[(position + 2)..]);
        position += 2 + value.Length;
    }
}
