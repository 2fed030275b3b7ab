using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Provisioner.AwsDoubles;

/// <summary>A revocation list as Roles Anywhere reads it (RFC 5280 §5.1).</summary>
internal sealed class RevocationList
{
    private static readonly Dictionary<string, HashAlgorithmName> Hashes = new(StringComparer.Ordinal)
    {
        ["1.2.840.10045.4.3.2"] = HashAlgorithmName.SHA256, ["1.2.840.10045.4.3.3"] = HashAlgorithmName.SHA384, ["1.2.840.10045.4.3.4"] = HashAlgorithmName.SHA512,
        ["1.2.840.113549.1.1.11"] = HashAlgorithmName.SHA256, ["1.2.840.113549.1.1.12"] = HashAlgorithmName.SHA384, ["1.2.840.113549.1.1.13"] = HashAlgorithmName.SHA512,
    };

    private readonly byte[] signed;
    private readonly byte[] signature;
    private readonly string algorithm;

    private RevocationList(byte[] der)
    {
        var outer = new AsnReader(der, AsnEncodingRules.DER).ReadSequence();
        signed = outer.PeekEncodedValue().ToArray();
        var list = outer.ReadSequence();
        algorithm = outer.ReadSequence().ReadObjectIdentifier();
        signature = outer.ReadBitString(out _);
        list.ReadInteger(); // Version 2: a list has to have its extensions.
        list.ReadEncodedValue();
        Issuer = list.ReadEncodedValue().ToArray();
        list.ReadEncodedValue();
        if (list.PeekTag().TagClass == TagClass.Universal && list.PeekTag().TagValue is (int)UniversalTagNumber.UtcTime or (int)UniversalTagNumber.GeneralizedTime)
            list.ReadEncodedValue();
        if (!list.HasData || list.PeekTag() != Asn1Tag.Sequence)
            return;
        for (var entries = list.ReadSequence(); entries.HasData;)
            Serials.Add(Convert.ToHexStringLower(entries.ReadSequence().ReadIntegerBytes().Span.TrimStart((byte)0)));
    }

    public byte[] Issuer { get; }

    /// <summary>Hexadecimal, without leading zeros' octets.</summary>
    public HashSet<string> Serials { get; } = new(StringComparer.Ordinal);

    /// <exception cref="AwsRefusal">It is none, or too long.</exception>
    public static RevocationList Read(byte[] pem)
    {
        try
        {
            var text = Encoding.ASCII.GetString(pem);
            var fields = PemEncoding.Find(text);
            if (pem.Length > 300_000 || text[fields.Label] != "X509 CRL")
                throw AwsRefusal.Invalid("Incorrect CRL data: at most 300000 bytes of PEM.");
            return new RevocationList(Convert.FromBase64String(text[fields.Base64Data]));
        }
        catch (Exception e) when (e is ArgumentException or FormatException or AsnContentException)
        {
            throw AwsRefusal.Invalid("Incorrect CRL data: it is not in PEM format.");
        }
    }

    public bool IsSignedBy(X509Certificate2 authority)
    {
        if (!authority.SubjectName.RawData.AsSpan().SequenceEqual(Issuer) || !Hashes.TryGetValue(algorithm, out var hash))
            return false;
        using var ec = authority.GetECDsaPublicKey();
        using var rsa = authority.GetRSAPublicKey();
        return ec?.VerifyData(signed, signature, hash, DSASignatureFormat.Rfc3279DerSequence) ?? rsa!.VerifyData(signed, signature, hash, RSASignaturePadding.Pkcs1);
    }
}
