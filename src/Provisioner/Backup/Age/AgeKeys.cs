using System.Security.Cryptography;
using System.Text;
using Org.BouncyCastle.Math.EC.Rfc7748;

namespace Provisioner.Backup.Age;

/// <summary>A public key that a file can be encrypted to, <c>age1…</c>.</summary>
internal sealed record AgeRecipient
{
    private const string Prefix = "age";

    private readonly byte[] key;

    public AgeRecipient(byte[] key) => this.key = key;

    public ReadOnlySpan<byte> Key => key;

    /// <returns>Null when it is none.</returns>
    public static AgeRecipient? TryParse(string text) => Bech32.Decode(Prefix, text.Trim()) is { Length: X25519.PointSize } key ? new AgeRecipient(key) : null;

    public override string ToString() => Bech32.Encode(Prefix, key);
}

/// <summary>The private key that belongs to an <see cref="AgeRecipient"/>, <c>AGE-SECRET-KEY-1…</c>: what <c>age-keygen</c> makes.</summary>
internal sealed class AgeIdentity(byte[] key) : IDisposable
{
    private const string Prefix = "age-secret-key-";

    public ReadOnlySpan<byte> Key => key;

    public AgeRecipient Recipient
    {
        get
        {
            var point = new byte[X25519.PointSize];
            X25519.ScalarMultBase(key, 0, point, 0);
            return new AgeRecipient(point);
        }
    }

    /// <summary>Reads a file of keys as <c>age-keygen</c> writes it: a key a line, comments after #.</summary>
    /// <exception cref="AgeException">There is no key in it, or one is damaged.</exception>
    public static IReadOnlyList<AgeIdentity> ReadAll(string text, string name)
    {
        var found = new List<AgeIdentity>();
        var number = 0;
        foreach (var line in text.Split('\n').Select(l => l.Trim()))
        {
            number++;
            if (line.Length == 0 || line[0] == '#')
                continue;
            found.Add(Bech32.Decode(Prefix, line) is { Length: X25519.ScalarSize } key ? new AgeIdentity(key)
                : throw new AgeException($"line {number} of {name} is not a secret key of age (AGE-SECRET-KEY-1…): name the file that 'age-keygen -o FILE' wrote"));
        }
        return found.Count > 0 ? found : throw new AgeException($"{name} holds no secret key of age: name the file that 'age-keygen -o FILE' wrote");
    }

    public void Dispose() => CryptographicOperations.ZeroMemory(key);
}

/// <summary>What opens a file: private keys, or a passphrase.</summary>
internal sealed record AgeUnlock
{
    public IReadOnlyList<AgeIdentity> Identities { get; init; } = [];

    /// <summary>UTF-8.</summary>
    public byte[]? Passphrase { get; init; }

    public static AgeUnlock With(string passphrase) => new() { Passphrase = Encoding.UTF8.GetBytes(passphrase) };
}

/// <summary>What a file is encrypted to: public keys, or one passphrase (age allows no mixture).</summary>
internal sealed record AgeLock
{
    public IReadOnlyList<AgeRecipient> Recipients { get; init; } = [];

    /// <summary>UTF-8.</summary>
    public byte[]? Passphrase { get; init; }

    public static AgeLock With(string passphrase) => new() { Passphrase = Encoding.UTF8.GetBytes(passphrase) };
}

/// <summary>It cannot be decrypted. The message says why; it never holds a secret.</summary>
internal sealed class AgeException(string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>Nothing is wrong with the file, as far as can be told: another key is needed.</summary>
    public bool IsWrongKey { get; init; }
}
