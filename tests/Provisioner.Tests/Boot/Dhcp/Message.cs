using System.Buffers.Binary;
using System.Text;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;

namespace Provisioner.Tests.Boot.Dhcp;

/// <summary>A client's message, made up by a test.</summary>
internal sealed class Message
{
    private readonly byte[] fixedFields = new byte[240];
    private readonly List<byte> options = [];

    public Message(DhcpMessageType type, string mac = "52:54:00:77:00:01")
    {
        fixedFields[0] = 1;
        fixedFields[1] = 1;
        fixedFields[2] = 6;
        BinaryPrimitives.WriteUInt32BigEndian(fixedFields.AsSpan(4), 0x1badcafe);
        MacAddress.Parse(mac).CopyTo(fixedFields.AsSpan(28));
        BinaryPrimitives.WriteUInt32BigEndian(fixedFields.AsSpan(236), 0x63825363);
        With(DhcpOption.MessageType, (byte)type);
    }

    public Message With(DhcpOption option, params byte[] value)
    {
        options.Add((byte)option);
        options.Add((byte)value.Length);
        options.AddRange(value);
        return this;
    }

    public Message With(DhcpOption option, string text) => With(option, Encoding.ASCII.GetBytes(text));

    public Message With(DhcpOption option, Ipv4Address address) => With(option, Octets(address));

    public Message Requested(string address) => With(DhcpOption.RequestedAddress, Ipv4Address.Parse(address));

    public Message Server(string address) => With(DhcpOption.ServerIdentifier, Ipv4Address.Parse(address));

    public Message Ciaddr(string address) => Put(12, address);

    public Message Giaddr(string address) => Put(24, address);

    public Message Broadcast()
    {
        fixedFields[10] = 0x80;
        return this;
    }

    /// <summary>Firmware that boots by PXE.</summary>
    public Message Pxe(ushort architecture) => With(DhcpOption.VendorClass, $"PXEClient:Arch:{architecture:D5}:UNDI:003016")
        .With(DhcpOption.ClientArchitecture, (byte)(architecture >> 8), (byte)architecture)
        .With(DhcpOption.ClientNetworkInterface, 1, 3, 16)
        .With(DhcpOption.ClientMachineIdentifier, [0, .. Enumerable.Range(1, 16).Select(i => (byte)i)]);

    public byte[] ToBytes() => [.. fixedFields, .. options, 255];

    public static byte[] Octets(Ipv4Address address)
    {
        var octets = new byte[4];
        address.CopyTo(octets);
        return octets;
    }

    private Message Put(int offset, string address)
    {
        Ipv4Address.Parse(address).CopyTo(fixedFields.AsSpan(offset));
        return this;
    }
}
