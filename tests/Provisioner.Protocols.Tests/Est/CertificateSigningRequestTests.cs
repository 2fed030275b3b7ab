using Provisioner.Protocols.Est;

namespace Provisioner.Protocols.Tests.Est;

public sealed class CertificateSigningRequestTests
{
    [Theory]
    [InlineData("p256", "P-256")]
    [InlineData("p384", "P-384")]
    [InlineData("p521", "P-521")]
    [InlineData("rsa2048", "RSA 2048")]
    [InlineData("rsa3072", "RSA 3072")]
    [InlineData("rsa4096", "RSA 4096")]
    [InlineData("rsa8192", "RSA 8192")]
    [InlineData("pss256", "RSA 2048")]
    [InlineData("pss512", "RSA 2048")]
    public void Reads_what_openssl_makes(string fixture, string kind)
    {
        var request = Parse(fixture);
        Assert.Equal(kind, request.Key.ToString());
        Assert.Equal(["n1.example"], request.CommonNames);
        Assert.Empty(request.DnsNames);
        Assert.Empty(request.RequestedExtensions);
        Assert.False(request.HasOtherNames);
        Assert.False(request.AsksForAuthority);
        Assert.Null(request.ChallengePassword);
    }

    private static CertificateSigningRequest Parse(string fixture)
    {
        Assert.True(CertificateSigningRequest.TryParse(Csr.Fixture(fixture), out var request, out var reason), reason);
        return request;
    }
}
