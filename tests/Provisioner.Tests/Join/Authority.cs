using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Provisioner.Tests.Join;

/// <summary>A certificate authority, with all that OpenSSL 3 wants to see under -x509_strict.</summary>
internal sealed class Authority
{
    private static readonly Oid ServerAuthentication = new("1.3.6.1.5.5.7.3.1");
    private static readonly Oid ClientAuthentication = new("1.3.6.1.5.5.7.3.2");

    private Authority(X509Certificate2 certificate) => Certificate = certificate;

    public X509Certificate2 Certificate { get; }

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    public static Authority Root(string name) => new(Request(name).CreateSelfSigned(Now.AddYears(-1), Now.AddYears(30)));

    public Authority Intermediate(string name)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new Authority(Signed(Request(name, key), Now.AddMonths(-11), Now.AddYears(5)).CopyWithPrivateKey(key));
    }

    public X509Certificate2 IssueServer()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = Leaf(new CertificateRequest("CN=appliance", key, HashAlgorithmName.SHA256), ServerAuthentication);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        return Signed(request, Now.AddHours(-1), Now.AddYears(1)).CopyWithPrivateKey(key);
    }

    /// <summary>A host's certificate; begin and end are days from now.</summary>
    public X509Certificate2 IssueHost(PublicKey key, string name = JoinFixture.HostName, string? alternativeName = null, double begin = -0.01, double end = 90, bool forServers = false)
    {
        var request = Leaf(new CertificateRequest(new X500DistinguishedName($"CN={name}"), key, HashAlgorithmName.SHA256), forServers ? ServerAuthentication : ClientAuthentication);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(alternativeName ?? name);
        request.CertificateExtensions.Add(names.Build());
        return Signed(request, Now.AddDays(begin), Now.AddDays(end));
    }

    private static CertificateRequest Request(string name, ECDsa? key = null)
    {
        var request = new CertificateRequest($"CN={name}", key ?? ECDsa.Create(ECCurve.NamedCurves.nistP256), HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        return request;
    }

    private static CertificateRequest Leaf(CertificateRequest request, Oid purpose)
    {
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([purpose], critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        return request;
    }

    private X509Certificate2 Signed(CertificateRequest request, DateTimeOffset begin, DateTimeOffset end)
    {
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(Certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        // By name and key: given a certificate, it refuses a host whose key is of another kind than the authority's.
        return request.Create(Certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(Certificate.GetECDsaPrivateKey()!), begin, end, RandomNumberGenerator.GetBytes(15).Prepend((byte)1).ToArray());
    }
}
