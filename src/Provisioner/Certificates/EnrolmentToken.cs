using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace Provisioner.Certificates;

/// <summary>The one-time token of an Installation: 256 random bits. Only its hash is kept.</summary>
/// <remarks>A plain SHA-256 is enough where the secret has 256 random bits: there is nothing to guess that a slow hash would slow down.</remarks>
internal static class EnrolmentToken
{
    /// <summary>So many can be out at once for one Installation: a seed that is fetched again carries a new one.</summary>
    public const int MaximumAtOnce = 16;

    /// <summary>A new token, in base64url: 43 characters.</summary>
    public static string Create() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public static string Hash(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    /// <summary>Whether the token is one of these; takes as long for one that is as for one that is not.</summary>
    public static bool Matches(string token, ImmutableArray<string> hashes)
    {
        Span<byte> given = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> stored = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(token), given);
        var found = false;
        foreach (var hash in hashes)
        {
            Convert.FromHexString(hash, stored, out _, out _);
            found |= CryptographicOperations.FixedTimeEquals(given, stored);
        }
        return found;
    }
}
