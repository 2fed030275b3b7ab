using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Provisioner.Certificates.Keys;

/// <summary>The kinds of key an authority may have.</summary>
public enum KeyAlgorithm
{
    EcP256,
    EcP384,
    Rsa3072,
}

/// <summary>What signs for an authority: its certificate, those it issues, its revocation lists. May be used by many threads at once.</summary>
internal sealed class SigningKey : IDisposable
{
    private readonly AsymmetricAlgorithm key;

    private SigningKey(string id, KeyAlgorithm algorithm, AsymmetricAlgorithm key)
    {
        Id = id;
        Algorithm = algorithm;
        this.key = key;
        Generator = new OneAtATime(key is ECDsa ec
            ? X509SignatureGenerator.CreateForECDsa(ec)
            : X509SignatureGenerator.CreateForRSA((RSA)key, RSASignaturePadding.Pkcs1));
        PublicKey = Generator.PublicKey;
    }

    public string Id { get; }

    public KeyAlgorithm Algorithm { get; }

    /// <summary>The hash that is as strong as the key (RFC 5480 section 4); for RSA of 3072 bits that is SHA-256 as well (NIST SP 800-57, table 2).</summary>
    public HashAlgorithmName Hash => Algorithm == KeyAlgorithm.EcP384 ? HashAlgorithmName.SHA384 : HashAlgorithmName.SHA256;

    public X509SignatureGenerator Generator { get; }

    public PublicKey PublicKey { get; }

    /// <summary>
    /// Takes a key after a trial: it signs something of no meaning, which is verified by the public key. A damaged or mismatched pair
    /// is found before it signs a certificate.
    /// </summary>
    /// <param name="id">The name it has in its store.</param>
    /// <param name="key">An <see cref="ECDsa"/> or an <see cref="RSA"/>; it is disposed with this, or here when this fails.</param>
    /// <param name="where">Where it is, for messages: "in '/…'".</param>
    /// <exception cref="KeyStoreException">It is of another kind than those of <see cref="KeyAlgorithm"/>, or no pair.</exception>
    public static SigningKey Try(string id, AsymmetricAlgorithm key, string where)
    {
        try
        {
            var tried = new SigningKey(id, AlgorithmOf(id, key, where), key);
            return tried.IsPair() ? tried
                : throw new KeyStoreException($"The private and the public part of the key '{id}' {where} do not belong together: one is damaged or was replaced. Bring it back from a backup.");
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    public override string ToString() => $"{Id} ({Algorithm})";

    public void Dispose() => key.Dispose();

    private bool IsPair()
    {
        var data = RandomNumberGenerator.GetBytes(32);
        try
        {
            var signature = Generator.SignData(data, Hash);
            if (Algorithm == KeyAlgorithm.Rsa3072)
            {
                using var rsa = PublicKey.GetRSAPublicKey()!;
                return rsa.VerifyData(data, signature, Hash, RSASignaturePadding.Pkcs1);
            }
            using var ec = PublicKey.GetECDsaPublicKey()!;
            return ec.VerifyData(data, signature, Hash, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static KeyAlgorithm AlgorithmOf(string id, AsymmetricAlgorithm key, string where) => key switch
    {
        ECDsa ec when ec.ExportParameters(includePrivateParameters: false).Curve is { IsNamed: true } curve => curve.Oid.Value switch
        {
            Curves.P256 => KeyAlgorithm.EcP256,
            Curves.P384 => KeyAlgorithm.EcP384,
            _ => throw Unknown(id, where, $"an EC key on the curve {curve.Oid.FriendlyName ?? curve.Oid.Value}"),
        },
        RSA { KeySize: 3072 } => KeyAlgorithm.Rsa3072,
        RSA rsa => throw Unknown(id, where, $"an RSA key of {rsa.KeySize} bits"),
        _ => throw Unknown(id, where, "of another kind"),
    };

    private static KeyStoreException Unknown(string id, string where, string what) =>
        new($"The key '{id}' {where} is {what}; an authority's key is EC on P-256 or P-384, or RSA of 3072 bits.");

    /// <summary>.NET promises nothing for one key used by two threads, and a session of a token does one thing at a time.</summary>
    private sealed class OneAtATime(X509SignatureGenerator inner) : X509SignatureGenerator
    {
        private readonly Lock gate = new();

        public override byte[] GetSignatureAlgorithmIdentifier(HashAlgorithmName hashAlgorithm) => inner.GetSignatureAlgorithmIdentifier(hashAlgorithm);

        public override byte[] SignData(byte[] data, HashAlgorithmName hashAlgorithm)
        {
            lock (gate)
                return inner.SignData(data, hashAlgorithm);
        }

        protected override PublicKey BuildPublicKey() => inner.PublicKey;
    }
}

/// <summary>The curves' object identifiers (RFC 5480 section 2.1.1.1).</summary>
internal static class Curves
{
    public const string P256 = "1.2.840.10045.3.1.7";
    public const string P384 = "1.3.132.0.34";
}
