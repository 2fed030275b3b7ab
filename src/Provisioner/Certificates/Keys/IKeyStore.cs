namespace Provisioner.Certificates.Keys;

/// <summary>Where the private keys of the appliance's authorities are kept. A key never leaves it: what comes out signs.</summary>
internal interface IKeyStore : IDisposable
{
    /// <summary>What it is, for people: <c>file</c> or <c>pkcs11</c>.</summary>
    string Kind { get; }

    /// <summary>Makes a key that is kept for good before it signs anything.</summary>
    /// <exception cref="KeyStoreException">It cannot be made, or there is one by that id.</exception>
    SigningKey Create(KeyAlgorithm algorithm, string id);

    /// <summary>Opens a key and tries it: what it signs can be verified with its public key.</summary>
    /// <exception cref="KeyStoreException">It is not there or cannot be used; says what to do.</exception>
    SigningKey Open(string id);

    /// <exception cref="KeyStoreException">The store cannot be asked.</exception>
    bool Exists(string id);

    /// <summary>Destroys a key. One that is not there is what was wanted.</summary>
    /// <exception cref="KeyStoreException">It cannot be destroyed.</exception>
    void Delete(string id);
}

/// <summary>A key, or what it takes to open it, cannot be had. The message says why and what to do; it never holds a secret.</summary>
internal sealed class KeyStoreException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>The name of a key: part of a file's name and of a token's label, so it is letters, digits and dashes alone.</summary>
internal static class KeyId
{
    public const int MaxLength = 64;

    public static bool IsValid(string id) =>
        id.Length is > 0 and <= MaxLength && id[0] != '-' && id.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');

    /// <exception cref="ArgumentException">It is none.</exception>
    public static string Check(string id) => IsValid(id) ? id
        : throw new ArgumentException($"'{id}' is not the id of a key: 1 to {MaxLength} letters, digits and dashes, not beginning with a dash, are.", nameof(id));
}
