using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Provisioner.Protocols.Est;

/// <summary>How a request is signed, of the ways that are accepted.</summary>
/// <param name="Key">The kind of key that signs so.</param>
/// <param name="Hash">SHA-256, SHA-384 or SHA-512.</param>
/// <param name="Padding">For RSA.</param>
internal sealed record SignatureAlgorithm(PublicKeyAlgorithm Key, HashAlgorithmName Hash, RSASignaturePadding? Padding)
{
    private const string Pss = "1.2.840.113549.1.1.10";
    private const string Mgf1 = "1.2.840.113549.1.1.8";

    /// <summary>Reads an AlgorithmIdentifier.</summary>
    /// <param name="content">Of its SEQUENCE, checked to be DER.</param>
    /// <param name="key">The key that is said to have signed.</param>
    /// <param name="algorithm">What it says.</param>
    /// <param name="reason">Why it is refused.</param>
    public static bool TryParse(ReadOnlySpan<byte> content, PublicKeyAlgorithm key, [NotNullWhen(true)] out SignatureAlgorithm? algorithm, [NotNullWhen(false)] out string? reason)
    {
        algorithm = null;
        var reader = new DerReader(content);
        if (!reader.TryRead(Der.ObjectIdentifier, out var identifier))
        {
            reason = "the signature's algorithm does not begin with an OBJECT IDENTIFIER";
            return false;
        }
        var oid = Der.Dotted(identifier);
        SignatureAlgorithm? named = oid switch
        {
            "1.2.840.10045.4.3.2" => new(PublicKeyAlgorithm.EllipticCurve, HashAlgorithmName.SHA256, null),
            "1.2.840.10045.4.3.3" => new(PublicKeyAlgorithm.EllipticCurve, HashAlgorithmName.SHA384, null),
            "1.2.840.10045.4.3.4" => new(PublicKeyAlgorithm.EllipticCurve, HashAlgorithmName.SHA512, null),
            "1.2.840.113549.1.1.11" => new(PublicKeyAlgorithm.Rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            "1.2.840.113549.1.1.12" => new(PublicKeyAlgorithm.Rsa, HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1),
            "1.2.840.113549.1.1.13" => new(PublicKeyAlgorithm.Rsa, HashAlgorithmName.SHA512, RSASignaturePadding.Pkcs1),
            Pss => new(PublicKeyAlgorithm.Rsa, default, RSASignaturePadding.Pss),
            _ => null,
        };
        if (named is null)
        {
            reason = oid switch
            {
                "1.2.840.113549.1.1.4" => "the request is signed with MD5",
                "1.2.840.113549.1.1.5" or "1.2.840.10045.4.1" => "the request is signed with SHA-1",
                "1.2.840.113549.1.1.14" or "1.2.840.10045.4.3.1" => "the request is signed with SHA-224",
                _ => $"the request is signed with the algorithm {oid}",
            } + ": sign it with ECDSA or RSA and SHA-256, SHA-384 or SHA-512";
            return false;
        }
        if (named.Key != key)
        {
            reason = key == PublicKeyAlgorithm.Rsa
                ? "the request is signed with ECDSA, but its key is an RSA key"
                : "the request is signed with RSA, but its key is an EC key";
            return false;
        }
        if (oid == Pss)
            return TryParsePss(reader, out algorithm, out reason);
        // RFC 5758 §3.2: absent for ECDSA. RFC 4055 §5: NULL for RSA, but absent must be accepted.
        if (key == PublicKeyAlgorithm.Rsa)
            reader.TryRead(Der.Null, out _);
        if (!reader.IsEmpty)
        {
            reason = $"the signature's algorithm has parameters that it does not take: {(key == PublicKeyAlgorithm.Rsa ? "RSA with PKCS #1 v1.5 has NULL" : "ECDSA has none")}";
            return false;
        }
        algorithm = named;
        reason = null;
        return true;
    }

    /// <summary>Whether the signature over the bytes was made with the private half of the key.</summary>
    /// <param name="subjectPublicKeyInfo">A key that <see cref="PublicKeyRules"/> accepts.</param>
    /// <param name="signed">What is signed.</param>
    /// <param name="signature">Any bytes.</param>
    public bool Verifies(ReadOnlySpan<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature)
    {
        try
        {
            if (Padding is null)
            {
                // RFC 3279 §2.2.3: SEQUENCE of r and s, which the system's library wants in DER and whole.
                using var ecdsa = ECDsa.Create();
                ecdsa.ImportSubjectPublicKeyInfo(subjectPublicKeyInfo, out _);
                return ecdsa.VerifyData(signed, signature, Hash, DSASignatureFormat.Rfc3279DerSequence);
            }
            using var rsa = RSA.Create();
            rsa.ImportSubjectPublicKeyInfo(subjectPublicKeyInfo, out _);
            return rsa.VerifyData(signed, signature, Hash, Padding);
        }
        catch (CryptographicException)
        {
            // The system's library has limits of its own, and says so in this way.
            return false;
        }
    }

    /// <summary>RSASSA-PSS-params (RFC 4055 §3.1), of which the system's library verifies those with one hash and a salt of its length.</summary>
    private static bool TryParsePss(DerReader reader, [NotNullWhen(true)] out SignatureAlgorithm? algorithm, [NotNullWhen(false)] out string? reason)
    {
        algorithm = null;
        if (!reader.TryRead(Der.Sequence, out var content) || !reader.IsEmpty)
        {
            reason = "the signature's algorithm RSASSA-PSS must have parameters";
            return false;
        }
        var parameters = new DerReader(content);
        // Left out, hash and mask mean SHA-1.
        if (!parameters.TryRead(Der.Context0, out var hashField) || FindHash(hashField) is not { } hash)
        {
            reason = "the request is signed with RSASSA-PSS and another hash than SHA-256, SHA-384 and SHA-512";
            return false;
        }
        if (!parameters.TryRead(0xA1, out var maskField) || FindMaskHash(maskField) != hash)
        {
            reason = $"the request is signed with RSASSA-PSS and {hash}, but its mask is not made by MGF1 with the same hash";
            return false;
        }
        var length = hash == HashAlgorithmName.SHA256 ? 32 : hash == HashAlgorithmName.SHA384 ? 48 : 64;
        var salt = parameters.TryRead(0xA2, out var saltField) ? new DerReader(saltField) : default;
        if (!salt.TryRead(Der.Integer, out var octets) || !octets.SequenceEqual([(byte)length]) || !salt.IsEmpty)
        {
            reason = $"the request is signed with RSASSA-PSS and a salt that is not as long as its hash {hash}: use {length} octets";
            return false;
        }
        // trailerField has one value, its default, which DER leaves out.
        if (!parameters.IsEmpty)
        {
            reason = "the parameters of the signature's algorithm RSASSA-PSS hold more than hash, mask and salt";
            return false;
        }
        algorithm = new SignatureAlgorithm(PublicKeyAlgorithm.Rsa, hash, RSASignaturePadding.Pss);
        reason = null;
        return true;
    }

    private static HashAlgorithmName? FindHash(ReadOnlySpan<byte> field)
    {
        var outer = new DerReader(field);
        if (!outer.TryRead(Der.Sequence, out var content) || !outer.IsEmpty)
            return null;
        var reader = new DerReader(content);
        if (!reader.TryRead(Der.ObjectIdentifier, out var identifier))
            return null;
        // RFC 4055 §2.1: both NULL and absent are accepted.
        reader.TryRead(Der.Null, out _);
        if (!reader.IsEmpty)
            return null;
        return Der.Dotted(identifier) switch
        {
            "2.16.840.1.101.3.4.2.1" => HashAlgorithmName.SHA256,
            "2.16.840.1.101.3.4.2.2" => HashAlgorithmName.SHA384,
            "2.16.840.1.101.3.4.2.3" => HashAlgorithmName.SHA512,
            _ => null,
        };
    }

    private static HashAlgorithmName? FindMaskHash(ReadOnlySpan<byte> field)
    {
        var outer = new DerReader(field);
        if (!outer.TryRead(Der.Sequence, out var content) || !outer.IsEmpty)
            return null;
        var reader = new DerReader(content);
        return reader.TryRead(Der.ObjectIdentifier, out var identifier) && Der.Dotted(identifier) == Mgf1
            ? FindHash(reader.Remaining)
            : null;
    }
}
