using System.Formats.Asn1;
using System.Numerics;
using System.Security.Cryptography;

namespace Provisioner.Protocols.Tests.Est;

/// <summary>Certification requests: the fixtures beside, which openssl made (Fixtures/make.sh says how), and others made field by field.</summary>
internal static class Csr
{
    public const string P256 = "1.2.840.10045.3.1.7";
    public const string P384 = "1.3.132.0.34";
    public const string P521 = "1.3.132.0.35";

    public static readonly byte[] NoAttributes = [0xA0, 0x00];

    private static readonly ECDsa Key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>DER of a certification request.</summary>
    public static byte[] Fixture(string name) => Read(name + ".csr.pem");

    /// <summary>DER of a public key.</summary>
    public static byte[] PublicKey(string name) => Read(name + ".pub.pem");

    /// <summary>Where the part that is signed is, in a request.</summary>
    public static Range Signed(byte[] request)
    {
        AsnDecoder.ReadSequence(request, AsnEncodingRules.DER, out var start, out _, out _);
        AsnDecoder.ReadSequence(request.AsSpan(start), AsnEncodingRules.DER, out _, out _, out var length);
        return start..(start + length);
    }

    /// <summary>A request by a P-256 key of this process, truly signed, whatever it says.</summary>
    public static byte[] Make(string subject = "3000", string attributes = "A000", string version = "020100") =>
        Sign([.. Hex(version), .. Hex(subject), .. Key.ExportSubjectPublicKeyInfo(), .. Hex(attributes)]);

    /// <summary>Signs the content of a CertificationRequestInfo with the key of this process.</summary>
    public static byte[] Sign(byte[] information)
    {
        var signed = Tlv(0x30, information);
        var signature = Key.SignData(signed, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        return Tlv(0x30, [.. signed, .. Hex("300A06082A8648CE3D040302"), .. Tlv(0x03, [0, .. signature])]);
    }

    /// <summary>Hex of an attribute extensionRequest, in [0], with these extensions.</summary>
    public static string Extensions(params string[] extensions)
    {
        var list = Tlv(0x30, [.. extensions.SelectMany(Hex)]);
        return Convert.ToHexString(Tlv(0xA0, Tlv(0x30, [.. Hex("06092A864886F70D01090E"), .. Tlv(0x31, list)])));
    }

    /// <summary>Hex of an extension id-ce N with this value.</summary>
    public static string Extension(int number, string value) =>
        Convert.ToHexString(Tlv(0x30, [0x06, 0x03, 0x55, 0x1D, (byte)number, .. Tlv(0x04, Hex(value))]));

    /// <summary>A SubjectPublicKeyInfo for an RSA key.</summary>
    public static byte[] Rsa(BigInteger modulus, BigInteger exponent)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(modulus);
            writer.WriteInteger(exponent);
        }
        return Spki("300D06092A864886F70D0101010500", writer.Encode());
    }

    /// <summary>A SubjectPublicKeyInfo for a point on a named curve.</summary>
    public static byte[] Ec(string curve, params byte[] point)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier("1.2.840.10045.2.1");
            writer.WriteObjectIdentifier(curve);
        }
        return Spki(Convert.ToHexString(writer.Encode()), point);
    }

    public static byte[] Spki(string algorithm, byte[] key) => Tlv(0x30, [.. Hex(algorithm), .. Tlv(0x03, [0, .. key])]);

    public static byte[] Tlv(byte tag, byte[] content) => content.Length switch
    {
        < 0x80 => [tag, (byte)content.Length, .. content],
        < 0x100 => [tag, 0x81, (byte)content.Length, .. content],
        < 0x10000 => [tag, 0x82, (byte)(content.Length >> 8), (byte)content.Length, .. content],
        _ => [tag, 0x83, (byte)(content.Length >> 16), (byte)(content.Length >> 8), (byte)content.Length, .. content],
    };

    public static byte[] Hex(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));

    private static byte[] Read(string file)
    {
        using var stream = typeof(Csr).Assembly.GetManifestResourceStream(file) ?? throw new ArgumentException($"there is no fixture {file}", nameof(file));
        using var reader = new StreamReader(stream);
        var text = reader.ReadToEnd();
        return Convert.FromBase64String(text[PemEncoding.Find(text).Base64Data]);
    }
}
