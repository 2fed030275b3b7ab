using System.Buffers.Binary;
using System.Text;

namespace Provisioner.Protocols.Dhcp;

/// <summary>
/// A DHCP message (RFC 2131 §2) as a view over the datagram it came in: checked once, then read without copying.
/// Field names are the RFC's.
/// </summary>
/// <remarks>Not to be kept beyond the buffer it was parsed from.</remarks>
public readonly ref struct DhcpPacket
{
    /// <summary>UDP payload on an Ethernet without fragments: 1500 − 20 − 8.</summary>
    public const int MaximumLength = 1472;

    /// <summary>Relays drop shorter messages (RFC 1542 §2.1; opnsense#7744): replies are padded to it.</summary>
    public const int MinimumReplyLength = 300;

    internal const int FixedLength = 236;
    internal const int OptionsStart = FixedLength + 4;
    internal const uint MagicCookie = 0x63825363;
    internal const int SnameOffset = 44;
    internal const int SnameLength = 64;
    internal const int FileOffset = 108;
    internal const int FileLength = 128;

    private readonly ReadOnlySpan<byte> datagram;
    private readonly byte overload;
    private readonly OptionSet present;
    private readonly OptionSet split;

    private DhcpPacket(ReadOnlySpan<byte> datagram, byte overload, OptionSet present, OptionSet split, DhcpMessageType type)
    {
        this.datagram = datagram;
        this.overload = overload;
        this.present = present;
        this.split = split;
        MessageType = type;
    }

    /// <summary>
    /// Checks a datagram. Never throws and, for a message it accepts, never allocates.
    /// </summary>
    /// <param name="datagram">The UDP payload.</param>
    /// <param name="packet">The message, valid as long as the buffer is.</param>
    /// <param name="reason">Why it is no message this service can answer; null when it is one.</param>
    public static bool TryParse(ReadOnlySpan<byte> datagram, out DhcpPacket packet, out string? reason)
    {
        packet = default;
        if (datagram.Length < OptionsStart)
        {
            reason = $"too short for DHCP: {datagram.Length} bytes, at least {OptionsStart} are needed";
            return false;
        }
        if (datagram[0] is not (1 or 2))
        {
            reason = $"op is {datagram[0]}, neither BOOTREQUEST (1) nor BOOTREPLY (2)";
            return false;
        }
        if (BinaryPrimitives.ReadUInt32BigEndian(datagram[FixedLength..]) != MagicCookie)
        {
            reason = "no DHCP magic cookie 63 82 53 63 (RFC 2131 §3)";
            return false;
        }
        if (datagram[1] != 1 || datagram[2] != 6)
        {
            reason = $"htype {datagram[1]} with hlen {datagram[2]}: only Ethernet (1 with 6) is served";
            return false;
        }
        var mac = new MacAddress(datagram[28..]);
        if (mac.IsZero || mac.IsMulticast)
        {
            reason = $"chaddr {mac} is no station's address";
            return false;
        }

        var sent = new OptionSet();
        var repeated = new OptionSet();
        byte continued = 0;
        byte type = 0;
        var reader = new DhcpOptionReader(datagram[OptionsStart..]);
        while (reader.MoveNext())
        {
            if (!sent.Add(reader.Code))
                repeated.Add(reader.Code);
            if (reader.Code == (byte)DhcpOption.Overload && reader.Value.Length == 1)
                continued = reader.Value[0];
            else if (reader.Code == (byte)DhcpOption.MessageType && reader.Value.Length == 1)
                type = reader.Value[0];
        }
        if (reader.IsTruncated)
        {
            reason = $"option {reader.Code} at byte {OptionsStart + reader.Position} runs past the end of the message";
            return false;
        }
        if (continued > 3)
        {
            reason = $"option 52 (overload) is {continued}, not 1, 2 or 3";
            return false;
        }
        // RFC 3396 §5: the aggregate is options, then file, then sname.
        if ((continued & 1) != 0 && !Scan(datagram.Slice(FileOffset, FileLength), "file", ref sent, ref repeated, out reason)
            || (continued & 2) != 0 && !Scan(datagram.Slice(SnameOffset, SnameLength), "sname", ref sent, ref repeated, out reason))
            return false;
        if (type is 0 or > 8 || repeated.Contains((byte)DhcpOption.MessageType))
        {
            reason = sent.Contains((byte)DhcpOption.MessageType)
                ? "option 53 (message type) is not one byte from 1 to 8"
                : "no option 53 (message type): plain BOOTP is not served";
            return false;
        }
        packet = new DhcpPacket(datagram, continued, sent, repeated, (DhcpMessageType)type);
        reason = null;
        return true;
    }

    /// <summary>Option 53.</summary>
    public DhcpMessageType MessageType { get; }

    /// <summary>1: from a client; 2: from a server.</summary>
    public byte Op => datagram[0];

    /// <summary>Hardware type; always 1, Ethernet.</summary>
    public byte Htype => datagram[1];

    /// <summary>Length of a hardware address; always 6.</summary>
    public byte Hlen => datagram[2];

    /// <summary>Relays passed.</summary>
    public byte Hops => datagram[3];

    /// <summary>Transaction identifier, chosen by the client.</summary>
    public uint Xid => BinaryPrimitives.ReadUInt32BigEndian(datagram[4..]);

    /// <summary>Seconds since the client began.</summary>
    public ushort Secs => BinaryPrimitives.ReadUInt16BigEndian(datagram[8..]);

    /// <summary>Flags; only the broadcast bit has a meaning.</summary>
    public ushort Flags => BinaryPrimitives.ReadUInt16BigEndian(datagram[10..]);

    /// <summary>The client cannot take a unicast before it has an address.</summary>
    public bool WantsBroadcast => (Flags & 0x8000) != 0;

    /// <summary>The address the client has.</summary>
    public Ipv4Address Ciaddr => new(datagram[12..]);

    /// <summary>The address given to the client.</summary>
    public Ipv4Address Yiaddr => new(datagram[16..]);

    /// <summary>The next server, to load the boot file from.</summary>
    public Ipv4Address Siaddr => new(datagram[20..]);

    /// <summary>The relay's address on the client's subnet.</summary>
    public Ipv4Address Giaddr => new(datagram[24..]);

    /// <summary>The client's hardware address: the whole of its identity here.</summary>
    public MacAddress Chaddr => new(datagram[28..]);

    /// <summary>Server name; empty when the field holds options.</summary>
    public ReadOnlySpan<byte> Sname => (overload & 2) != 0 ? default : UpToNul(datagram.Slice(SnameOffset, SnameLength));

    /// <summary>Boot file name; empty when the field holds options.</summary>
    public ReadOnlySpan<byte> File => (overload & 1) != 0 ? default : UpToNul(datagram.Slice(FileOffset, FileLength));

    /// <summary>The whole message as it came.</summary>
    public ReadOnlySpan<byte> Bytes => datagram;

    /// <summary>Whether the option was sent.</summary>
    public bool Has(DhcpOption option) => present.Contains((byte)option);

    /// <summary>
    /// The option's value. Parts of an option that was sent several times are joined (RFC 3396); only that allocates.
    /// </summary>
    public bool TryGet(DhcpOption option, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (!present.Contains((byte)option))
            return false;
        if (!split.Contains((byte)option))
            return DhcpOptionReader.TryFind(datagram[OptionsStart..], (byte)option, out value)
                || (overload & 1) != 0 && DhcpOptionReader.TryFind(datagram.Slice(FileOffset, FileLength), (byte)option, out value)
                || (overload & 2) != 0 && DhcpOptionReader.TryFind(datagram.Slice(SnameOffset, SnameLength), (byte)option, out value);

        Span<byte> joined = new byte[datagram.Length];
        var length = 0;
        Join(new DhcpOptionReader(datagram[OptionsStart..]), option, joined, ref length);
        if ((overload & 1) != 0)
            Join(new DhcpOptionReader(datagram.Slice(FileOffset, FileLength)), option, joined, ref length);
        if ((overload & 2) != 0)
            Join(new DhcpOptionReader(datagram.Slice(SnameOffset, SnameLength)), option, joined, ref length);
        value = joined[..length];
        return true;
    }

    /// <summary>The option's value, or nothing.</summary>
    public ReadOnlySpan<byte> Option(DhcpOption option) => TryGet(option, out var value) ? value : default;

    /// <summary>An option that holds one address; 0.0.0.0 when it was not sent or has another length.</summary>
    public Ipv4Address Address(DhcpOption option) =>
        TryGet(option, out var value) && value.Length == 4 ? new Ipv4Address(value) : default;

    /// <summary>An option as text for people: printable ASCII, everything else as <c>?</c>; null when it was not sent.</summary>
    public string? Text(DhcpOption option) => TryGet(option, out var value) ? Printable(value) : null;

    /// <summary>Option 60 begins with these characters.</summary>
    public bool VendorClassStartsWith(ReadOnlySpan<byte> prefix) => Option(DhcpOption.VendorClass).StartsWith(prefix);

    /// <summary>
    /// Option 77 is or holds this class. RFC 3004 prefixes each class with its length; iPXE and ISC dhclient send plain text.
    /// Which of the two was sent shows only by whether the lengths add up.
    /// </summary>
    public bool HasUserClass(ReadOnlySpan<byte> name)
    {
        var value = Option(DhcpOption.UserClass);
        while (value.Length > 0 && value[^1] == 0)
            value = value[..^1];
        if (value.SequenceEqual(name))
            return true;
        while (value.Length > 0 && value[0] < value.Length)
        {
            if (value.Slice(1, value[0]).SequenceEqual(name))
                return true;
            value = value[(1 + value[0])..];
        }
        return false;
    }

    /// <summary>The first architecture of option 93 (RFC 4578 §2.1), or null. A list names the firmware's own first.</summary>
    public ushort? ClientArchitecture =>
        TryGet(DhcpOption.ClientArchitecture, out var value) && value.Length >= 2 ? BinaryPrimitives.ReadUInt16BigEndian(value) : null;

    /// <summary>Whether option 93's list names this architecture.</summary>
    public bool ListsArchitecture(ushort architecture)
    {
        var list = Option(DhcpOption.ClientArchitecture);
        for (var i = 0; i + 2 <= list.Length; i += 2)
        {
            if (BinaryPrimitives.ReadUInt16BigEndian(list[i..]) == architecture)
                return true;
        }
        return false;
    }

    /// <summary>Option 94: UNDI's version (RFC 4578 §2.2), or null.</summary>
    public (byte Type, byte Major, byte Minor)? NetworkInterface =>
        TryGet(DhcpOption.ClientNetworkInterface, out var value) && value.Length == 3 ? (value[0], value[1], value[2]) : null;

    /// <summary>
    /// Option 97's UUID (RFC 4578 §2.3: a type byte 0, then 16 bytes), or null. The first three fields are little-endian, as in SMBIOS.
    /// All zero is what a machine without one sends, and is null too.
    /// </summary>
    public Guid? MachineUuid =>
        TryGet(DhcpOption.ClientMachineIdentifier, out var value) && value.Length == 17 && value[0] == 0
        && value[1..].ContainsAnyExcept((byte)0) ? new Guid(value[1..]) : null;

    /// <summary>
    /// Whether iPXE can load over HTTP. Its feature list is option 175; without one (the list can be left out) HTTP is taken for granted.
    /// </summary>
    public bool IpxeHasHttp =>
        !TryGet(DhcpOption.Ipxe, out var features) || features.Length == 0
        || DhcpOptionReader.TryFind(features, (byte)IpxeOption.HasHttp, out var http) && http.ContainsAnyExcept((byte)0);

    /// <summary>A suboption of option 82 that holds one address (RFC 3527, RFC 5107); 0.0.0.0 when it is not there.</summary>
    public Ipv4Address RelayAddress(RelayAgentOption suboption) =>
        TryGet(DhcpOption.RelayAgentInformation, out var value)
        && DhcpOptionReader.TryFind(value, (byte)suboption, out var address, hasPadAndEnd: false) && address.Length == 4
            ? new Ipv4Address(address) : default;

    /// <summary>A suboption of option 43.</summary>
    public bool TryGetPxe(PxeOption suboption, out ReadOnlySpan<byte> value) =>
        DhcpOptionReader.TryFind(Option(DhcpOption.VendorSpecific), (byte)suboption, out value);

    /// <summary>
    /// The longest reply this client takes, in bytes of UDP payload. Option 57 counts IP and UDP headers, and 576 is the least
    /// every host takes (RFC 2131 §2); more than one Ethernet frame is never used.
    /// </summary>
    public int MaximumReplyLength
    {
        get
        {
            var size = TryGet(DhcpOption.MaximumMessageSize, out var value) && value.Length == 2 ? BinaryPrimitives.ReadUInt16BigEndian(value) : 0;
            return Math.Clamp(size - 28, 576 - 28, MaximumLength);
        }
    }

    /// <summary>Bytes as text for people.</summary>
    public static string Printable(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0 && bytes[^1] == 0)
            bytes = bytes[..^1];
        Span<char> text = stackalloc char[Math.Min(bytes.Length, 255)];
        for (var i = 0; i < text.Length; i++)
            text[i] = bytes[i] is >= 0x20 and < 0x7F ? (char)bytes[i] : '?';
        return new string(text);
    }

    /// <summary>One line for people and tests.</summary>
    public override string ToString() =>
        new StringBuilder().Append(MessageType).Append(" xid ").Append(Xid.ToString("x8")).Append(' ').Append(Chaddr.ToString()).ToString();

    private static void Join(DhcpOptionReader reader, DhcpOption option, Span<byte> joined, ref int length)
    {
        while (reader.MoveNext())
        {
            if (reader.Code != (byte)option)
                continue;
            reader.Value.CopyTo(joined[length..]);
            length += reader.Value.Length;
        }
    }

    private static bool Scan(ReadOnlySpan<byte> area, string field, ref OptionSet sent, ref OptionSet repeated, out string? reason)
    {
        var reader = new DhcpOptionReader(area);
        while (reader.MoveNext())
        {
            if (!sent.Add(reader.Code))
                repeated.Add(reader.Code);
        }
        reason = reader.IsTruncated ? $"option {reader.Code} at byte {reader.Position} of {field} (overloaded) runs past its end" : null;
        return !reader.IsTruncated;
    }

    private static ReadOnlySpan<byte> UpToNul(ReadOnlySpan<byte> field)
    {
        var end = field.IndexOf((byte)0);
        return end < 0 ? field : field[..end];
    }

    /// <summary>256 bits, one a code.</summary>
    private struct OptionSet
    {
        private ulong a, b, c, d;

        public readonly bool Contains(byte code) =>
            ((code >> 6) switch { 0 => a, 1 => b, 2 => c, _ => d } >> (code & 63) & 1) != 0;

        /// <summary>False when it was there already.</summary>
        public bool Add(byte code)
        {
            if (Contains(code))
                return false;
            var bit = 1UL << (code & 63);
            switch (code >> 6)
            {
                case 0: a |= bit; break;
                case 1: b |= bit; break;
                case 2: c |= bit; break;
                default: d |= bit; break;
            }
            return true;
        }
    }
}
