using System.Security.Cryptography;

namespace Provisioner.Protocols.Tests.Est;

/// <summary>The fixtures beside, which openssl made; Fixtures/make.sh says how.</summary>
internal static class Csr
{
    /// <summary>DER of a certification request.</summary>
    public static byte[] Fixture(string name) => Read(name + ".csr.pem");

    /// <summary>DER of a public key.</summary>
    public static byte[] PublicKey(string name) => Read(name + ".pub.pem");

    private static byte[] Read(string file)
    {
        using var stream = typeof(Csr).Assembly.GetManifestResourceStream(file) ?? throw new ArgumentException($"there is no fixture {file}", nameof(file));
        using var reader = new StreamReader(stream);
        var text = reader.ReadToEnd();
        return Convert.FromBase64String(text[PemEncoding.Find(text).Base64Data]);
    }
}
