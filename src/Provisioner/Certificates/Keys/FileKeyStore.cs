using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Text;

namespace Provisioner.Certificates.Keys;

/// <summary>
/// Keys as files, each encrypted by itself: <c>ID.key</c>, PKCS#8 with PBES2 (RFC 5958, RFC 8018), which <c>openssl pkey</c> opens as
/// well. A key is in clear text in this process's memory alone.
/// </summary>
/// <param name="rounds">Of PBKDF2, for the keys that are made here. Fewer only where nothing is to be kept secret: in tests.</param>
internal sealed class FileKeyStore(string directory, Secret passphrase, int rounds = FileKeyStore.Rounds) : IKeyStore
{
    /// <summary>OWASP's figure for PBKDF2 with HMAC-SHA256 (Password Storage Cheat Sheet): a passphrase somebody chose is worth little without it.</summary>
    public const int Rounds = 600_000;

    private const string What = "The key's file";
    private const string Label = "ENCRYPTED PRIVATE KEY";
    private const int MaxFile = 64 * 1024;

    private readonly PbeParameters encryption = new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, rounds);

    private readonly Lock gate = new();

    public string Kind => "file";

    /// <summary>Whether the directory holds a key of any name.</summary>
    public static bool HasKeys(string directory) => Directory.Exists(directory) && Directory.EnumerateFiles(directory, "*.key").Any();

    public SigningKey Create(KeyAlgorithm algorithm, string id)
    {
        var path = PathOf(id);
        lock (gate)
        {
            if (Path.Exists(path))
                throw new KeyStoreException($"There is a key '{id}' already, '{path}': a key is never written over.");
            using (AsymmetricAlgorithm key = algorithm switch
            {
                KeyAlgorithm.EcP256 => ECDsa.Create(ECCurve.NamedCurves.nistP256),
                KeyAlgorithm.EcP384 => ECDsa.Create(ECCurve.NamedCurves.nistP384),
                KeyAlgorithm.Rsa3072 => RSA.Create(3072),
                _ => throw new ArgumentOutOfRangeException(nameof(algorithm), algorithm, null),
            })
            {
                var pem = PemEncoding.WriteString(Label, key.ExportEncryptedPkcs8PrivateKey(passphrase.Bytes, encryption));
                PrivateFile.Write(path, Encoding.ASCII.GetBytes(pem + "\n"), What);
            }
            // From the file again: a key that could not be opened after the next start must not sign now.
            return Open(id);
        }
    }

    public SigningKey Open(string id)
    {
        var path = PathOf(id);
        if (Directory.Exists(directory))
            PrivateFile.CheckDirectory(directory);
        var text = PrivateFile.Read(path, MaxFile, What, "Bring it back from a backup of the data directory, together with the passphrase of that time; without it, its authority can sign nothing more.");
        var encrypted = Unwrap(text, path);
        var key = Decrypt(encrypted) ?? throw new KeyStoreException(
            // AES in CBC mode has no seal: what came out is no key, and whether the passphrase or the file is to blame cannot be told.
            $"{What} '{path}' is not opened by the passphrase from {passphrase.Origin}: it was made with another one, or the file is damaged. "
            + "Bring back the passphrase that belongs to it, or both from one backup.");
        return SigningKey.Try(id, key, $"in '{path}'");
    }

    public bool Exists(string id) => Path.Exists(PathOf(id));

    public void Delete(string id)
    {
        lock (gate)
            PrivateFile.Delete(PathOf(id), What);
    }

    public void Dispose() => passphrase.Dispose();

    private static byte[] Unwrap(byte[] text, string path)
    {
        var characters = Encoding.Latin1.GetString(text);
        if (!PemEncoding.TryFind(characters, out var fields))
            throw Damaged(path, "it is not PEM text");
        var label = characters[fields.Label];
        if (label.EndsWith("PRIVATE KEY", StringComparison.Ordinal) && label != Label)
            throw new KeyStoreException($"{What} '{path}' is a key in clear text ('{label}'). Encrypt it with the CA's passphrase: openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -iter {Rounds}");
        if (label != Label)
            throw Damaged(path, $"it is a '{label}', not an '{Label}'");
        try
        {
            var encrypted = Convert.FromBase64String(characters[fields.Base64Data]);
            // EncryptedPrivateKeyInfo ::= SEQUENCE { encryptionAlgorithm, encryptedData OCTET STRING } (RFC 5958 section 3)
            var reader = new AsnReader(encrypted, AsnEncodingRules.DER);
            var sequence = reader.ReadSequence();
            reader.ThrowIfNotEmpty();
            sequence.ReadSequence();
            sequence.ReadOctetString();
            sequence.ThrowIfNotEmpty();
            return encrypted;
        }
        catch (AsnContentException exception)
        {
            throw Damaged(path, "what is in it is not a whole encrypted key", exception);
        }
    }

    /// <summary>The kind of key is inside what is encrypted, so each is tried; EC first, because it is the rule.</summary>
    private AsymmetricAlgorithm? Decrypt(byte[] encrypted)
    {
        foreach (var make in new Func<AsymmetricAlgorithm>[] { ECDsa.Create, RSA.Create })
        {
            var key = make();
            try
            {
                key.ImportEncryptedPkcs8PrivateKey(passphrase.Bytes, encrypted, out _);
                return key;
            }
            catch (CryptographicException)
            {
                key.Dispose();
            }
        }
        return null;
    }

    private static KeyStoreException Damaged(string path, string how, Exception? cause = null) =>
        new($"{What} '{path}' is damaged: {how}. Bring it back from a backup of the data directory.", cause);

    private string PathOf(string id) => Path.Combine(directory, KeyId.Check(id) + ".key");
}
