using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Provisioner.Certificates;

/// <summary>
/// What stands in each kind of certificate (RFC 5280, and https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html).
/// Made from our own template alone: of a request only its public key is used.
/// </summary>
internal static class CertificateProfiles
{
    private static readonly Oid ClientAuthentication = new("1.3.6.1.5.5.7.3.2"), ServerAuthentication = new("1.3.6.1.5.5.7.3.1");

    /// <summary>A host's: CA:FALSE, digitalSignature, clientAuth, CN and DNS name are the host's.</summary>
    public static CertificateRequest Host(string name, PublicKey key, HashAlgorithmName hash, X509SubjectKeyIdentifierExtension issuer)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        return Leaf(name, key, hash, issuer, ClientAuthentication, names);
    }

    /// <summary>The appliance's for TLS: serverAuth, and every name and address hosts may reach it by.</summary>
    public static CertificateRequest Appliance(string name, IEnumerable<string> dnsNames, IEnumerable<IPAddress> addresses, PublicKey key, HashAlgorithmName hash, X509SubjectKeyIdentifierExtension issuer)
    {
        var names = new SubjectAlternativeNameBuilder();
        foreach (var dns in dnsNames)
            names.AddDnsName(dns);
        foreach (var address in addresses)
            names.AddIpAddress(address);
        return Leaf(name, key, hash, issuer, ServerAuthentication, names);
    }

    /// <summary>The appliance's as a client of AWS: clientAuth, and a CN alone.</summary>
    public static CertificateRequest Client(string name, PublicKey key, HashAlgorithmName hash, X509SubjectKeyIdentifierExtension issuer) =>
        Leaf(name, key, hash, issuer, ClientAuthentication, null);

    /// <summary>An authority's: critical CA:TRUE, keyCertSign and cRLSign. It signs no authority below it.</summary>
    public static CertificateRequest Authority(X500DistinguishedName subject, PublicKey key, HashAlgorithmName hash)
    {
        var request = new CertificateRequest(subject, key, hash, key.Oid.Value == RsaOid ? RSASignaturePadding.Pkcs1 : null);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(KeyIdentifier(key));
        return request;
    }

    /// <summary>RFC 7093 §2 (1): the leftmost 160 bits of SHA-256, because SHA-1 is not to be had everywhere any more.</summary>
    public static X509SubjectKeyIdentifierExtension KeyIdentifier(PublicKey key) => new(key, X509SubjectKeyIdentifierHashAlgorithm.ShortSha256, critical: false);

    /// <summary>128 random bits, as a positive number that has no leading zero octet (RFC 5280 §4.1.2.2).</summary>
    public static byte[] NewSerial()
    {
        var serial = new byte[16];
        do
            RandomNumberGenerator.Fill(serial);
        while (serial[0] == 0);
        return serial;
    }

    private const string RsaOid = "1.2.840.113549.1.1.1";

    private static CertificateRequest Leaf(string name, PublicKey key, HashAlgorithmName hash, X509SubjectKeyIdentifierExtension issuer, Oid usage, SubjectAlternativeNameBuilder? names)
    {
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCommonName(name);
        var request = new CertificateRequest(subject.Build(), key, hash);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([usage], critical: false));
        if (names is not null)
            request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(KeyIdentifier(key));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromSubjectKeyIdentifier(issuer));
        return request;
    }
}
