using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Provisioner.Protocols.AwsSigning;

/// <summary>
/// How a certificate's key signs for IAM Roles Anywhere (https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html):
/// like Signature Version 4, but with a private key in the place of the chain of HMACs, and the certificate's serial number in that of the access key.
/// </summary>
public static class RolesAnywhereSigning
{
    /// <summary>Its name in a scope.</summary>
    public const string Service = "rolesanywhere";

    /// <summary>RSA with PKCS#1 v1.5.</summary>
    public const string Rsa = "AWS4-X509-RSA-SHA256";

    /// <summary>ECDSA on any of NIST's curves.</summary>
    public const string Ecdsa = "AWS4-X509-ECDSA-SHA256";

    /// <summary>The algorithm of that key.</summary>
    /// <exception cref="ArgumentException">Neither RSA nor ECDSA.</exception>
    public static string AlgorithmOf(AsymmetricAlgorithm key) => key switch
    {
        RSA => Rsa,
        ECDsa => Ecdsa,
        _ => throw new ArgumentException("A certificate's key for Roles Anywhere is RSA or ECDSA.", nameof(key)),
    };

    /// <summary>A serial number as it stands in Credential: decimal, never negative. In hexadecimal it is refused.</summary>
    /// <param name="bigEndian">As the certificate has it, with or without a leading zero.</param>
    public static string DecimalSerial(ReadOnlySpan<byte> bigEndian) =>
        new BigInteger(bigEndian, isUnsigned: true, isBigEndian: true).ToString(CultureInfo.InvariantCulture);

    /// <summary>SHA-256 whatever the curve; PKCS#1 v1.5 for RSA, DER for ECDSA.</summary>
    public static byte[] Sign(string stringToSign, AsymmetricAlgorithm key)
    {
        var octets = Encoding.UTF8.GetBytes(stringToSign);
        return key switch
        {
            RSA rsa => rsa.SignData(octets, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            ECDsa ecdsa => ecdsa.SignData(octets, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence),
            _ => throw new ArgumentException("A certificate's key for Roles Anywhere is RSA or ECDSA.", nameof(key)),
        };
    }

    /// <summary>Whether the certificate's key made it, by that algorithm. Never throws on any signature.</summary>
    public static bool Verify(string stringToSign, string algorithm, ReadOnlySpan<byte> signature, X509Certificate2 certificate)
    {
        var octets = Encoding.UTF8.GetBytes(stringToSign);
        try
        {
            switch (algorithm)
            {
                case Rsa:
                    using (var rsa = certificate.GetRSAPublicKey())
                        return rsa is not null && rsa.VerifyData(octets, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
                case Ecdsa:
                    using (var ecdsa = certificate.GetECDsaPublicKey())
                        return ecdsa is not null && ecdsa.VerifyData(octets, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
                default:
                    return false;
            }
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
