using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab.Cloud;

/// <summary>
/// An authority of the lab's: the one that everybody there trusts for the public names of AWS, in the place of the world's own, or a cluster's.
/// </summary>
internal sealed class CloudAuthority : IDisposable
{
    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 certificate;
    private readonly DateTimeOffset from = TimeProvider.System.GetUtcNow().AddHours(-1);

    /// <param name="name">Its common name.</param>
    public CloudAuthority(string name)
    {
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        certificate = request.CreateSelfSigned(from, from.AddDays(3));
        Pem = certificate.ExportCertificatePem() + "\n";
    }

    /// <summary>Its certificate.</summary>
    public string Pem { get; }

    /// <summary>A server's certificate for these names, with its key.</summary>
    public X509Certificate2 Issue(params string[] dnsNames)
    {
        using var serverKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + dnsNames[0], serverKey, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var name in dnsNames)
            names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(certificate, true, false));
        using var issued = request.Create(certificate, from, from.AddDays(2), RandomNumberGenerator.GetBytes(8));
        return issued.CopyWithPrivateKey(serverKey);
    }

    /// <summary>Has everything on a virtual server trust it: curl reads the bundle, Python and OpenSSL look for the file of that name.</summary>
    public async Task TrustOnAsync(DisklessOverlay overlay)
    {
        var hash = (await LabProcess.RunAsync("openssl", ["x509", "-noout", "-hash"], input: Pem)).OrThrow().Output.Trim();
        overlay.AddFile("/etc/ssl/certs/ca-certificates.crt", Pem).AddFile($"/etc/ssl/certs/{hash}.0", Pem);
    }

    public void Dispose()
    {
        certificate.Dispose();
        key.Dispose();
    }
}
