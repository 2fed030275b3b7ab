using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Resources;

namespace Provisioner.Certificates;

/// <summary>Reads what a corporate authority gave back: our authority's certificate and the ones above it.</summary>
internal static class ImportedAuthority
{
    private const int MaximumCertificates = 8;

    /// <param name="pem">Certificates in any order; other text between them is ignored.</param>
    /// <param name="candidates">The authorities it may be for.</param>
    /// <returns>The authority with its certificate and chain; a pending one has become <see cref="AuthorityState.Next"/>.</returns>
    /// <exception cref="ChangeRefusedException">All that is wrong with it.</exception>
    public static Authority Read(string pem, IReadOnlyList<Authority> candidates, DateTimeOffset now)
    {
        var certificates = Certificates(pem);
        try
        {
            foreach (var authority in candidates)
            {
                if (certificates.Find(c => KeyHash(c) == authority.KeyHash) is { } own)
                    return Complete(authority, own, certificates, now);
            }
            throw Refused("none of these certificates is for a key of this appliance", "the certificate made from what 'provisioner ca csr' gave");
        }
        finally
        {
            certificates.ForEach(c => c.Dispose());
        }
    }

    private static Authority Complete(Authority authority, X509Certificate2 own, List<X509Certificate2> all, DateTimeOffset now)
    {
        var mistakes = new List<Mistake>();
        void Wrong(string what, string expected) => mistakes.Add(new Mistake(what) { Value = own.Subject, Expected = expected });

        var basic = own.Extensions.OfType<X509BasicConstraintsExtension>().FirstOrDefault();
        if (own.Version != 3)
            Wrong($"the certificate is of version {own.Version}", "version 3");
        if (basic is not { CertificateAuthority: true, Critical: true })
            Wrong("the certificate is not that of an authority", "critical basicConstraints with CA:TRUE; sign it with a profile for subordinate authorities");
        var usage = own.Extensions.OfType<X509KeyUsageExtension>().FirstOrDefault()?.KeyUsages ?? X509KeyUsageFlags.None;
        if (!usage.HasFlag(X509KeyUsageFlags.KeyCertSign) || !usage.HasFlag(X509KeyUsageFlags.CrlSign))
            Wrong($"its key usage is {usage}", "keyCertSign and cRLSign");
        if (own.SignatureAlgorithm.Value is "1.2.840.113549.1.1.5" or "1.2.840.113549.1.1.4" or "1.2.840.10045.4.1")
            Wrong($"it is signed with {own.SignatureAlgorithm.FriendlyName}", "SHA-256 or stronger, which IAM Roles Anywhere asks for");
        var validity = Validity.Of(own);
        if (!validity.Contains(now))
            Wrong($"it is good from {validity}", "a certificate that is good now");
        // Those that were issued name the authority as it was called then.
        if (authority.IssuingSince is not null && !own.SubjectName.RawData.AsSpan().SequenceEqual(new X500DistinguishedName(authority.Subject).RawData))
            Wrong($"its subject is '{own.Subject}'", $"'{authority.Subject}', the issuer that stands in certificates made before");
        var chain = ChainOf(own, all, Wrong);
        if (mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, mistakes);
        return authority with
        {
            State = authority.State == AuthorityState.Pending ? AuthorityState.Next : authority.State,
            Subject = own.SubjectName.Name,
            Der = own.RawData,
            Chain = [.. chain.Select(c => c.RawData)],
            NotBefore = validity.NotBefore,
            NotAfter = validity.NotAfter,
        };
    }

    // From our own upwards, each signed by the next, up to one that signed itself.
    private static List<X509Certificate2> ChainOf(X509Certificate2 own, List<X509Certificate2> all, Action<string, string> wrong)
    {
        var chain = new List<X509Certificate2>();
        var lower = own;
        while (!IsSignedBy(lower, lower))
        {
            var issuer = all.Find(c => !chain.Contains(c) && c != own && IsSignedBy(lower, c));
            if (issuer is null)
            {
                wrong($"the certificate of its issuer '{lower.Issuer}' is missing or did not sign it", "a file with all certificates up to the root");
                break;
            }
            if (issuer.Extensions.OfType<X509BasicConstraintsExtension>().FirstOrDefault() is not { CertificateAuthority: true })
                wrong($"'{issuer.Subject}' above it is no authority", "certificates with CA:TRUE");
            chain.Add(issuer);
            lower = issuer;
        }
        return chain;
    }

    private static bool IsSignedBy(X509Certificate2 certificate, X509Certificate2 issuer)
    {
        if (!certificate.IssuerName.RawData.AsSpan().SequenceEqual(issuer.SubjectName.RawData))
            return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(issuer);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        // Only whether the signature is the issuer's: time and what else is wrong is said above.
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllFlags;
        chain.Build(certificate);
        return !chain.ChainStatus.Any(s => s.Status.HasFlag(X509ChainStatusFlags.NotSignatureValid) || s.Status.HasFlag(X509ChainStatusFlags.PartialChain))
            && chain.ChainElements.Count == (ReferenceEquals(certificate, issuer) ? 1 : 2);
    }

    private static List<X509Certificate2> Certificates(string pem)
    {
        var found = new List<X509Certificate2>();
        var rest = pem.AsSpan();
        try
        {
            while (PemEncoding.TryFind(rest, out var fields))
            {
                if (rest[fields.Label] is "CERTIFICATE" && !rest[fields.Base64Data].IsEmpty)
                    found.Add(X509CertificateLoader.LoadCertificate(Convert.FromBase64String(rest[fields.Base64Data].ToString())));
                if (found.Count > MaximumCertificates)
                    throw Refused($"there are more than {MaximumCertificates} certificates", "our own and the ones above it");
                rest = rest[fields.Location.End..];
            }
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            throw Refused($"certificate {found.Count + 1} cannot be read: {e.Message}", "certificates in PEM form");
        }
        return found.Count > 0 ? found : throw Refused("there is no certificate in it", "certificates in PEM form, beginning with -----BEGIN CERTIFICATE-----");
    }

    private static string KeyHash(X509Certificate2 certificate) => Convert.ToHexStringLower(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));

    private static ChangeRefusedException Refused(string what, string expected) => new(RefusalKind.Invalid, [new Mistake(what) { Expected = expected }]);
}
