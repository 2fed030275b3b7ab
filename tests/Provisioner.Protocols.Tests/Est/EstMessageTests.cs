using System.Text;
using CsCheck;
using Provisioner.Protocols.Est;

namespace Provisioner.Protocols.Tests.Est;

public sealed class EstMessageTests
{
    [Theory]
    [InlineData("MAMCAQA=", "3003020100")]
    [InlineData("MAMCAQA=\n", "3003020100")]
    [InlineData("\r\nMAMC\r\n\r\nAQA=\r\n", "3003020100")]
    [InlineData("M A\tM C A Q A = ", "3003020100")]
    [InlineData("MAA=", "3000")]
    [InlineData("+/+/", "FBFFBF")]
    [InlineData("0123", "D35DB7")]
    public void Reads_base64_with_white_space_anywhere(string body, string expected)
    {
        Assert.True(EstMessage.TryDecode(Encoding.ASCII.GetBytes(body), out var der, out var reason), reason);
        Assert.Equal(expected, Convert.ToHexString(der));
    }

    [Theory]
    [InlineData("", "the body is empty: send base64 of DER")]
    [InlineData("\r\n \t", "the body is empty: send base64 of DER")]
    [InlineData("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n", "the body is PEM: send the base64 of the DER alone, without the header lines '-----BEGIN …' and '-----END …'")]
    [InlineData("MAMC-QA=", "the body has the character '-' at byte 4: send base64, not base64url")]
    [InlineData("MAMC_QA=", "the body has the character '_' at byte 4: send base64, not base64url")]
    [InlineData("MAMC\0QA=", "the body has the byte 0x00 at byte 4, which base64 does not use")]
    [InlineData("MAMC\vQA=", "the body has the byte 0x0b at byte 4, which base64 does not use")]
    [InlineData("MAMC%3D", "the body has the byte 0x25 at byte 4, which base64 does not use")]
    [InlineData("MAMCAQA", "the body has 7 characters of base64, which is no multiple of 4: it was cut short or lacks its padding '='")]
    [InlineData("MA==AQA=", "the body's padding '=' is not at the end of its base64")]
    [InlineData("M===", "the body's padding '=' is not at the end of its base64")]
    [InlineData("====", "the body's padding '=' is not at the end of its base64")]
    public void Says_what_is_wrong_with_a_body(string body, string expected)
    {
        Assert.False(EstMessage.TryDecode(Encoding.ASCII.GetBytes(body), out var der, out var reason));
        Assert.Null(der);
        Assert.Equal(expected, reason);
    }

    [Fact]
    public void Recognises_DER_that_was_not_encoded()
    {
        Assert.False(EstMessage.TryDecode(Csr.Fixture("p256"), out _, out var reason));
        Assert.Equal("the body is DER as it is: send it in base64 (RFC 8951 §3)", reason);
    }

    [Fact]
    public void Bodies_are_bounded_and_the_bound_fits_the_longest_request()
    {
        Assert.False(EstMessage.TryDecode(new byte[EstMessage.MaximumLength + 1], out _, out var reason));
        Assert.Equal("the body has 24577 bytes, 24576 are allowed", reason);
        var longest = EstMessage.Encode(new byte[CertificateSigningRequest.MaximumLength]);
        // As another client would write it, with CRLF.
        var withCarriageReturns = Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(longest).Replace("\n", "\r\n", StringComparison.Ordinal));
        Assert.True(EstMessage.TryDecode(withCarriageReturns, out var der, out reason), reason);
        Assert.Equal(CertificateSigningRequest.MaximumLength, der.Length);
    }

    [Fact]
    public void Writes_lines_of_64_characters_with_LF() =>
        Assert.Equal(new string('A', 64) + "\n" + new string('A', 4) + "\n", Encoding.ASCII.GetString(EstMessage.Encode(new byte[51])));

    [Theory]
    [InlineData("base64", "-d")]
    [InlineData("openssl", "base64|-d")]
    [InlineData("busybox", "base64|-d")]
    public async Task Other_programs_read_what_is_written(string program, string arguments)
    {
        // Around the ends of lines, where decoders differ.
        foreach (var length in new[] { 1, 2, 3, 47, 48, 49, 96, 1500 })
        {
            var bytes = Enumerable.Range(0, length).Select(i => (byte)i).ToArray();
            Assert.Equal(bytes, await Tool.Run(EstMessage.Encode(bytes), program, arguments.Split('|')));
        }
    }

    [Theory]
    [InlineData("base64", "")]
    [InlineData("base64", "-w|0")]
    [InlineData("openssl", "base64")]
    [InlineData("openssl", "base64|-A")]
    public async Task Reads_what_other_programs_write(string program, string arguments)
    {
        var request = Csr.Fixture("rsa2048");
        var body = await Tool.Run(request, program, arguments.Split('|', StringSplitOptions.RemoveEmptyEntries));
        Assert.True(EstMessage.TryDecode(body, out var der, out var reason), reason);
        Assert.Equal(request, der);
    }

    [Fact]
    public void What_is_written_is_read() => Gen.Byte.Array[1, 300].Sample(bytes =>
        EstMessage.TryDecode(EstMessage.Encode(bytes), out var der, out _) && der.AsSpan().SequenceEqual(bytes));

    [Fact]
    public void Any_bytes_are_a_body_or_a_reason_and_never_an_exception()
    {
        Gen.Byte.Array[0, 300].Sample(Holds);
        Gen.Char["ABab01+/=\r\n -"].Array[0, 40].Sample(characters => Holds(Encoding.ASCII.GetBytes(characters)));

        static bool Holds(byte[] body)
        {
            var valid = EstMessage.TryDecode(body, out var der, out var reason);
            return valid == (der is not null) && valid == (reason is null);
        }
    }
}
