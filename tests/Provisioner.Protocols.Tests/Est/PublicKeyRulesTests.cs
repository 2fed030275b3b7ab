using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using CsCheck;
using Provisioner.Protocols.Est;

namespace Provisioner.Protocols.Tests.Est;

public sealed class PublicKeyRulesTests
{
    private const string UseInstead = "use EC P-256, P-384, P-521 or RSA 2048 to 8192";

    /// <summary>No key, but nothing the rules could tell from one: its factors are three beyond the small primes.</summary>
    private static readonly BigInteger Modulus = Product(2048);

    [Theory]
    [InlineData(2048)]
    [InlineData(2049)]
    [InlineData(8192)]
    public void Accepts_RSA_of_2048_to_8192_bits(int bits)
    {
        Assert.True(PublicKeyRules.TryCheck(Csr.Rsa(Product(bits), 65537), out var kind, out var reason), reason);
        Assert.Equal(new PublicKeyKind(PublicKeyAlgorithm.Rsa, bits), kind);
        Assert.Equal($"RSA {bits}", kind.ToString());
    }

    [Theory]
    [InlineData(512, "the RSA modulus has 512 bits, 2048 is the least: " + UseInstead)]
    [InlineData(2047, "the RSA modulus has 2047 bits, 2048 is the least: " + UseInstead)]
    [InlineData(8193, "the RSA modulus has 8193 bits, 8192 is the most: " + UseInstead)]
    public void Refuses_other_lengths(int bits, string expected) => Assert.Equal(expected, ReasonFor(Csr.Rsa(Product(bits), 65537)));

    [Theory]
    [InlineData("65537", null)]
    [InlineData("65539", null)]
    [InlineData("3", "the RSA exponent is 3, 65537 is the least")]
    [InlineData("1", "the RSA exponent is 1, 65537 is the least")]
    [InlineData("65535", "the RSA exponent is 65535, 65537 is the least")]
    [InlineData("0", "the RSA exponent 0 is even, so that no private key exists: use 65537")]
    [InlineData("65536", "the RSA exponent 65536 is even, so that no private key exists: use 65537")]
    [InlineData("115792089237316195423570985008687907853269984665640564039457584007913129639935", null)]
    [InlineData("115792089237316195423570985008687907853269984665640564039457584007913129639937", "the RSA exponent has 257 bits, it must be below 2^256: use 65537")]
    [InlineData("-3", "the RSA exponent is negative: an octet 00 is missing before it")]
    public void Looks_at_the_exponent(string exponent, string? expected) =>
        Assert.Equal(expected, ReasonOrNull(Csr.Rsa(Modulus, BigInteger.Parse(exponent, CultureInfo.InvariantCulture))));

    [Fact]
    public void Refuses_moduli_with_small_factors()
    {
        Assert.Equal("the RSA modulus is even: make another key", ReasonFor(Csr.Rsa(Modulus - 1, 65537)));
        Assert.Equal("the RSA modulus is negative: an octet 00 is missing before it", ReasonFor(Csr.Rsa(-Modulus, 65537)));
        foreach (var factor in new[] { 3, 5, 751, 9973 })
        {
            var times = (BigInteger.One << 2047) / factor + 1;
            while (times.IsEven || Enumerable.Range(3, factor - 3).Any(smaller => times % smaller == 0))
                times++;
            Assert.Equal($"the RSA modulus has the factor {factor}: make another key", ReasonFor(Csr.Rsa(factor * times, 65537)));
        }
    }

    [Fact]
    public void Refuses_the_fingerprint_of_ROCA() =>
        Assert.Equal("the RSA modulus was made by a library whose keys can be factored (ROCA, CVE-2017-15361): make the key elsewhere", ReasonFor(Csr.PublicKey("roca")));

    [Fact]
    public void Refuses_primes_close_to_each_other()
    {
        const string Expected = "the RSA modulus has two factors close to each other, which makes them easy to find (CVE-2022-26320): make the key elsewhere";
        Assert.Equal(Expected, ReasonFor(Csr.PublicKey("close-primes")));
        // The same factor twice, and one a little beside: the two ends of the rounds.
        var factor = WithoutSmallFactors(BigInteger.One << 1024);
        Assert.Equal(Expected, ReasonFor(Csr.Rsa(factor * factor, 65537)));
        Assert.Equal(Expected, ReasonFor(Csr.Rsa(factor * WithoutSmallFactors(factor + 2), 65537)));
        // With factors d apart, d²/8p rounds are needed: 50 here, and 113 there.
        Assert.Equal(Expected, ReasonFor(Csr.Rsa(factor * WithoutSmallFactors(factor + 20 * (BigInteger.One << 512)), 65537)));
        Assert.Null(ReasonOrNull(Csr.Rsa(factor * WithoutSmallFactors(factor + 30 * (BigInteger.One << 512)), 65537)));
    }

    [Fact]
    public void Accepts_keys_of_the_system()
    {
        foreach (var curve in new[] { ECCurve.NamedCurves.nistP256, ECCurve.NamedCurves.nistP384, ECCurve.NamedCurves.nistP521 })
        {
            for (var i = 0; i < 20; i++)
            {
                using var key = ECDsa.Create(curve);
                Assert.True(PublicKeyRules.TryCheck(key.ExportSubjectPublicKeyInfo(), out var kind, out var reason), reason);
                Assert.Equal($"P-{key.KeySize}", kind.ToString());
            }
        }
        using var rsa = RSA.Create(2048);
        Assert.Null(ReasonOrNull(rsa.ExportSubjectPublicKeyInfo()));
    }

    [Theory]
    [InlineData(Csr.P256, 32, "P-256")]
    [InlineData(Csr.P384, 48, "P-384")]
    [InlineData(Csr.P521, 66, "P-521")]
    public void Looks_at_the_point(string curve, int octets, string name)
    {
        using var key = ECDsa.Create(ECCurve.CreateFromValue(curve));
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        byte[] good = [4, .. point.X!, .. point.Y!];
        Assert.Null(ReasonOrNull(Csr.Ec(curve, good)));
        byte[] beside = [.. good[..^1], (byte)(good[^1] ^ 1)];
        Assert.Equal($"the public key's point is not on the curve {name}", ReasonFor(Csr.Ec(curve, beside)));
        Assert.Equal($"the public key's point is not on the curve {name}", ReasonFor(Csr.Ec(curve, [4, .. new byte[2 * octets]])));
        Assert.Equal($"the public key is the point at infinity of {name}, which belongs to no private key", ReasonFor(Csr.Ec(curve, 0)));
        Assert.Equal($"the public key's point is compressed: send both coordinates, 04 and {2 * octets} octets", ReasonFor(Csr.Ec(curve, [2, .. point.X!])));
        Assert.Equal($"the public key's point is compressed: send both coordinates, 04 and {2 * octets} octets", ReasonFor(Csr.Ec(curve, [3, .. point.X!])));
        // The hybrid form of X9.62.
        Assert.Equal($"the public key's point begins with 0x06: send both coordinates, 04 and {2 * octets} octets", ReasonFor(Csr.Ec(curve, [6, .. good[1..]])));
        Assert.Equal($"the public key's point has {2 * octets} octets, {name} has {2 * octets + 1}", ReasonFor(Csr.Ec(curve, good[..^1])));
        Assert.Equal($"the public key's point has {2 * octets + 2} octets, {name} has {2 * octets + 1}", ReasonFor(Csr.Ec(curve, [.. good, 0])));
        Assert.Equal("the public key has no point", ReasonFor(Csr.Ec(curve)));
    }

    [Fact]
    public void Coordinates_are_below_the_prime()
    {
        // x + p solves the equation as x does, but is another key to whom compares bytes. P-521 has the bits to spare.
        var prime = BigInteger.Pow(2, 521) - 1;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP521);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        var beyond = (new BigInteger(point.X!, isUnsigned: true, isBigEndian: true) + prime).ToByteArray(isUnsigned: true, isBigEndian: true);
        Assert.Equal(66, beyond.Length);
        Assert.Equal("the public key's point is not on the curve P-521", ReasonFor(Csr.Ec(Csr.P521, [4, .. beyond, .. point.Y!])));
    }

    [Fact]
    public void A_point_of_one_curve_is_none_of_another()
    {
        // An invalid-curve attack in small: secp256k1 has coordinates of the same length.
        using var key = ECDsa.Create(ECCurve.CreateFromValue("1.3.132.0.10"));
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        Assert.Equal("the public key's point is not on the curve P-256", ReasonFor(Csr.Ec(Csr.P256, [4, .. point.X!, .. point.Y!])));
    }

    [Theory]
    [InlineData("3005 06032B656E", "keys of the algorithm X25519 get no certificate: " + UseInstead)]
    [InlineData("3005 06032B6570", "keys of the algorithm Ed25519 get no certificate: " + UseInstead)]
    [InlineData("3005 06032B6571", "keys of the algorithm Ed448 get no certificate: " + UseInstead)]
    [InlineData("300B 0609608648016503040311", "keys of the algorithm ML-DSA-44 get no certificate: " + UseInstead)]
    [InlineData("300B 0609608648016503040312", "keys of the algorithm ML-DSA-65 get no certificate: " + UseInstead)]
    [InlineData("300B 0609608648016503040313", "keys of the algorithm ML-DSA-87 get no certificate: " + UseInstead)]
    [InlineData("3009 06072A8648CE380401", "keys of the algorithm DSA get no certificate: " + UseInstead)]
    [InlineData("3004 06022A03", "keys of the algorithm 1.2.3 get no certificate: " + UseInstead)]
    [InlineData("3000", "the public key's algorithm does not begin with an OBJECT IDENTIFIER")]
    [InlineData("3009 06072A8648CE3D0201", "the public key does not name its curve: P-256, P-384 or P-521")]
    [InlineData("300B 06072A8648CE3D0201 0500", "the public key does not name its curve: P-256, P-384 or P-521")]
    [InlineData("300B 06072A8648CE3D0201 3000", "the public key spells out the parameters of its curve: name the curve instead, P-256, P-384 or P-521")]
    [InlineData("3010 06072A8648CE3D0201 06052B8104000A", "keys on the curve secp256k1 get no certificate: " + UseInstead)]
    [InlineData("300B 06092A864886F70D010101", "the parameters of the public key's algorithm rsaEncryption must be NULL")]
    [InlineData("300D 06092A864886F70D010101 0500", "the RSA public key is not DER: the element at byte 0 has a length of 1, but 0 bytes follow")]
    public void Looks_at_the_algorithm(string algorithm, string expected) => Assert.Equal(expected, ReasonFor(Csr.Spki(algorithm, [4, 1])));

    [Theory]
    [InlineData("", "the public key is not DER: there is nothing")]
    [InlineData("0500", "the public key is not a SubjectPublicKeyInfo: it is no SEQUENCE")]
    [InlineData("3000", "the public key is not a SubjectPublicKeyInfo: it must hold an algorithm and a BIT STRING, and nothing else")]
    [InlineData("300B 3005 06032B6570 03020102", "the public key's BIT STRING leaves 1 bits unused, a key is whole octets")]
    [InlineData("300C 3005 06032B6570 030100 0500", "the public key is not a SubjectPublicKeyInfo: it must hold an algorithm and a BIT STRING, and nothing else")]
    public void Looks_at_the_structure(string spki, string expected) => Assert.Equal(expected, ReasonFor(Csr.Hex(spki)));

    [Theory]
    [InlineData("0500", "the RSA public key is no SEQUENCE of modulus and exponent")]
    [InlineData("3003 020101", "the RSA public key must hold a modulus and an exponent, and nothing else")]
    [InlineData("3009 020101 020103 020103", "the RSA public key must hold a modulus and an exponent, and nothing else")]
    [InlineData("3006 020100 020103", "the RSA modulus has 0 bits, 2048 is the least: " + UseInstead)]
    public void Looks_at_the_structure_of_an_RSA_key(string key, string expected) =>
        Assert.Equal(expected, ReasonFor(Csr.Spki("300D 06092A864886F70D010101 0500", Csr.Hex(key))));

    [Fact]
    public void Any_bytes_are_a_key_or_a_reason_and_never_an_exception() =>
        Gen.Byte.Array[0, 400].Sample(bytes => !PublicKeyRules.TryCheck(bytes, out var kind, out var reason) && kind is null && reason is not null);

    [Fact]
    public void Any_damage_to_a_real_key_gives_a_key_or_a_reason() =>
        Gen.Select(Gen.Bool, Gen.Select(Gen.Int[0, 400], Gen.Byte).Array[1, 4]).Sample((rsa, changes) =>
        {
            var bytes = rsa ? Csr.PublicKey("close-primes") : Csr.Ec(Csr.P256, [4, .. new byte[64]]);
            foreach (var (at, value) in changes)
                bytes[at % bytes.Length] = value;
            var valid = PublicKeyRules.TryCheck(bytes, out var kind, out var reason);
            return valid == (kind is not null) && valid == (reason is null);
        });

    /// <summary>An odd number of this many bits that no rule objects to.</summary>
    private static BigInteger Product(int bits)
    {
        // Two factors of which one is three times the other: far from each other for Fermat.
        var small = WithoutSmallFactors((BigInteger.One << (bits / 2 - 1)) + 12345);
        return small * WithoutSmallFactors((BigInteger.One << (bits - 1)) / small + 1 + (BigInteger.One << (bits / 2 - 4)));
    }

    private static BigInteger WithoutSmallFactors(BigInteger from)
    {
        var number = from | 1;
        while (Enumerable.Range(3, 10_000).Any(divisor => number % divisor == 0))
            number += 2;
        return number;
    }

    private static string ReasonFor(byte[] spki)
    {
        Assert.False(PublicKeyRules.TryCheck(spki, out var kind, out var reason));
        Assert.Null(kind);
        return reason;
    }

    private static string? ReasonOrNull(byte[] spki) => PublicKeyRules.TryCheck(spki, out _, out var reason) ? null : reason;
}
