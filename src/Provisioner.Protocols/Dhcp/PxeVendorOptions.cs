using System.Buffers.Binary;
using System.Text;

namespace Provisioner.Protocols.Dhcp;

/// <summary>Builds option 43 for PXE clients (PXE 2.1, table 2-1).</summary>
/// <param name="buffer">Room for the option's value: at most 255 bytes are used.</param>
public ref struct PxeVendorOptions(Span<byte> buffer)
{
    private readonly Span<byte> buffer = buffer[..Math.Min(buffer.Length, 255)];
    private int position;

    /// <summary>Suboption 6.</summary>
    public void AddDiscoveryControl(PxeDiscoveryControl control) => Add(PxeOption.DiscoveryControl, [(byte)control]);

    /// <summary>One entry of suboption 8: a server type and its addresses.</summary>
    public void AddBootServer(ushort type, Ipv4Address server)
    {
        Span<byte> value = stackalloc byte[7];
        BinaryPrimitives.WriteUInt16BigEndian(value, type);
        value[2] = 1;
        server.CopyTo(value[3..]);
        Add(PxeOption.BootServers, value);
    }

    /// <summary>Suboption 9 with one entry.</summary>
    public void AddBootMenu(ushort type, string text)
    {
        Span<byte> value = stackalloc byte[250];
        BinaryPrimitives.WriteUInt16BigEndian(value, type);
        var length = Encoding.ASCII.GetBytes(text.AsSpan(0, Math.Min(text.Length, 240)), value[3..]);
        value[2] = (byte)length;
        Add(PxeOption.BootMenu, value[..(3 + length)]);
    }

    /// <summary>Suboption 10.</summary>
    /// <param name="seconds">0: take the first entry at once; 255: wait for ever.</param>
    /// <param name="text">What the client shows.</param>
    public void AddMenuPrompt(byte seconds, string text)
    {
        Span<byte> value = stackalloc byte[250];
        value[0] = seconds;
        var length = Encoding.ASCII.GetBytes(text.AsSpan(0, Math.Min(text.Length, 240)), value[1..]);
        Add(PxeOption.MenuPrompt, value[..(1 + length)]);
    }

    /// <summary>Any suboption.</summary>
    /// <exception cref="ArgumentException">The option's 255 bytes are full.</exception>
    public void Add(PxeOption option, scoped ReadOnlySpan<byte> value)
    {
        if (position + 2 + value.Length + 1 > buffer.Length)
            throw new ArgumentException("Option 43 is full.", nameof(value));
        buffer[position] = (byte)option;
        buffer[position + 1] = (byte)value.Length;
        value.CopyTo(buffer[(position + 2)..]);
        position += 2 + value.Length;
    }

    /// <summary>Ends the list with 255, as PXE 2.1 wants it.</summary>
    /// <returns>The value of option 43.</returns>
    public ReadOnlySpan<byte> Complete()
    {
        buffer[position++] = (byte)DhcpOption.End;
        return buffer[..position];
    }
}
