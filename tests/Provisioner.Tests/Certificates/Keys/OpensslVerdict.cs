using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Certificates.Keys;

namespace Provisioner.Tests.Certificates.Keys;

/// <summary>What OpenSSL says of a key's work.</summary>
internal static class OpensslVerdict
{
    private const string Openssl = "/usr/bin/openssl";

    private static readonly DateTimeOffset From = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>A signature over data, an authority's own certificate, one it issued, and a revocation list: all as OpenSSL verifies them.</summary>
    public static void Accepts(SigningKey key, string directory)
    {
        Tool.SkipWithout(Openssl);
        var hash = key.Algorithm == KeyAlgorithm.EcP384 ? "sha384" : "sha256";
        Assert.Equal(hash, key.Hash.Name!.ToLowerInvariant());

        var data = Path.Combine(directory, "data");
        var signature = Path.Combine(directory, "signature");
        var shown = Path.Combine(directory, "public.pem");
        File.WriteAllText(data, "to be signed");
        File.WriteAllText(shown, PemEncoding.WriteString("PUBLIC KEY", key.PublicKey.ExportSubjectPublicKeyInfo()));
        File.WriteAllBytes(signature, key.Generator.SignData(File.ReadAllBytes(data), key.Hash));
        Assert.Contains("Verified OK", Tool.Run(Openssl, "dgst", $"-{hash}", "-verify", shown, "-signature", signature, data), StringComparison.Ordinal);
        File.WriteAllText(data, "something else");
        Assert.NotEqual(0, Tool.Try(Openssl, null, "dgst", $"-{hash}", "-verify", shown, "-signature", signature, data).Code);

        var name = new X500DistinguishedName("CN=Test CA");
        var request = new CertificateRequest(name, key.PublicKey, key.Hash);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(key.PublicKey, false));
        using var authority = request.Create(name, key.Generator, From, From.AddYears(50), [1]);
        var trusted = Path.Combine(directory, "ca.pem");
        File.WriteAllText(trusted, authority.ExportCertificatePem());

        using var hostKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var host = new CertificateRequest("CN=node-1", hostKey, key.Hash).Create(name, key.Generator, From, From.AddYears(50), [2]);
        var issued = Path.Combine(directory, "host.pem");
        File.WriteAllText(issued, host.ExportCertificatePem());

        var builder = new CertificateRevocationListBuilder();
        builder.AddEntry([3], From);
        var list = Path.Combine(directory, "crl.pem");
        File.WriteAllText(list, PemEncoding.WriteString("X509 CRL", builder.Build(name, key.Generator, 1, From.AddYears(50), key.Hash,
            X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, true, false), From)));

        Assert.Contains($"{trusted}: OK", Tool.Run(Openssl, "verify", "-check_ss_sig", "-x509_strict", "-CAfile", trusted, trusted), StringComparison.Ordinal);
        Assert.Contains($"{issued}: OK", Tool.Run(Openssl, "verify", "-crl_check", "-CRLfile", list, "-CAfile", trusted, issued), StringComparison.Ordinal);
    }
}
