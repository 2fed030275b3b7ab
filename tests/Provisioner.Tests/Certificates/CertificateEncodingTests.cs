using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CsCheck;
using Provisioner.Certificates;

namespace Provisioner.Tests.Certificates;

public sealed class CertificateEncodingTests
{
    private static readonly DateTimeOffset Now = new(2026, 5, 4, 3, 2, 1, 987, TimeSpan.Zero);

    [Theory]
    [InlineData("0102030405060708090a0b0c0d0e0f10", 90)]
    [InlineData("ff02030405060708090a0b0c0d0e0f10", 90)]
    // The end is past 2049: another kind of time.
    [InlineData("0102030405060708090a0b0c0d0e0f10", 36_500)]
    public void Writes_octet_by_octet_what_the_framework_writes(string serial, int days)
    {
        // PKCS #1 v1.5, because its signature over the same octets is the same.
        using var authority = RSA.Create(2048);
        var generator = X509SignatureGenerator.CreateForRSA(authority, RSASignaturePadding.Pkcs1);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issuer = new X500DistinguishedName("CN=Provisioner CA, O=Example");
        var request = CertificateProfiles.Host("web-1.example", new PublicKey(key), HashAlgorithmName.SHA256, CertificateProfiles.KeyIdentifier(generator.PublicKey));
        var made = CertificateEncoding.Sign(request, issuer, generator, Now, Now.AddDays(days), Convert.FromHexString(serial));
        using var expected = request.Create(issuer, generator, Now, Now.AddDays(days), Convert.FromHexString(serial));
        Assert.Equal(Convert.ToHexString(expected.RawData), Convert.ToHexString(made));
        Assert.Equal(serial, CertificateEncoding.SerialOf(made));
    }

    [Fact]
    public void An_EC_authority_s_signature_verifies()
    {
        using var authority = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var generator = X509SignatureGenerator.CreateForECDsa(authority);
        using var key = RSA.Create(2048);
        var issuer = new X500DistinguishedName("CN=Provisioner CA");
        using var above = CertificateProfiles.Authority(issuer, generator.PublicKey, HashAlgorithmName.SHA384).Create(issuer, generator, Now, Now.AddDays(100), [1]);
        var request = CertificateProfiles.Host("web-1", PublicKey.CreateFromSubjectPublicKeyInfo(key.ExportSubjectPublicKeyInfo(), out _), HashAlgorithmName.SHA384, CertificateProfiles.KeyIdentifier(generator.PublicKey));
        using var made = X509CertificateLoader.LoadCertificate(CertificateEncoding.Sign(request, issuer, generator, Now, Now.AddDays(90), [7]));
        using var chain = new X509Chain { ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, VerificationTime = Now.UtcDateTime.AddDays(1) } };
        chain.ChainPolicy.CustomTrustStore.Add(above);
        Assert.True(chain.Build(made), string.Join(", ", chain.ChainStatus.Select(s => s.StatusInformation)));
    }

    [Fact]
    public void Any_bytes_have_a_serial_or_none_and_nothing_is_thrown() =>
        Gen.Byte.Array[0, 64].Sample(bytes => CertificateEncoding.SerialOf(bytes)?.All(char.IsAsciiHexDigitLower) ?? true);

    [Fact]
    public void A_certificate_has_its_serial_and_one_that_is_cut_short_has_none()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256);
        var der = request.Create(request.SubjectName, X509SignatureGenerator.CreateForECDsa(key), Now, Now.AddDays(1), [0x80, 1]).RawData;
        Assert.Equal("8001", CertificateEncoding.SerialOf(der));
        Assert.All(Enumerable.Range(0, der.Length), length => Assert.Null(CertificateEncoding.SerialOf(der.AsMemory(0, length))));
    }
}
