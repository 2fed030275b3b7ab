namespace Provisioner.Protocols.Est;

/// <summary>The families of keys that certificates are issued for.</summary>
public enum PublicKeyAlgorithm
{
    /// <summary>A point on P-256, P-384 or P-521 (RFC 5480).</summary>
    EllipticCurve,

    /// <summary>A modulus and an exponent (RFC 8017).</summary>
    Rsa,
}

/// <summary>What kind of key it is, by algorithm and size.</summary>
/// <param name="Algorithm">The family.</param>
/// <param name="Bits">Of the curve's field or of the modulus.</param>
public sealed record PublicKeyKind(PublicKeyAlgorithm Algorithm, int Bits)
{
    /// <summary>As people call it: P-256, RSA 3072.</summary>
    public override string ToString() => Algorithm == PublicKeyAlgorithm.Rsa ? $"RSA {Bits}" : $"P-{Bits}";
}
