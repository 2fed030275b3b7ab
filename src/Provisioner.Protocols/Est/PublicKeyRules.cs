using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace Provisioner.Protocols.Est;

/// <summary>
/// Which public keys a certificate may be issued for: those of which nobody but the owner can find the private half, as far as the
/// public half tells. The list follows RFC 5480, SP 800-89 §5 and the ways in which generators of keys have failed.
/// </summary>
public static class PublicKeyRules
{
    /// <summary>The shortest modulus that is accepted.</summary>
    public const int MinimumRsaBits = 2048;

    /// <summary>The longest modulus that is accepted: beyond, a signature costs the one who verifies more than it gains.</summary>
    public const int MaximumRsaBits = 8192;

    private const string RsaEncryption = "1.2.840.113549.1.1.1";
    private const string EcPublicKey = "1.2.840.10045.2.1";
    private const string UseInstead = "use EC P-256, P-384, P-521 or RSA 2048 to 8192";
    private const int MinimumExponent = 65537;
    private const int MaximumExponentBits = 256;
    private const int WideExponentModulusBits = 3072;

    /// <summary>Looks at a public key.</summary>
    /// <param name="subjectPublicKeyInfo">DER of it, with its algorithm (RFC 5280 §4.1.2.7).</param>
    /// <param name="kind">What it is.</param>
    /// <param name="reason">When false is returned: why no certificate may be issued for it.</param>
    /// <remarks>Any bytes at all may be given; nothing is thrown.</remarks>
    public static bool TryCheck(ReadOnlySpan<byte> subjectPublicKeyInfo, [NotNullWhen(true)] out PublicKeyKind? kind, [NotNullWhen(false)] out string? reason)
    {
        kind = null;
        if (!Der.TryCheck(subjectPublicKeyInfo, "public key", out reason))
            return false;
        var outer = new DerReader(subjectPublicKeyInfo);
        if (!outer.TryRead(Der.Sequence, out var content))
        {
            reason = "the public key is not a SubjectPublicKeyInfo: it is no SEQUENCE";
            return false;
        }
        var reader = new DerReader(content);
        if (!reader.TryRead(Der.Sequence, out var algorithmContent) || !reader.TryRead(Der.BitString, out var bits) || !reader.IsEmpty)
        {
            reason = "the public key is not a SubjectPublicKeyInfo: it must hold an algorithm and a BIT STRING, and nothing else";
            return false;
        }
        var algorithm = new DerReader(algorithmContent);
        if (!algorithm.TryRead(Der.ObjectIdentifier, out var identifier))
        {
            reason = "the public key's algorithm does not begin with an OBJECT IDENTIFIER";
            return false;
        }
        if (bits[0] != 0)
        {
            reason = $"the public key's BIT STRING leaves {bits[0]} bits unused, a key is whole octets";
            return false;
        }
        var oid = Der.Dotted(identifier);
        switch (oid)
        {
            case EcPublicKey:
                return TryCheckPoint(algorithm, bits[1..], out kind, out reason);
            case RsaEncryption:
                return TryCheckRsa(algorithm, bits[1..], out kind, out reason);
            default:
                reason = $"keys of the algorithm {Name(oid)} get no certificate: {UseInstead}";
                return false;
        }
    }

    private static bool TryCheckPoint(DerReader parameters, ReadOnlySpan<byte> point, [NotNullWhen(true)] out PublicKeyKind? kind, [NotNullWhen(false)] out string? reason)
    {
        kind = null;
        if (parameters.NextTag == Der.Sequence)
        {
            // RFC 5480 §2.1.1: specifiedCurve MUST NOT be used. With a generator of one's own choice any key can be claimed (CVE-2020-0601).
            reason = "the public key spells out the parameters of its curve: name the curve instead, P-256, P-384 or P-521";
            return false;
        }
        if (!parameters.TryRead(Der.ObjectIdentifier, out var identifier) || !parameters.IsEmpty)
        {
            reason = "the public key does not name its curve: P-256, P-384 or P-521";
            return false;
        }
        var oid = Der.Dotted(identifier);
        if (PrimeCurve.Find(oid) is not { } curve)
        {
            reason = $"keys on the curve {Name(oid)} get no certificate: {UseInstead}";
            return false;
        }
        var octets = (curve.Bits + 7) / 8;
        reason = point switch
        {
            [] => "the public key has no point",
            [0x00] => $"the public key is the point at infinity of {curve}, which belongs to no private key",
            [0x02 or 0x03, ..] => $"the public key's point is compressed: send both coordinates, 04 and {2 * octets} octets",
            [0x04, ..] when point.Length == 1 + 2 * octets => null,
            [0x04, ..] => $"the public key's point has {point.Length} octets, {curve} has {1 + 2 * octets}",
            _ => $"the public key's point begins with 0x{point[0]:x2}: send both coordinates, 04 and {2 * octets} octets",
        };
        if (reason is not null)
            return false;
        if (!curve.Contains(Unsigned(point[1..(1 + octets)]), Unsigned(point[(1 + octets)..])))
        {
            reason = $"the public key's point is not on the curve {curve}";
            return false;
        }
        kind = new PublicKeyKind(PublicKeyAlgorithm.EllipticCurve, curve.Bits);
        return true;
    }

    private static bool TryCheckRsa(DerReader parameters, ReadOnlySpan<byte> key, [NotNullWhen(true)] out PublicKeyKind? kind, [NotNullWhen(false)] out string? reason)
    {
        kind = null;
        // RFC 3279 §2.3.1: the parameters of rsaEncryption are NULL and must be there.
        if (!parameters.TryRead(Der.Null, out _) || !parameters.IsEmpty)
        {
            reason = "the parameters of the public key's algorithm rsaEncryption must be NULL";
            return false;
        }
        if (!Der.TryCheck(key, "RSA public key", out reason))
            return false;
        var outer = new DerReader(key);
        if (!outer.TryRead(Der.Sequence, out var content))
        {
            reason = "the RSA public key is no SEQUENCE of modulus and exponent";
            return false;
        }
        var reader = new DerReader(content);
        if (!reader.TryRead(Der.Integer, out var modulusOctets) || !reader.TryRead(Der.Integer, out var exponentOctets) || !reader.IsEmpty)
        {
            reason = "the RSA public key must hold a modulus and an exponent, and nothing else";
            return false;
        }
        if ((modulusOctets[0] & 0x80) != 0 || (exponentOctets[0] & 0x80) != 0)
        {
            reason = $"the RSA {((modulusOctets[0] & 0x80) != 0 ? "modulus" : "exponent")} is negative: an octet 00 is missing before it";
            return false;
        }
        var modulus = Unsigned(modulusOctets);
        var exponent = Unsigned(exponentOctets);
        var bits = (int)modulus.GetBitLength();
        reason = FindWrongSize(bits) ?? FindWrongExponent(exponent, bits) ?? RsaWeakness.Find(modulus);
        if (reason is not null)
            return false;
        kind = new PublicKeyKind(PublicKeyAlgorithm.Rsa, bits);
        return true;
    }

    private static string? FindWrongSize(int bits) => bits switch
    {
        < MinimumRsaBits => $"the RSA modulus has {bits} bits, {MinimumRsaBits} is the least: {UseInstead}",
        > MaximumRsaBits => $"the RSA modulus has {bits} bits, {MaximumRsaBits} is the most: {UseInstead}",
        _ => null,
    };

    /// <summary>2^16 &lt; e &lt; 2^256 and odd (FIPS 186-5 §5.1).</summary>
    private static string? FindWrongExponent(BigInteger exponent, int modulusBits)
    {
        if (exponent.GetBitLength() > MaximumExponentBits)
            return $"the RSA exponent has {exponent.GetBitLength()} bits, it must be below 2^{MaximumExponentBits}: use {MinimumExponent}";
        if (exponent.IsEven)
            return $"the RSA exponent {exponent} is even, so that no private key exists: use {MinimumExponent}";
        // OPENSSL_RSA_MAX_PUBEXP_BITS: no OpenSSL verifies what such a key signs.
        if (modulusBits > WideExponentModulusBits && exponent.GetBitLength() > 64)
            return $"the RSA exponent has {exponent.GetBitLength()} bits, with a modulus of more than {WideExponentModulusBits} bits it must be below 2^64: use {MinimumExponent}";
        return exponent < MinimumExponent ? $"the RSA exponent is {exponent}, {MinimumExponent} is the least" : null;
    }

    private static BigInteger Unsigned(ReadOnlySpan<byte> octets) => new(octets, isUnsigned: true, isBigEndian: true);

    /// <summary>The name people know, with the identifier where it is not one of the usual.</summary>
    private static string Name(string oid) => oid switch
    {
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        "1.2.840.113549.1.1.7" => "RSAES-OAEP",
        "1.2.840.10040.4.1" => "DSA",
        "1.2.840.10046.2.1" => "Diffie-Hellman",
        "1.3.101.110" => "X25519",
        "1.3.101.111" => "X448",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        "2.16.840.1.101.3.4.3.17" => "ML-DSA-44",
        "2.16.840.1.101.3.4.3.18" => "ML-DSA-65",
        "2.16.840.1.101.3.4.3.19" => "ML-DSA-87",
        "1.2.840.10045.3.1.1" => "P-192",
        "1.3.132.0.33" => "P-224",
        "1.3.132.0.10" => "secp256k1",
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1",
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1",
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1",
        _ => oid,
    };
}
