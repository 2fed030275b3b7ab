using System.Globalization;
using System.Numerics;

namespace Provisioner.Protocols.Est;

/// <summary>A curve y² = x³ − 3x + b over a prime field with as many points as its generator has (SP 800-186 §3.2.1): a point of it is in the right group.</summary>
internal sealed class PrimeCurve
{
    private static readonly PrimeCurve P256 = new(
        256,
        BigInteger.Pow(2, 256) - BigInteger.Pow(2, 224) + BigInteger.Pow(2, 192) + BigInteger.Pow(2, 96) - 1,
        "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b");

    private static readonly PrimeCurve P384 = new(
        384,
        BigInteger.Pow(2, 384) - BigInteger.Pow(2, 128) - BigInteger.Pow(2, 96) + BigInteger.Pow(2, 32) - 1,
        "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef");

    private static readonly PrimeCurve P521 = new(
        521,
        BigInteger.Pow(2, 521) - 1,
        "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00");

    private readonly BigInteger prime;
    private readonly BigInteger b;

    private PrimeCurve(int bits, BigInteger prime, string b)
    {
        Bits = bits;
        this.prime = prime;
        this.b = BigInteger.Parse("0" + b, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }

    public int Bits { get; }

    /// <summary>The curve of an object identifier, of those in RFC 5480 §2.1.1.1 the three that are in use.</summary>
    public static PrimeCurve? Find(string oid) => oid switch
    {
        "1.2.840.10045.3.1.7" => P256,
        "1.3.132.0.34" => P384,
        "1.3.132.0.35" => P521,
        _ => null,
    };

    /// <summary>Coordinates are of the field, and the equation holds (SP 800-56A §5.6.2.3.4).</summary>
    public bool Contains(BigInteger x, BigInteger y) =>
        x < prime && y < prime && (y * y - (x * x * x - 3 * x + b)) % prime == 0;

    public override string ToString() => $"P-{Bits}";
}
