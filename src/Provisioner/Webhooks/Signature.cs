using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Provisioner.Webhooks;

/// <summary>How a delivery is signed: Standard Webhooks 1.0.0 (https://www.standardwebhooks.com), "Signature scheme", symmetric.</summary>
internal static class Signature
{
    public const string IdHeader = "webhook-id", TimestampHeader = "webhook-timestamp", SignatureHeader = "webhook-signature";

    private const string KeyPrefix = "whsec_";

    /// <summary>The field's value: of the id, the moment and the body, so that neither can be another's and an old one is known as such.</summary>
    /// <param name="key">Base64 after <c>whsec_</c>, as that specification writes keys, or any other text as it is.</param>
    public static string Of(string key, string id, DateTimeOffset at, string body) =>
        "v1," + Convert.ToBase64String(HMACSHA256.HashData(KeyOf(key), Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{at.ToUnixTimeSeconds()}.{body}"))));

    private static byte[] KeyOf(string key)
    {
        if (key.StartsWith(KeyPrefix, StringComparison.Ordinal))
        {
            var bytes = new byte[key.Length];
            if (Convert.TryFromBase64String(key[KeyPrefix.Length..], bytes, out var length))
                return bytes[..length];
        }
        return Encoding.UTF8.GetBytes(key);
    }
}
