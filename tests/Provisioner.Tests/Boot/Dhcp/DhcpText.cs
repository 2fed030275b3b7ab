using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Provisioner.Boot.Dhcp;
using Provisioner.Protocols.Dhcp;

namespace Provisioner.Tests.Boot.Dhcp;

/// <summary>A message, and what was done about it, as text that shows every field and every option in its order.</summary>
internal static class DhcpText
{
    public static string Describe(DhcpResponse response, ReadOnlySpan<byte> buffer)
    {
        var text = new StringBuilder();
        var (name, length, delivery) = response switch
        {
            DhcpResponse.Offer o => ("OFFER", o.Length, o.Delivery),
            DhcpResponse.Ack a => ("ACK", a.Length, a.Delivery),
            DhcpResponse.Nak n => ("NAK", n.Length, n.Delivery),
            DhcpResponse.Probing => ("PROBING", 0, default),
            _ => ("SILENT", 0, default(DhcpDelivery)),
        };
        text.Append(name).Append(": ").Append(response.Reason).Append('\n');
        if (length > 0)
            text.Append("to ").Append(delivery).Append('\n').Append(Describe(buffer[..length]));
        return text.ToString();
    }

    public static string Describe(ReadOnlySpan<byte> message)
    {
        Assert.True(DhcpPacket.TryParse(message, out var packet, out var reason), reason);
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"op {packet.Op} htype {packet.Htype} hlen {packet.Hlen} hops {packet.Hops} xid {packet.Xid:x8} secs {packet.Secs} flags {packet.Flags:x4}\n");
        text.Append(CultureInfo.InvariantCulture, $"ciaddr {packet.Ciaddr} yiaddr {packet.Yiaddr} siaddr {packet.Siaddr} giaddr {packet.Giaddr}\n");
        text.Append(CultureInfo.InvariantCulture, $"chaddr {packet.Chaddr} sname \"{DhcpPacket.Printable(packet.Sname)}\" file \"{DhcpPacket.Printable(packet.File)}\"\n");
        var reader = new DhcpOptionReader(message[240..]);
        while (reader.MoveNext())
            text.Append(CultureInfo.InvariantCulture, $"{reader.Code,5} {Value(reader.Code, reader.Value)}\n");
        Assert.Equal(255, message[240 + reader.Position]);
        Assert.False(message[(240 + reader.Position + 1)..].ContainsAnyExcept((byte)0), "bytes other than padding after END");
        text.Append(CultureInfo.InvariantCulture, $"  END at {240 + reader.Position}, length {message.Length}\n");
        return text.ToString();
    }

    private static string Value(byte code, ReadOnlySpan<byte> value) => (DhcpOption)code switch
    {
        DhcpOption.MessageType => ((DhcpMessageType)value[0]).ToString().ToUpperInvariant(),
        DhcpOption.SubnetMask or DhcpOption.Router or DhcpOption.DomainNameServer or DhcpOption.BroadcastAddress or DhcpOption.NtpServers
            or DhcpOption.ServerIdentifier or DhcpOption.RequestedAddress => Addresses(value),
        DhcpOption.LeaseTime or DhcpOption.RenewalTime or DhcpOption.RebindingTime => $"{BinaryPrimitives.ReadUInt32BigEndian(value)} s",
        DhcpOption.HostName or DhcpOption.DomainName or DhcpOption.Message or DhcpOption.VendorClass or DhcpOption.TftpServerName => $"\"{DhcpPacket.Printable(value)}\"",
        // The NUL at its end matters.
        DhcpOption.BootFileName => $"\"{DhcpPacket.Printable(value)}\"{(value[^1] == 0 ? " NUL" : "")}",
        _ => Convert.ToHexStringLower(value),
    };

    private static string Addresses(ReadOnlySpan<byte> value)
    {
        var all = new List<string>();
        for (; value.Length >= 4; value = value[4..])
            all.Add(new Protocols.Ipv4Address(value).ToString());
        return string.Join(' ', all);
    }
}
