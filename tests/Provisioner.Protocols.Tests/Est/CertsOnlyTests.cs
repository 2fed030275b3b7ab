using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Provisioner.Protocols.Est;

namespace Provisioner.Protocols.Tests.Est;

public sealed class CertsOnlyTests
{
    [Fact]
    public async Task Openssl_reads_the_certificates_in_their_order()
    {
        // Ten, so that an order by content is not the given one by chance.
        var certificates = Enumerable.Range(0, 10).Select(Certificate).ToArray();
        var printed = Encoding.UTF8.GetString(await Tool.Run(CertsOnly.Encode(certificates), "openssl", "pkcs7", "-inform", "DER", "-print_certs"));
        Assert.Equal(
            Enumerable.Range(0, 10).Select(i => $"subject=CN = n{i}"),
            printed.Split('\n').Where(line => line.StartsWith("subject=", StringComparison.Ordinal)));
        var read = new X509Certificate2Collection();
        read.ImportFromPem(printed);
        Assert.Equal(certificates.Select(c => c.ToArray()), read.Select(c => c.RawData));
    }

    [Fact]
    public async Task Openssl_cms_and_the_framework_read_it_too()
    {
        var certificates = new[] { Certificate(1), Certificate(2) };
        var message = CertsOnly.Encode(certificates);
        var structure = Encoding.UTF8.GetString(await Tool.Run(message, "openssl", "cms", "-inform", "DER", "-cmsout", "-print", "-noout"));
        Assert.Contains("pkcs7-signedData (1.2.840.113549.1.7.2)", structure, StringComparison.Ordinal);
        Assert.Contains("eContent: <ABSENT>", structure, StringComparison.Ordinal);
        var read = new X509Certificate2Collection();
#pragma warning disable SYSLIB0057 // There is no other reader of this format in the framework.
        read.Import(message);
#pragma warning restore SYSLIB0057
        Assert.Equal(certificates.Select(c => Convert.ToHexString(c.Span)).Order(StringComparer.Ordinal), read.Select(c => Convert.ToHexString(c.RawData)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Is_what_openssl_writes_to_the_byte()
    {
        var certificates = new[] { Certificate(1), Certificate(2), Certificate(3) };
        var pem = Encoding.ASCII.GetBytes(string.Join('\n', certificates.Select(c => PemEncoding.WriteString("CERTIFICATE", c.Span))));
        var theirs = await Tool.Run(pem, "openssl", "crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin", "-outform", "DER");
        Assert.Equal(Convert.ToHexString(theirs), Convert.ToHexString(CertsOnly.Encode(certificates)));
    }

    [Fact]
    public async Task A_client_reads_an_answer_with_two_programs_in_a_pipe()
    {
        var decoded = await Tool.Run(EstMessage.Encode(CertsOnly.Encode([Certificate(7)])), "base64", "-d");
        Assert.Contains("CN = n7", Encoding.UTF8.GetString(await Tool.Run(decoded, "openssl", "pkcs7", "-inform", "DER", "-print_certs", "-noout")), StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_to_write_what_is_no_certificate()
    {
        Assert.Throws<ArgumentException>(() => CertsOnly.Encode([]));
        Assert.Throws<ArgumentException>(() => CertsOnly.Encode([ReadOnlyMemory<byte>.Empty]));
        Assert.Throws<ArgumentException>(() => CertsOnly.Encode(["-----BEGIN CERTIFICATE-----"u8.ToArray()]));
        Assert.Throws<ArgumentException>(() => CertsOnly.Encode([new byte[] { 0x02, 0x01, 0x00 }]));
        Assert.Throws<ArgumentException>(() => CertsOnly.Encode([(byte[])[.. Certificate(1).ToArray(), 0]]));
    }

    private static ReadOnlyMemory<byte> Certificate(int number)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        using var certificate = new CertificateRequest($"CN=n{number}", key, HashAlgorithmName.SHA256).CreateSelfSigned(start, start.AddYears(1));
        return certificate.RawData;
    }
}
