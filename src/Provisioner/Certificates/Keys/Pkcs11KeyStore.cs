using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Text;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;
using ISession = Net.Pkcs11Interop.HighLevelAPI.ISession; // ASP.NET Core has one as well.

namespace Provisioner.Certificates.Keys;

/// <summary>Keys made on a PKCS#11 token (an HSM) and never outside it. A key's id is its CKA_ID, in ASCII, and its label.</summary>
internal sealed class Pkcs11KeyStore : IKeyStore
{
    private readonly Pkcs11Token token;

    /// <summary>Connects at once, so that a wrong library, token or PIN stops the start and not the first certificate.</summary>
    /// <exception cref="KeyStoreException">The token cannot be used; says what to do.</exception>
    public Pkcs11KeyStore(Pkcs11Options options, Secret pin)
    {
        try
        {
            token = new Pkcs11Token(options, pin);
            token.Do("be opened", _ => true);
        }
        catch
        {
            token?.Dispose();
            pin.Dispose();
            throw;
        }
    }

    public string Kind => "pkcs11";

    public SigningKey Create(KeyAlgorithm algorithm, string id)
    {
        KeyId.Check(id);
        if (Exists(id))
            throw new KeyStoreException($"The token {token.Name} has a key with the id '{id}' already: a key is never written over.");
        // Once: done again after a loss half-way, there could be two keys of one id.
        token.Do("make a key", connection => Generate(connection.Session, algorithm, id), twice: false);
        token.Do("show a key", connection => CheckKept(connection, id));
        return Open(id);
    }

    public SigningKey Open(string id)
    {
        KeyId.Check(id);
        return SigningKey.Try(id, token.Do<AsymmetricAlgorithm>("open a key", connection => Read(connection, id)), $"on the token {token.Name}");
    }

    public bool Exists(string id)
    {
        KeyId.Check(id);
        return token.Do("look for a key", connection => connection.Find(CKO.CKO_PRIVATE_KEY, id).Count > 0);
    }

    public void Delete(string id)
    {
        KeyId.Check(id);
        token.Do("destroy a key", connection =>
        {
            if (connection.Find(CKO.CKO_PRIVATE_KEY, id).Count > 0)
                connection.PrivateKey(id, token.Name); // Refuses when there are several: one may be somebody else's.
            connection.Destroy(id);
            return true;
        });
    }

    public void Dispose() => token.Dispose();

    private static bool Generate(ISession session, KeyAlgorithm algorithm, string id)
    {
        var make = session.Factories.ObjectAttributeFactory;
        var rsa = algorithm == KeyAlgorithm.Rsa3072;
        var ascii = Encoding.ASCII.GetBytes(id);
        List<IObjectAttribute> shown =
        [
            make.Create(CKA.CKA_TOKEN, true),
            make.Create(CKA.CKA_PRIVATE, false),
            make.Create(CKA.CKA_LABEL, id),
            make.Create(CKA.CKA_ID, ascii),
            make.Create(CKA.CKA_VERIFY, true),
            .. rsa
                ? [make.Create(CKA.CKA_MODULUS_BITS, 3072UL), make.Create(CKA.CKA_PUBLIC_EXPONENT, [1, 0, 1])]
                : new[] { make.Create(CKA.CKA_EC_PARAMS, Oid(algorithm == KeyAlgorithm.EcP256 ? Curves.P256 : Curves.P384)) },
        ];
        List<IObjectAttribute> kept =
        [
            make.Create(CKA.CKA_TOKEN, true),
            make.Create(CKA.CKA_PRIVATE, true),
            make.Create(CKA.CKA_SENSITIVE, true),
            make.Create(CKA.CKA_EXTRACTABLE, false),
            make.Create(CKA.CKA_LABEL, id),
            make.Create(CKA.CKA_ID, ascii),
            // To sign, and for nothing else: SoftHSM would let it decrypt, unwrap and derive as well when nothing is said.
            make.Create(CKA.CKA_SIGN, true),
            make.Create(CKA.CKA_DECRYPT, false),
            make.Create(CKA.CKA_UNWRAP, false),
            .. rsa ? [] : new[] { make.Create(CKA.CKA_DERIVE, false) },
        ];
        try
        {
            using var mechanism = session.Factories.MechanismFactory.Create(rsa ? CKM.CKM_RSA_PKCS_KEY_PAIR_GEN : CKM.CKM_EC_KEY_PAIR_GEN);
            session.GenerateKeyPair(mechanism, shown, kept, out _, out _);
            return true;
        }
        finally
        {
            shown.ForEach(attribute => attribute.Dispose());
            kept.ForEach(attribute => attribute.Dispose());
        }
    }

    /// <summary>Some tokens take a template and do otherwise. A key that could leave the token is not the one that was asked for.</summary>
    private bool CheckKept(Pkcs11Token.Connection connection, string id)
    {
        var values = connection.Session.GetAttributeValue(connection.PrivateKey(id, token.Name), [CKA.CKA_SENSITIVE, CKA.CKA_EXTRACTABLE]);
        try
        {
            if (values[0].GetValueAsBool() && !values[1].GetValueAsBool())
                return true;
        }
        finally
        {
            values.ForEach(value => value.Dispose());
        }
        connection.Destroy(id);
        throw new KeyStoreException($"The token {token.Name} made a key that can be taken out of it, against what it was told; the key was destroyed. Look at the token's policy for keys that are sensitive and not extractable.");
    }

    private AsymmetricAlgorithm Read(Pkcs11Token.Connection connection, string id)
    {
        connection.PrivateKey(id, token.Name);
        var shown = connection.PublicKey(id, token.Name);
        var kind = Values(connection.Session, shown, CKA.CKA_KEY_TYPE, value => (CKK)value.GetValueAsUlong());
        switch (kind)
        {
            case CKK.CKK_EC:
                var curve = Values(connection.Session, shown, CKA.CKA_EC_PARAMS, value => value.GetValueAsByteArray());
                var point = Values(connection.Session, shown, CKA.CKA_EC_POINT, value => value.GetValueAsByteArray());
                return new Pkcs11Ecdsa(token, id, ToParameters(curve, point, id));
            case CKK.CKK_RSA:
                return new Pkcs11Rsa(token, id, new RSAParameters
                {
                    Modulus = Values(connection.Session, shown, CKA.CKA_MODULUS, value => value.GetValueAsByteArray()),
                    Exponent = Values(connection.Session, shown, CKA.CKA_PUBLIC_EXPONENT, value => value.GetValueAsByteArray()),
                });
            default:
                throw new KeyStoreException($"The key with the id '{id}' on the token {token.Name} is of the kind {kind}; an authority's key is EC on P-256 or P-384, or RSA of 3072 bits.");
        }
    }

    private static T Values<T>(ISession session, IObjectHandle handle, CKA attribute, Func<IObjectAttribute, T> read)
    {
        var values = session.GetAttributeValue(handle, new List<CKA> { attribute });
        try
        {
            return read(values[0]);
        }
        finally
        {
            values.ForEach(value => value.Dispose());
        }
    }

    private ECParameters ToParameters(byte[] curve, byte[] point, string id)
    {
        try
        {
            var oid = AsnDecoder.ReadObjectIdentifier(curve, AsnEncodingRules.DER, out _);
            if (oid is not (Curves.P256 or Curves.P384))
                throw new KeyStoreException($"The key with the id '{id}' on the token {token.Name} is on the curve {oid}; an authority's key is EC on P-256 or P-384, or RSA of 3072 bits.");
            var size = oid == Curves.P256 ? 32 : 48;
            // A DER OCTET STRING around the point (PKCS#11 2.40 mechanisms section 2.3.3); older tokens give the point bare.
            ReadOnlySpan<byte> bare = point.Length == 1 + size * 2 ? point : AsnDecoder.ReadOctetString(point, AsnEncodingRules.DER, out _);
            if (bare.Length == 1 + size * 2 && bare[0] == 4)
            {
                return new ECParameters
                {
                    Curve = ECCurve.CreateFromValue(oid),
                    Q = new ECPoint { X = bare[1..(1 + size)].ToArray(), Y = bare[(1 + size)..].ToArray() },
                };
            }
        }
        catch (AsnContentException)
        {
            // Said below.
        }
        throw new KeyStoreException($"The public key with the id '{id}' on the token {token.Name} cannot be read: its curve is not a name, or its point is not uncompressed (RFC 5480 section 2.2).");
    }

    private static byte[] Oid(string value)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.WriteObjectIdentifier(value);
        return writer.Encode();
    }
}
