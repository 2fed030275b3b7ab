using System.Security.Cryptography;
using Net.Pkcs11Interop.Common;

namespace Provisioner.Certificates.Keys;

/// <summary>An EC key on a token, as .NET wants one: it signs a hash there, and knows its public half here.</summary>
internal sealed class Pkcs11Ecdsa : ECDsa
{
    private readonly Pkcs11Token token;
    private readonly string id;
    private readonly ECDsa shown;

    public Pkcs11Ecdsa(Pkcs11Token token, string id, ECParameters shown)
    {
        this.token = token;
        this.id = id;
        this.shown = Create(shown);
        KeySizeValue = this.shown.KeySize;
    }

    /// <returns>r and s, each as long as the curve's field: what CKM_ECDSA answers is what .NET takes (PKCS#11 2.40 mechanisms section 2.3.1).</returns>
    public override byte[] SignHash(byte[] hash)
    {
        var field = (KeySize + 7) / 8;
        // FIPS 186-5 section 6.4.1 takes the leftmost bits of a hash longer than the curve; not every token does it by itself.
        var data = hash.Length > field ? hash[..field] : hash;
        var signature = token.Do("sign", connection =>
        {
            using var mechanism = connection.Session.Factories.MechanismFactory.Create(CKM.CKM_ECDSA);
            return connection.Session.Sign(mechanism, connection.PrivateKey(id, token.Name), data);
        });
        return signature.Length == field * 2 ? signature
            : throw new KeyStoreException($"The token {token.Name} answered {signature.Length} bytes for a signature by '{id}', where r and s are {field * 2}.");
    }

    public override bool VerifyHash(byte[] hash, byte[] signature) => shown.VerifyHash(hash, signature);

    public override ECParameters ExportParameters(bool includePrivateParameters) => includePrivateParameters
        ? throw new CryptographicException("The key is on a token and does not leave it.")
        : shown.ExportParameters(false);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            shown.Dispose();
        base.Dispose(disposing);
    }
}
