using CsCheck;
using Provisioner.Protocols.Tftp;

namespace Provisioner.Protocols.Tests.Tftp;

public sealed class TftpPacketTests
{
    [Fact]
    public void Reads_an_acknowledgment_also_with_octets_behind_it()
    {
        Assert.True(TftpPacket.TryParseAcknowledgment([0, 4, 0x12, 0x34], out var block, out _));
        Assert.Equal(0x1234, block);
        Assert.True(TftpPacket.TryParseAcknowledgment([0, 4, 0, 1, 9, 9], out block, out _));
        Assert.Equal(1, block);
        Assert.False(TftpPacket.TryParseAcknowledgment([0, 3, 0, 1], out _, out var reason));
        Assert.Equal("opcode 3, 4 was expected", reason);
    }

    [Fact]
    public void Reads_data_with_and_without_octets()
    {
        Assert.True(TftpPacket.TryParseData([0, 3, 0, 7, 1, 2], out var block, out var data, out _));
        Assert.Equal(7, block);
        Assert.Equal([1, 2], data.ToArray());
        Assert.True(TftpPacket.TryParseData([0, 3, 0, 8], out _, out data, out _));
        Assert.True(data.IsEmpty);
    }

    [Theory]
    [InlineData("0005 0008 55736572 20 61626f7274656400", TftpErrorCode.OptionNegotiation, "User aborted")]
    // Without its NUL, and with characters that would forge a line in a log.
    [InlineData("0005 0000 61 0a 62", TftpErrorCode.NotDefined, "a\uFFFDb")]
    [InlineData("0005 0003", TftpErrorCode.DiskFull, "")]
    public void Reads_an_error(string hex, TftpErrorCode expected, string text)
    {
        Assert.True(TftpPacket.TryParseError(TftpRequestTests.Hex(hex), out var code, out var message, out _));
        Assert.Equal(expected, code);
        Assert.Equal(text, message);
    }

    [Fact]
    public void Writes_an_error_that_ends_in_NUL_however_long_its_message()
    {
        var packet = new byte[16];
        Assert.Equal(8, TftpPacket.WriteError(packet, TftpErrorCode.FileNotFound, "abc"));
        Assert.Equal("0005000161626300", Convert.ToHexString(packet.AsSpan(0, 8)));
        Assert.Equal(16, TftpPacket.WriteError(packet, TftpErrorCode.FileNotFound, new string('x', 100)));
        Assert.Equal(0, packet[15]);
        // No half character: é has two octets and only one fits.
        Assert.Equal(15, TftpPacket.WriteError(packet, TftpErrorCode.FileNotFound, new string('x', 10) + "éé"));
    }

    [Fact]
    public void Writes_headers()
    {
        var packet = new byte[4];
        TftpPacket.WriteDataHeader(packet, 65_535);
        Assert.Equal("0003FFFF", Convert.ToHexString(packet));
        TftpPacket.WriteAcknowledgment(packet, 258);
        Assert.Equal("00040102", Convert.ToHexString(packet));
    }

    [Fact]
    public void An_option_acknowledgment_is_read_as_it_was_written()
    {
        var packet = new byte[100];
        var length = TftpPacket.WriteOptionAcknowledgment(packet, [new("tsize", "5"), new("BlkSize", "8")]);
        Assert.Equal("00067473697A65003500426C6B53697A65003800", Convert.ToHexString(packet.AsSpan(0, length)));
        Assert.True(TftpPacket.TryParseOptionAcknowledgment(packet.AsSpan(0, length), out var options, out _));
        Assert.Equal([new("tsize", "5"), new("BlkSize", "8")], options);
    }

    [Fact]
    public void Any_octets_are_a_packet_or_a_reason_and_never_an_exception() =>
        Gen.Byte.Array[0, 600].Sample(octets =>
        {
            var acknowledgment = TftpPacket.TryParseAcknowledgment(octets, out _, out var reason);
            Assert.Equal(acknowledgment, reason is null);
            Assert.Equal(TftpPacket.TryParseData(octets, out _, out _, out reason), reason is null);
            Assert.Equal(TftpPacket.TryParseError(octets, out _, out _, out reason), reason is null);
            Assert.Equal(TftpPacket.TryParseOptionAcknowledgment(octets, out _, out reason), reason is null);
        });
}

public sealed class TftpBlockNumberTests
{
    [Theory]
    [InlineData(65_535, 0, 65_535)]
    [InlineData(65_536, 0, 0)]
    [InlineData(65_537, 0, 1)]
    [InlineData(131_072, 0, 0)]
    [InlineData(65_535, 1, 65_535)]
    [InlineData(65_536, 1, 1)]
    [InlineData(131_070, 1, 65_535)]
    [InlineData(131_071, 1, 1)]
    public void Rolls_over(long block, int rolloverTo, int wire) => Assert.Equal(wire, TftpBlockNumber.ToWire(block, rolloverTo));

    [Fact]
    public void Finds_the_block_within_its_window() =>
        Gen.Select(Gen.Long[0, 500_000], Gen.Int[0, 64], Gen.Int[0, 64], Gen.Int[0, 1]).Sample((from, size, at, rolloverTo) =>
        {
            var block = from + Math.Min(at, size);
            Assert.Equal(block, TftpBlockNumber.FromWire(TftpBlockNumber.ToWire(block, rolloverTo), from, from + size, rolloverTo));
            Assert.Equal(-1, TftpBlockNumber.FromWire(TftpBlockNumber.ToWire(from + size + 1, rolloverTo), Math.Max(1, from), from + size, rolloverTo));
        });
}

public sealed class NetasciiEncoderTests
{
    [Theory]
    [InlineData("a\nb", "a\r\nb")]
    [InlineData("\r", "\r\0")]
    [InlineData("\r\n", "\r\0\r\n")]
    [InlineData("", "")]
    public void Translates_line_ends(string text, string expected) => Assert.Equal(expected, Encode(text, 100, 100));

    [Fact]
    public void Pieces_make_no_difference() =>
        Gen.Select(Gen.Int[0, 2].Select(i => "a\r\n"[i]).Array[0, 50], Gen.Int[1, 7], Gen.Int[1, 7]).Sample((characters, sourcePiece, targetPiece) =>
        {
            var text = new string(characters);
            Assert.Equal(text.Replace("\r", "\r\0", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal), Encode(text, sourcePiece, targetPiece));
        });

    private static string Encode(string text, int sourcePiece, int targetPiece)
    {
        var source = System.Text.Encoding.ASCII.GetBytes(text).AsSpan();
        var encoder = new NetasciiEncoder();
        var result = new List<byte>();
        var target = new byte[targetPiece];
        while (!source.IsEmpty || encoder.HasPending)
        {
            var written = encoder.Encode(source[..Math.Min(sourcePiece, source.Length)], target, out var consumed);
            source = source[consumed..];
            result.AddRange(target.AsSpan(0, written));
        }
        return System.Text.Encoding.ASCII.GetString([.. result]);
    }
}
