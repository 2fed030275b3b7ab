using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Provisioner.Auth;

/// <summary>
/// A public id to find the record by, and 256 random bits of which only the hash is kept. A plain SHA-256 is enough for them: there is nothing
/// to guess that a slow hash would slow down.
/// </summary>
/// <param name="Id">Sixteen hexadecimal digits.</param>
/// <param name="Secret">In base64url.</param>
internal readonly record struct OpaqueToken(string Id, string Secret)
{
    private const int IdLength = 16, SecretLength = 43;

    public static OpaqueToken Create() =>
        new(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(IdLength / 2)), Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32)));

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static bool TryParse(string text, string prefix, out OpaqueToken token)
    {
        token = default;
        if (text.Length != prefix.Length + IdLength + 1 + SecretLength || !text.StartsWith(prefix, StringComparison.Ordinal) || text[prefix.Length + IdLength] != '.')
            return false;
        token = new(text.Substring(prefix.Length, IdLength), text[(prefix.Length + IdLength + 1)..]);
        return token.Id.All(char.IsAsciiHexDigitLower);
    }

    /// <summary>The token as it is given away, once.</summary>
    public string Write(string prefix) => $"{prefix}{Id}.{Secret}";

    public string Hash() => Hash(Secret);

    public static string Hash(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));

    /// <summary>Whether it is the one of that hash; takes as long for one that is as for one that is not.</summary>
    public bool Matches(string hash) =>
        CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(Secret)), Convert.FromHexString(hash));
}
