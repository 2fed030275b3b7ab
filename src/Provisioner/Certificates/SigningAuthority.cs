using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Certificates.Keys;

namespace Provisioner.Certificates;

/// <summary>An authority with its key opened: it can sign. May be used by many threads at once.</summary>
internal sealed class SigningAuthority : IDisposable
{
    private readonly SigningKey key;
    private readonly X509Certificate2 certificate;
    private readonly X509SubjectKeyIdentifierExtension keyIdentifier;

    /// <param name="record">Complete, that is with its certificate.</param>
    /// <param name="key">Belongs to this from now on.</param>
    public SigningAuthority(Authority record, SigningKey key)
    {
        Record = record;
        this.key = key;
        certificate = X509CertificateLoader.LoadCertificate(record.Der!);
        // As it stands in the certificate, which another authority may have made: RFC 5280 §4.2.1.1 wants the same octets below.
        keyIdentifier = certificate.Extensions.OfType<X509SubjectKeyIdentifierExtension>().FirstOrDefault() ?? CertificateProfiles.KeyIdentifier(key.PublicKey);
    }

    public Authority Record { get; }

    /// <summary>A certificate for a host's key.</summary>
    /// <param name="publicKey">SubjectPublicKeyInfo, DER, of a key that passed <see cref="Protocols.Est.PublicKeyRules"/>.</param>
    public Certificate IssueHost(string host, ReadOnlyMemory<byte> publicKey, DateTimeOffset now, TimeSpan lifetime)
    {
        var subject = PublicKey.CreateFromSubjectPublicKeyInfo(publicKey.Span, out _);
        return Sign(CertificateProfiles.Host(host, subject, key.Hash, keyIdentifier), host, CertificatePurpose.Host, publicKey.Span, now, lifetime);
    }

    /// <summary>A certificate for the appliance's own TLS key.</summary>
    public Certificate IssueAppliance(string name, IEnumerable<string> dnsNames, IEnumerable<IPAddress> addresses, PublicKey publicKey, DateTimeOffset now, TimeSpan lifetime) =>
        Sign(CertificateProfiles.Appliance(name, dnsNames, addresses, publicKey, key.Hash, keyIdentifier),
            name, CertificatePurpose.Appliance, publicKey.ExportSubjectPublicKeyInfo(), now, lifetime);

    /// <summary>A certificate by which the appliance itself is a client of AWS.</summary>
    /// <param name="name">Its CN; it has no other name.</param>
    /// <param name="recordedAs">Whose it is in the record.</param>
    public Certificate IssueClient(string name, string recordedAs, PublicKey publicKey, DateTimeOffset now, TimeSpan lifetime) =>
        Sign(CertificateProfiles.Client(name, publicKey, key.Hash, keyIdentifier), recordedAs, CertificatePurpose.Appliance, publicKey.ExportSubjectPublicKeyInfo(), now, lifetime);

    /// <summary>A revocation list, version 2, with number and reasons (RFC 5280 §5).</summary>
    /// <returns>DER.</returns>
    public byte[] SignList(long number, IEnumerable<Certificate> revoked, DateTimeOffset now, DateTimeOffset next)
    {
        var builder = new CertificateRevocationListBuilder();
        foreach (var entry in revoked)
        {
            // RFC 5280 §5.3.1: unspecified is said by leaving the reason away.
            X509RevocationReason? reason = entry.RevokedBecause is null or RevocationReason.Unspecified ? null : (X509RevocationReason)entry.RevokedBecause;
            builder.AddEntry(SignedInteger(entry.Serial), entry.RevokedAt!.Value, reason);
        }
        return builder.Build(certificate.SubjectName, key.Generator, number, next, key.Hash, X509AuthorityKeyIdentifierExtension.CreateFromSubjectKeyIdentifier(keyIdentifier), now);
    }

    public void Dispose()
    {
        key.Dispose();
        certificate.Dispose();
    }

    /// <summary>An authority that signs itself.</summary>
    public static byte[] SignSelf(SigningKey key, X500DistinguishedName subject, DateTimeOffset now, TimeSpan lifetime)
    {
        var (notBefore, notAfter) = Validity.From(now, lifetime);
        using var made = CertificateProfiles.Authority(subject, key.PublicKey, key.Hash).Create(subject, key.Generator, notBefore, notAfter, CertificateProfiles.NewSerial());
        return made.RawData;
    }

    /// <summary>A request to a corporate authority (PKCS#10, DER).</summary>
    public static byte[] Request(SigningKey key, X500DistinguishedName subject) =>
        CertificateProfiles.Authority(subject, key.PublicKey, key.Hash).CreateSigningRequest(key.Generator);

    private Certificate Sign(CertificateRequest request, string host, CertificatePurpose purpose, ReadOnlySpan<byte> publicKey, DateTimeOffset now, TimeSpan lifetime)
    {
        var (notBefore, notAfter) = Validity.From(now, lifetime).Within(new Validity(Record.NotBefore, Record.NotAfter));
        var serial = CertificateProfiles.NewSerial();
        return new Certificate
        {
            Serial = Convert.ToHexStringLower(serial),
            Host = host,
            Purpose = purpose,
            Authority = Record.Id,
            IssuedAt = now,
            NotBefore = notBefore,
            NotAfter = notAfter,
            KeyHash = Convert.ToHexStringLower(SHA256.HashData(publicKey)),
            Der = CertificateEncoding.Sign(request, certificate.SubjectName, key.Generator, notBefore, notAfter, serial),
        };
    }

    // The builder takes an INTEGER's octets, where the first bit is the sign; a serial is always positive (RFC 5280 §4.1.2.2).
    private static byte[] SignedInteger(string serial)
    {
        var octets = Convert.FromHexString(serial);
        return octets[0] < 0x80 ? octets : [0, .. octets];
    }
}
