using System.Text;
using CsCheck;
using Provisioner.Protocols.Tftp;

namespace Provisioner.Protocols.Tests.Tftp;

public sealed class TftpRequestTests
{
    /// <summary>First requests of real clients, as captured.</summary>
    [Theory]
    // EDK2, first of its two requests: asks for the size only.
    [InlineData("0001 736e706f6e6c792e65666900 6f6374657400 7473697a6500 3000 626c6b73697a6500 3134363800 77696e646f7773697a6500 3400",
        "RRQ snponly.efi octet tsize=0 blksize=1468 windowsize=4")]
    // tftp-hpa.
    [InlineData("0001 626f6f742e74787400 6e6574617363696900", "RRQ boot.txt netascii")]
    // atftp --option 'blksize 1428' --option 'windowsize 8'.
    [InlineData("0001 6b65726e656c00 6f6374657400 626c6b73697a6500 3134323800 77696e646f7773697a6500 3800", "RRQ kernel octet blksize=1428 windowsize=8")]
    // Upper case throughout: RFC 1350 and RFC 2347 compare without case.
    [InlineData("0001 4100 4f4354455400 424c4b53495a4500 353132 00", "RRQ A octet BLKSIZE=512")]
    // A ROM that counts option 67's NUL into the name (netboot.xyz#1198), one that leaves 0xFF.
    [InlineData("0001 61 00 00 6f6374657400", "RRQ a octet")]
    [InlineData("0001 61 ff ff 00 6f6374657400", "RRQ a octet")]
    // Padding behind the options.
    [InlineData("0001 6100 6f6374657400 7473697a6500 3000 0000 0000", "RRQ a octet tsize=0")]
    // An option given twice: the first counts.
    [InlineData("0001 6100 6f6374657400 626c6b73697a6500 3800 426c6b73697a6500 3900", "RRQ a octet blksize=8")]
    [InlineData("0002 6100 6d61696c00", "WRQ a mail")]
    // UTF-8.
    [InlineData("0001 c3a900 6f6374657400", "RRQ é octet")]
    public void Reads_requests(string hex, string expected)
    {
        Assert.True(TftpRequest.TryParse(Hex(hex), out var request, out var reason), reason);
        Assert.Equal(expected, request.ToString());
    }

    [Theory]
    [InlineData("", "0 octets, the shortest TFTP packet has 4")]
    [InlineData("0001 61", "3 octets, the shortest TFTP packet has 4")]
    [InlineData("0007 6100", "opcode 7, TFTP has 1 to 6")]
    [InlineData("0003 0001", "opcode 3 is no request")]
    [InlineData("0001 616263", "the file name does not end in NUL")]
    [InlineData("0001 00 6f6374657400", "the file name is empty")]
    [InlineData("0001 ff00 6f6374657400", "the file name is empty")]
    [InlineData("0001 6100 6f63746574", "the mode does not end in NUL")]
    [InlineData("0001 610000", "the mode does not end in NUL")]
    [InlineData("0001 6100 62696e00", "the mode 'bin' is none of octet, netascii, mail")]
    [InlineData("0001 610a6200 6f6374657400", "the file name holds the control character 0x0a")]
    [InlineData("0001 617f00 6f6374657400", "the file name holds the control character 0x7f")]
    [InlineData("0001 6100 6f6374657400 7473", "option 1 has a name that does not end in NUL")]
    [InlineData("0001 6100 6f6374657400 7473697a6500 30", "option 'tsize' has no value that ends in NUL")]
    public void Says_what_is_wrong_with_a_request(string hex, string expected)
    {
        Assert.False(TftpRequest.TryParse(Hex(hex), out _, out var reason));
        Assert.Equal(expected, reason);
    }

    [Fact]
    public void A_name_beyond_511_octets_is_refused()
    {
        var datagram = Encoding.ASCII.GetBytes($"\0\x01{new string('a', 512)}\0octet\0");
        Assert.False(TftpRequest.TryParse(datagram, out _, out var reason));
        Assert.Equal("the file name has 512 octets, 511 are allowed", reason);
    }

    [Theory]
    [InlineData("""\EFI\BOOT\bootx64.efi""", "EFI/BOOT/bootx64.efi")]
    [InlineData("//boot/grub.cfg", "boot/grub.cfg")]
    [InlineData("plain", "plain")]
    public void Looks_names_up_without_leading_separators(string asked, string expected) =>
        Assert.Equal(expected, new TftpRequest { FileName = asked }.CatalogueName);

    [Fact]
    public void Any_octets_are_a_request_or_a_reason_and_never_an_exception() =>
        Gen.Byte.Array[0, 600].Sample(octets =>
        {
            var valid = TftpRequest.TryParse(octets, out var request, out var reason);
            return valid == (request is not null) && valid == (reason is null);
        });

    [Fact]
    public void Nearly_right_requests_are_a_request_or_a_reason_and_never_an_exception()
    {
        string[] words = ["octet", "netascii", "blksize", "tsize", "timeout", "windowsize", "0", "65464", "99999999999999999999", "", "-1", "\u00e9", "boot/x.efi"];
        var word = Gen.Int[0, words.Length - 1].Select(i => words[i]);
        var mutation = Gen.Select(Gen.Int[0, 200], Gen.Byte);
        Gen.Select(word.Array[0, 12], mutation.Array[0, 3]).Sample((chosen, mutations) =>
        {
            var octets = Encoding.UTF8.GetBytes("\0\x01" + string.Join('\0', chosen) + "\0");
            foreach (var (index, value) in mutations)
                octets[index % octets.Length] = value;
            var valid = TftpRequest.TryParse(octets, out var request, out var reason);
            if (valid)
                Check(TftpNegotiation.Negotiate(request!, new TftpLimits(), 12_345));
            return valid == (reason is null);
        });

        static void Check(TftpParameters parameters)
        {
            Assert.InRange(parameters.BlockSize, 8, 1468);
            Assert.InRange(parameters.WindowSize, 1, 64);
            var packet = new byte[4096];
            var length = TftpPacket.WriteOptionAcknowledgment(packet, parameters.Acknowledged);
            Assert.True(parameters.Acknowledged.IsEmpty || packet[length - 1] == 0);
        }
    }

    [Fact]
    public void A_request_is_read_as_it_was_written()
    {
        var text = Gen.Char.AlphaNumeric.Array[1, 20].Select(c => new string(c));
        var option = Gen.Select(text, text, (name, value) => new TftpOption(name, value));
        Gen.Select(text, option.Array[0, 5], Gen.Bool).Sample((name, options, write) =>
        {
            var request = new TftpRequest
            {
                IsWrite = write,
                FileName = name,
                Mode = TftpMode.Octet,
                Options = [.. options.DistinctBy(o => o.Name, StringComparer.OrdinalIgnoreCase)],
            };
            var datagram = new byte[512];
            var length = request.Write(datagram);
            Assert.True(TftpRequest.TryParse(datagram.AsSpan(0, length), out var read, out var reason), reason);
            Assert.Equal(request.ToString(), read.ToString());
        });
    }

    internal static byte[] Hex(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
}
