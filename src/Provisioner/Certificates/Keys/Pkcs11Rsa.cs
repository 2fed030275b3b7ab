using System.Formats.Asn1;
using System.Security.Cryptography;
using Net.Pkcs11Interop.Common;

namespace Provisioner.Certificates.Keys;

/// <summary>An RSA key on a token, as .NET wants one: it signs a hash there, and knows its public half here.</summary>
internal sealed class Pkcs11Rsa : RSA
{
    private readonly Pkcs11Token token;
    private readonly string id;
    private readonly RSA shown;

    public Pkcs11Rsa(Pkcs11Token token, string id, RSAParameters shown)
    {
        this.token = token;
        this.id = id;
        this.shown = Create(shown);
        KeySizeValue = this.shown.KeySize;
    }

    /// <summary>PKCS#1 version 1.5: the token pads, what the hash is goes in front of it here (RFC 8017 section 9.2, DigestInfo).</summary>
    public override byte[] SignHash(byte[] hash, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)
    {
        if (padding != RSASignaturePadding.Pkcs1)
            throw new CryptographicException($"A key on a token signs with the padding {RSASignaturePadding.Pkcs1}, not {padding}.");
        var data = DigestInfo(hash, hashAlgorithm);
        return token.Do("sign", connection =>
        {
            using var mechanism = connection.Session.Factories.MechanismFactory.Create(CKM.CKM_RSA_PKCS);
            return connection.Session.Sign(mechanism, connection.PrivateKey(id, token.Name), data);
        });
    }

    public override bool VerifyHash(byte[] hash, byte[] signature, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding) =>
        shown.VerifyHash(hash, signature, hashAlgorithm, padding);

    public override RSAParameters ExportParameters(bool includePrivateParameters) => includePrivateParameters
        ? throw new CryptographicException("The key is on a token and does not leave it.")
        : shown.ExportParameters(false);

    public override void ImportParameters(RSAParameters parameters) => throw new CryptographicException("A key on a token is made there, not imported.");

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            shown.Dispose();
        base.Dispose(disposing);
    }

    private static byte[] DigestInfo(byte[] hash, HashAlgorithmName algorithm)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(algorithm.Name switch
                {
                    "SHA256" => "2.16.840.1.101.3.4.2.1",
                    "SHA384" => "2.16.840.1.101.3.4.2.2",
                    "SHA512" => "2.16.840.1.101.3.4.2.3",
                    _ => throw new CryptographicException($"A key on a token signs SHA-256, SHA-384 and SHA-512, not {algorithm.Name}."),
                });
                writer.WriteNull();
            }
            writer.WriteOctetString(hash);
        }
        return writer.Encode();
    }
}
