using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Provisioner.Protocols.Tftp;

/// <summary>Reads and writes DATA, ACK, ERROR and OACK (RFC 1350 §5, RFC 2347). Reading never throws and allocates only for texts.</summary>
public static class TftpPacket
{
    /// <summary>Opcode and block number in front of a block.</summary>
    public const int DataHeaderSize = 4;

    /// <summary>Reads what kind of packet it is.</summary>
    public static bool TryParseOpcode(ReadOnlySpan<byte> datagram, out TftpOpcode opcode, [NotNullWhen(false)] out string? reason)
    {
        opcode = default;
        reason = null;
        if (datagram.Length < 4)
        {
            reason = $"{datagram.Length} octets, the shortest TFTP packet has 4";
            return false;
        }
        var value = BinaryPrimitives.ReadUInt16BigEndian(datagram);
        if (value is < 1 or > 6)
        {
            reason = $"opcode {value}, TFTP has 1 to 6";
            return false;
        }
        opcode = (TftpOpcode)value;
        return true;
    }

    /// <summary>Reads ACK.</summary>
    public static bool TryParseAcknowledgment(ReadOnlySpan<byte> datagram, out ushort block, [NotNullWhen(false)] out string? reason)
    {
        block = 0;
        if (!Expect(datagram, TftpOpcode.Acknowledgment, out reason))
            return false;
        // Octets behind the block number are let pass: some ROMs send the buffer they received into.
        block = BinaryPrimitives.ReadUInt16BigEndian(datagram[2..]);
        return true;
    }

    /// <summary>Reads DATA.</summary>
    public static bool TryParseData(ReadOnlySpan<byte> datagram, out ushort block, out ReadOnlySpan<byte> data, [NotNullWhen(false)] out string? reason)
    {
        block = 0;
        data = default;
        if (!Expect(datagram, TftpOpcode.Data, out reason))
            return false;
        block = BinaryPrimitives.ReadUInt16BigEndian(datagram[2..]);
        data = datagram[DataHeaderSize..];
        return true;
    }

    /// <summary>Reads ERROR. A message without its NUL, as some clients send it, is taken as it is.</summary>
    public static bool TryParseError(ReadOnlySpan<byte> datagram, out TftpErrorCode code, [NotNullWhen(true)] out string? message, [NotNullWhen(false)] out string? reason)
    {
        code = default;
        message = null;
        if (!Expect(datagram, TftpOpcode.Error, out reason))
            return false;
        code = (TftpErrorCode)BinaryPrimitives.ReadUInt16BigEndian(datagram[2..]);
        var text = datagram[4..];
        var end = text.IndexOf((byte)0);
        message = TftpText.DecodePrintable(end < 0 ? text : text[..end]);
        return true;
    }

    /// <summary>Reads OACK.</summary>
    public static bool TryParseOptionAcknowledgment(ReadOnlySpan<byte> datagram, out ImmutableArray<TftpOption> options, [NotNullWhen(false)] out string? reason)
    {
        options = [];
        return Expect(datagram, TftpOpcode.OptionAcknowledgment, out reason)
            && TftpRequest.TryParseOptions(datagram[2..], out options, out reason);
    }

    /// <summary>Writes the four octets in front of a block.</summary>
    public static void WriteDataHeader(Span<byte> destination, ushort block)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)TftpOpcode.Data);
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], block);
    }

    /// <summary>Writes ACK: four octets.</summary>
    public static void WriteAcknowledgment(Span<byte> destination, ushort block)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)TftpOpcode.Acknowledgment);
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], block);
    }

    /// <summary>Writes ERROR with its message, cut off where the destination ends.</summary>
    /// <returns>The number of octets written.</returns>
    public static int WriteError(Span<byte> destination, TftpErrorCode code, string message)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)TftpOpcode.Error);
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], (ushort)code);
        Encoding.UTF8.GetEncoder().Convert(message, destination[4..^1], flush: true, out _, out var written, out _);
        destination[4 + written] = 0;
        return 4 + written + 1;
    }

    /// <summary>Writes OACK; the last octet is NUL.</summary>
    /// <returns>The number of octets written.</returns>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    public static int WriteOptionAcknowledgment(Span<byte> destination, ImmutableArray<TftpOption> options)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)TftpOpcode.OptionAcknowledgment);
        var length = 2;
        WriteOptions(destination, ref length, options);
        return length;
    }

    internal static void WriteOptions(Span<byte> destination, ref int length, ImmutableArray<TftpOption> options)
    {
        foreach (var (name, value) in options)
        {
            WriteText(destination, ref length, name);
            WriteText(destination, ref length, value);
        }
    }

    internal static void WriteText(Span<byte> destination, ref int length, string text)
    {
        length += Encoding.UTF8.GetBytes(text, destination[length..^1]);
        destination[length++] = 0;
    }

    private static bool Expect(ReadOnlySpan<byte> datagram, TftpOpcode expected, [NotNullWhen(false)] out string? reason)
    {
        if (!TryParseOpcode(datagram, out var opcode, out reason))
            return false;
        if (opcode == expected)
            return true;
        reason = $"opcode {(ushort)opcode}, {(ushort)expected} was expected";
        return false;
    }
}
