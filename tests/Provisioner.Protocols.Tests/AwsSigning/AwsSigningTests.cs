using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using CsCheck;
using Provisioner.Protocols.AwsSigning;
using Provisioner.Protocols.Tests.Est;

namespace Provisioner.Protocols.Tests.AwsSigning;

public sealed class AwsSigningTests
{
    private static readonly DateTimeOffset At = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // The published suite of Signature Version 4, "get-vanilla" and "get-vanilla-query-order-key-case", and the documentation's ListUsers.
    [Theory]
    [InlineData("/", "", "host:example.amazonaws.com\nx-amz-date:20150830T123600Z", "us-east-1", "service", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")]
    [InlineData("/", "Param2=value2&Param1=value1", "host:example.amazonaws.com\nx-amz-date:20150830T123600Z", "us-east-1", "service", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")]
    [InlineData("/", "Action=ListUsers&Version=2010-05-08", "content-type:application/x-www-form-urlencoded; charset=utf-8\nhost:iam.amazonaws.com\nx-amz-date:20150830T123600Z", "us-east-1", "iam", "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")]
    public void The_canonical_form_is_the_one_that_AWS_published_signatures_of(string path, string query, string headers, string region, string service, string signature)
    {
        var at = new DateTimeOffset(2015, 8, 30, 12, 36, 0, TimeSpan.Zero);
        var canonical = CanonicalRequest.Of("GET", path, Pairs(query, '&', '='), Pairs(headers, '\n', ':'), CanonicalRequest.Hash([]));
        var text = CanonicalRequest.StringToSign("AWS4-HMAC-SHA256", at, CredentialScope.At(at, region, service), canonical);
        var key = "AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"u8.ToArray();
        foreach (var part in new[] { "20150830", region, service, "aws4_request" })
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        Assert.Equal(signature, Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text))));
    }

    [Fact]
    public void A_call_of_CreateSession_is_written_as_the_documentation_has_it()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = Certificate(key, [0x00, 0xff, 0x01]);
        var call = Call(certificate);
        var signed = call.Sign(key, At);

        Assert.Equal("/sessions?profileArn=arn%3Aaws%3Arolesanywhere%3Aeu-west-1%3A111122223333%3Aprofile%2Fp&roleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fr"
            + "&trustAnchorArn=arn%3Aaws%3Arolesanywhere%3Aeu-west-1%3A111122223333%3Atrust-anchor%2Fa", signed.Target);
        Assert.Equal("""{"durationSeconds":900,"roleSessionName":"web-1"}""", Encoding.UTF8.GetString(signed.Body));
        Assert.True(AuthorizationHeader.TryParse(signed.Headers[^1].Value, out var header, out var reason), reason);
        Assert.Equal(RolesAnywhereSigning.Ecdsa, header.Algorithm);
        Assert.Equal("65281", header.Credential);
        Assert.Equal(new CredentialScope("20260101", "eu-west-1", "rolesanywhere"), header.Scope);
        Assert.Equal(["content-type", "host", "x-amz-date", "x-amz-x509"], header.SignedHeaders);
        var canonical = string.Join('\n', "POST", "/sessions", signed.Target.Split('?')[1], "content-type:application/json", "host:rolesanywhere.eu-west-1.amazonaws.com",
            "x-amz-date:20260101T000000Z", $"x-amz-x509:{Convert.ToBase64String(certificate.RawData)}", "", "content-type;host;x-amz-date;x-amz-x509", CanonicalRequest.Hash(signed.Body));
        var text = CanonicalRequest.StringToSign(RolesAnywhereSigning.Ecdsa, At, header.Scope, canonical);
        Assert.True(RolesAnywhereSigning.Verify(text, header.Algorithm, Convert.FromHexString(header.Signature), certificate));
        Assert.False(RolesAnywhereSigning.Verify(text + " ", header.Algorithm, Convert.FromHexString(header.Signature), certificate));
        Assert.False(RolesAnywhereSigning.Verify(text, RolesAnywhereSigning.Rsa, Convert.FromHexString(header.Signature), certificate));
        Assert.False(RolesAnywhereSigning.Verify(text, header.Algorithm, [1, 2, 3], certificate));
    }

    [Fact]
    public void Certificates_in_between_are_sent_and_signed()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = Certificate(key, [1]);
        var signed = (Call(certificate) with { Chain = [[1, 2], [3]] }).Sign(key, At);
        Assert.Contains(signed.Headers, h => h is { Key: "X-Amz-X509-Chain", Value: "AQI=,Aw==" });
        Assert.True(AuthorizationHeader.TryParse(signed.Headers[^1].Value, out var header, out _));
        Assert.Contains("x-amz-x509-chain", header.SignedHeaders);
    }

    // As a host makes its key: openssl's, and openssl's word on the signature.
    [Theory]
    [InlineData("EC", "ec_paramgen_curve:P-256", RolesAnywhereSigning.Ecdsa)]
    [InlineData("EC", "ec_paramgen_curve:P-384", RolesAnywhereSigning.Ecdsa)]
    [InlineData("RSA", "rsa_keygen_bits:2048", RolesAnywhereSigning.Rsa)]
    public async Task What_a_key_of_openssl_signs_openssl_verifies(string kind, string option, string algorithm)
    {
        var pem = Encoding.ASCII.GetString(await Tool.Run([], "openssl", "genpkey", "-quiet", "-algorithm", kind, "-pkeyopt", option));
        using AsymmetricAlgorithm key = kind == "EC" ? ECDsa.Create() : RSA.Create();
        key.ImportFromPem(pem);
        Assert.Equal(algorithm, RolesAnywhereSigning.AlgorithmOf(key));
        const string Text = "AWS4-X509\n20260101T000000Z\nscope\nhash";
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var (publicKey, signature) = (Path.Combine(folder.FullName, "key.pub"), Path.Combine(folder.FullName, "signature"));
            await File.WriteAllTextAsync(publicKey, key.ExportSubjectPublicKeyInfoPem());
            await File.WriteAllBytesAsync(signature, RolesAnywhereSigning.Sign(Text, key));
            var said = await Tool.Run(Encoding.UTF8.GetBytes(Text), "openssl", "dgst", "-sha256", "-verify", publicKey, "-signature", signature);
            Assert.Equal("Verified OK\n", Encoding.ASCII.GetString(said));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_serial_number_is_decimal_and_positive() => Gen.Byte.Array[1, 20].Sample(octets =>
        Assert.Equal(new BigInteger([.. octets.Reverse(), 0]).ToString(System.Globalization.CultureInfo.InvariantCulture), RolesAnywhereSigning.DecimalSerial(octets)));

    [Fact]
    public void Any_header_is_read_or_refused_and_never_throws()
    {
        var likely = Gen.OneOf(Gen.Const("AWS4-X509-RSA-SHA256 "), Gen.Const("Credential="), Gen.Const("1/20260101/eu-west-1/rolesanywhere/aws4_request"), Gen.Const(", "), Gen.Const("SignedHeaders="),
            Gen.Const("host;x-amz-date"), Gen.Const("Signature="), Gen.Const("00ff"), Gen.String);
        likely.Array[0, 10].Sample(parts =>
        {
            if (AuthorizationHeader.TryParse(string.Concat(parts), out var header, out var reason))
                Assert.True(AuthorizationHeader.TryParse(header.ToString(), out var again, out _) && again.ToString() == header.ToString());
            else
                Assert.NotEmpty(reason);
        }, iter: 20_000);
    }

    [Theory]
    [InlineData(null, "no signature")]
    [InlineData("AWS4-X509-RSA-SHA256", "no algorithm")]
    [InlineData("A Credential=0xab:/20260101/r/s/aws4_request, SignedHeaders=host, Signature=00", "no key")]
    [InlineData("A Credential=1/20260101/r/s/aws5_request, SignedHeaders=host, Signature=00", "KEY/DATE/REGION/SERVICE")]
    [InlineData("A Credential=1/20260101/r/s/aws4_request, SignedHeaders=x;host, Signature=00", "sorted list")]
    [InlineData("A Credential=1/20260101/r/s/aws4_request, SignedHeaders=host, Signature=0G", "hexadecimal")]
    [InlineData("A Credential=1/20260101/r/s/aws4_request, Credential=1, Signature=00", "other parts")]
    public void Says_why_a_header_is_none(string? text, string why)
    {
        Assert.False(AuthorizationHeader.TryParse(text, out _, out var reason));
        Assert.Contains(why, reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Times_round_trip()
    {
        Assert.True(AmzDate.TryParse(AmzDate.Format(At), out var at));
        Assert.Equal(At, at);
        Assert.False(AmzDate.TryParse("2026-01-01T00:00:00Z", out _));
    }

    private static CreateSessionCall Call(X509Certificate2 certificate) => new()
    {
        Region = "eu-west-1",
        Host = "rolesanywhere.eu-west-1.amazonaws.com",
        TrustAnchorArn = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a",
        ProfileArn = "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/p",
        RoleArn = "arn:aws:iam::111122223333:role/r",
        RoleSessionName = "web-1",
        DurationSeconds = 900,
        Certificate = certificate.RawData,
        Serial = certificate.SerialNumberBytes,
    };

    private static X509Certificate2 Certificate(ECDsa key, byte[] serial)
    {
        var request = new CertificateRequest("CN=web-1", key, HashAlgorithmName.SHA256);
        return request.Create(request.SubjectName, X509SignatureGenerator.CreateForECDsa(key), At.AddDays(-1), At.AddDays(1), serial);
    }

    private static IEnumerable<KeyValuePair<string, string>> Pairs(string text, char between, char within) =>
        text.Split(between, StringSplitOptions.RemoveEmptyEntries).Select(p => new KeyValuePair<string, string>(p[..p.IndexOf(within, StringComparison.Ordinal)], p[(p.IndexOf(within, StringComparison.Ordinal) + 1)..]));
}
