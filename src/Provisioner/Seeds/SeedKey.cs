using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Provisioner.Certificates.Keys;
using Provisioner.Hosts;
using Provisioner.Storage;

namespace Provisioner.Seeds;

/// <summary>
/// Makes the two secrets of an Installation from its id and a key of the appliance's own: the capability in its seed's address, and its
/// one-time token. They are nowhere stored, and yet the same however often an installer fetches a file and whatever restarts in between.
/// </summary>
/// <remarks>The key is <c>DATA/seeds/key</c>, for the service's user alone. Without it, nothing in the database tells either secret.</remarks>
internal sealed class SeedKey : IDisposable
{
    private const int IdLength = 16;

    private readonly Secret secret;

    private SeedKey(Secret secret) => this.secret = secret;

    /// <summary>Reads the key, or makes it when there is none.</summary>
    /// <exception cref="KeyStoreException">It cannot be read, or others can read it.</exception>
    public static SeedKey Open(string dataDirectory)
    {
        const string What = "The seeds' key";
        // In a directory of its own: the data directory may be one that others can look into, which a key's must not.
        var path = Path.Combine(dataDirectory, "seeds", "key");
        // One that is lost makes the addresses of open Installations wrong, no more: they are provisioned again.
        return new SeedKey(Path.Exists(path) ? Secret.Read(path, What, "") : Secret.Make(path, What));
    }

    /// <summary>The part of the seed's address that only who was told can know: the Installation's id and 256 bits, in base64url.</summary>
    public string CapabilityOf(Installation installation)
    {
        Span<byte> capability = stackalloc byte[IdLength + SHA256.HashSizeInBytes];
        Convert.FromHexString(installation.Id, capability, out _, out _);
        Derive("seed", installation.Id, capability[IdLength..]);
        return Base64Url.EncodeToString(capability);
    }

    /// <summary>The Installation's token, 256 bits in base64url, as the seed carries it.</summary>
    public string TokenOf(Installation installation)
    {
        Span<byte> token = stackalloc byte[SHA256.HashSizeInBytes];
        Derive("token", installation.Id, token);
        return Base64Url.EncodeToString(token);
    }

    /// <summary>The passphrase of its disk, where the profile wants one: 128 bits in hexadecimal, in groups that people can type.</summary>
    public string DiskPassphraseOf(Installation installation)
    {
        Span<byte> passphrase = stackalloc byte[SHA256.HashSizeInBytes];
        Derive("disk", installation.Id, passphrase);
        return string.Join('-', Convert.ToHexStringLower(passphrase[..16]).Chunk(4).Select(group => new string(group)));
    }

    /// <summary>The Installation a capability is for; null for one that was made up, or whose Installation was replaced.</summary>
    public Installation? Find(ReadOnlySpan<char> capability, Snapshot snapshot)
    {
        Span<byte> given = stackalloc byte[IdLength + SHA256.HashSizeInBytes];
        if (capability.Length != Base64Url.GetEncodedLength(given.Length) || !Base64Url.TryDecodeFromChars(capability, given, out var length) || length != given.Length)
            return null;
        if (snapshot.FindInstallation(Convert.ToHexStringLower(given[..IdLength])) is not { } installation)
            return null;
        Span<byte> right = stackalloc byte[SHA256.HashSizeInBytes];
        Derive("seed", installation.Id, right);
        return CryptographicOperations.FixedTimeEquals(right, given[IdLength..]) ? installation : null;
    }

    public void Dispose() => secret.Dispose();

    private void Derive(string purpose, string id, Span<byte> into) => HMACSHA256.HashData(secret.Bytes, Encoding.ASCII.GetBytes($"{purpose}:{id}"), into);
}
