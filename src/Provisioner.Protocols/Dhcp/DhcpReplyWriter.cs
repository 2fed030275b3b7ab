using System.Buffers.Binary;
using System.Text;

namespace Provisioner.Protocols.Dhcp;

/// <summary>
/// Writes the answer to one message into a caller's buffer (RFC 2131 §4.3.1, table 3): the fixed fields that are copied from the
/// request, then options in the order they are added, then option 82 as the client's relay sent it, END, and padding.
/// </summary>
/// <remarks>
/// An option that no longer fits the client's limit is left out and named in <see cref="LeftOut"/>: add the essential ones first.
/// Options never spill into <c>sname</c> and <c>file</c>: firmware reads those.
/// </remarks>
public ref struct DhcpReplyWriter
{
    private readonly Span<byte> buffer;
    private readonly ReadOnlySpan<byte> relayInformation;
    private readonly int limit;
    private int position;

    /// <summary>Begins a reply.</summary>
    /// <param name="buffer">Room for the reply; <see cref="DhcpPacket.MaximumLength"/> bytes are always enough.</param>
    /// <param name="request">The message that is answered.</param>
    /// <param name="type">Option 53, always the first.</param>
    /// <exception cref="ArgumentException">The buffer cannot hold the smallest reply.</exception>
    public DhcpReplyWriter(Span<byte> buffer, in DhcpPacket request, DhcpMessageType type)
    {
        if (buffer.Length < 576 - 28)
            throw new ArgumentException("A DHCP reply needs at least 548 bytes.", nameof(buffer));
        this.buffer = buffer[..Math.Min(buffer.Length, DhcpPacket.MaximumLength)];
        // RFC 3046 §2.2: echoed unchanged; a relay strips it again, so the client's own limit does not count it.
        relayInformation = request.Option(DhcpOption.RelayAgentInformation);
        if (RelayInformationLength > this.buffer.Length / 2)
        {
            // RFC 3046 §2.2: what cannot be echoed whole is not echoed.
            relayInformation = default;
            LeftOut = DhcpOption.RelayAgentInformation;
        }
        var trailer = RelayInformationLength + 1;
        limit = Math.Min(request.MaximumReplyLength - 1, this.buffer.Length - trailer);
        this.buffer.Clear();
        this.buffer[0] = 2;
        this.buffer[1] = 1;
        this.buffer[2] = 6;
        BinaryPrimitives.WriteUInt32BigEndian(this.buffer[4..], request.Xid);
        BinaryPrimitives.WriteUInt16BigEndian(this.buffer[10..], request.Flags);
        request.Giaddr.CopyTo(this.buffer[24..]);
        request.Chaddr.CopyTo(this.buffer[28..]);
        BinaryPrimitives.WriteUInt32BigEndian(this.buffer[DhcpPacket.FixedLength..], DhcpPacket.MagicCookie);
        position = DhcpPacket.OptionsStart;
        Add(DhcpOption.MessageType, (byte)type);
    }

    /// <summary>The first option that did not fit; <see cref="DhcpOption.Pad"/> when all did.</summary>
    public DhcpOption LeftOut { get; private set; }

    /// <summary>Sets the broadcast bit, as a NAK through a relay needs (RFC 2131 §4.3.2).</summary>
    public readonly void SetBroadcast() => buffer[10] |= 0x80;

    /// <summary>The address the client has.</summary>
    public readonly Ipv4Address Ciaddr { set => value.CopyTo(buffer[12..]); }

    /// <summary>The address the client is given.</summary>
    public readonly Ipv4Address Yiaddr { set => value.CopyTo(buffer[16..]); }

    /// <summary>Where the boot file is. EDK2 takes this before option 54 (edk2#8558); iPXE needs it (not zero).</summary>
    public readonly Ipv4Address Siaddr { set => value.CopyTo(buffer[20..]); }

    /// <summary>Fills <c>sname</c>: at most 63 bytes and a NUL.</summary>
    /// <returns>False when the name is too long; nothing is written then.</returns>
    public readonly bool TryServerName(string name) => TryField(name, DhcpPacket.SnameOffset, DhcpPacket.SnameLength);

    /// <summary>Fills <c>file</c>: at most 127 bytes and a NUL.</summary>
    /// <returns>False when the name is too long; nothing is written then.</returns>
    public readonly bool TryBootFile(string name) => TryField(name, DhcpPacket.FileOffset, DhcpPacket.FileLength);

    /// <summary>Adds an option; longer than 255 bytes it is split (RFC 3396 §7).</summary>
    public void Add(DhcpOption option, scoped ReadOnlySpan<byte> value)
    {
        var parts = Math.Max(1, (value.Length + 254) / 255);
        if (position + value.Length + 2 * parts > limit)
        {
            if (LeftOut == DhcpOption.Pad)
                LeftOut = option;
            return;
        }
        do
        {
            var part = value[..Math.Min(value.Length, 255)];
            buffer[position] = (byte)option;
            buffer[position + 1] = (byte)part.Length;
            part.CopyTo(buffer[(position + 2)..]);
            position += 2 + part.Length;
            value = value[part.Length..];
        }
        while (value.Length > 0);
    }

    /// <summary>Adds a one-byte option.</summary>
    public void Add(DhcpOption option, byte value) => Add(option, [value]);

    /// <summary>Adds an address.</summary>
    public void Add(DhcpOption option, Ipv4Address value)
    {
        Span<byte> octets = stackalloc byte[4];
        value.CopyTo(octets);
        Add(option, octets);
    }

    /// <summary>Adds a list of addresses; an empty one is not added.</summary>
    public void Add(DhcpOption option, scoped ReadOnlySpan<Ipv4Address> values)
    {
        if (values.IsEmpty)
            return;
        Span<byte> octets = stackalloc byte[4 * Math.Min(values.Length, 63)];
        for (var i = 0; 4 * i < octets.Length; i++)
            values[i].CopyTo(octets[(4 * i)..]);
        Add(option, octets);
    }

    /// <summary>Adds a time in whole seconds; the largest value means for ever (RFC 2131 §3.3) and is not reached.</summary>
    public void Add(DhcpOption option, TimeSpan value)
    {
        Span<byte> seconds = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(seconds, (uint)Math.Clamp(value.TotalSeconds, 1, uint.MaxValue - 1));
        Add(option, seconds);
    }

    /// <summary>Adds text.</summary>
    /// <param name="option">The code.</param>
    /// <param name="value">The text, as UTF-8.</param>
    /// <param name="nulTerminated">
    /// For option 67: without a NUL, EDK2 writes one over the byte that follows and other firmware appends 0xFF to the name (netboot.xyz#1198).
    /// </param>
    public void Add(DhcpOption option, string value, bool nulTerminated = false)
    {
        Span<byte> bytes = stackalloc byte[1024];
        if (!Encoding.UTF8.TryGetBytes(value, bytes[..^1], out var length))
        {
            if (LeftOut == DhcpOption.Pad)
                LeftOut = option;
            return;
        }
        bytes[length] = 0;
        Add(option, bytes[..(length + (nulTerminated ? 1 : 0))]);
    }

    /// <summary>Adds the client's own option unchanged, where it sent it.</summary>
    public void Echo(DhcpOption option, in DhcpPacket request)
    {
        if (request.TryGet(option, out var value))
            Add(option, value);
    }

    /// <summary>Ends the message: option 82, END, then padding <em>after</em> END (Raspberry Pi misreads it inside, rpi-eeprom#82).</summary>
    /// <returns>The reply's length in bytes.</returns>
    public int Complete()
    {
        var rest = relayInformation;
        while (rest.Length > 0)
        {
            var part = rest[..Math.Min(rest.Length, 255)];
            buffer[position] = (byte)DhcpOption.RelayAgentInformation;
            buffer[position + 1] = (byte)part.Length;
            part.CopyTo(buffer[(position + 2)..]);
            position += 2 + part.Length;
            rest = rest[part.Length..];
        }
        buffer[position++] = (byte)DhcpOption.End;
        return Math.Max(position, DhcpPacket.MinimumReplyLength);
    }

    private readonly int RelayInformationLength =>
        relayInformation.IsEmpty ? 0 : relayInformation.Length + 2 * ((relayInformation.Length + 254) / 255);

    private readonly bool TryField(string text, int offset, int length)
    {
        var field = buffer.Slice(offset, length);
        field.Clear();
        if (Encoding.UTF8.TryGetBytes(text, field[..^1], out _))
            return true;
        field.Clear();
        return false;
    }
}
