using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Provisioner.Protocols.AwsSigning;

/// <summary>
/// A request in the one form in which it is signed (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
/// Roles Anywhere takes the same (https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html).
/// </summary>
public static class CanonicalRequest
{
    // RFC 3986 §2.3.
    private static readonly SearchValues<byte> Unreserved = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"u8);

    /// <param name="path">As it is sent, escaped once; here it is escaped once more, as every service but S3 wants it.</param>
    /// <param name="query">Names and values as they are meant, not escaped.</param>
    /// <param name="headers">Those that are signed.</param>
    /// <param name="payloadHash">Of the body: <see cref="Hash(ReadOnlySpan{byte})"/>.</param>
    public static string Of(string method, string path, IEnumerable<KeyValuePair<string, string>> query, IEnumerable<KeyValuePair<string, string>> headers, string payloadHash)
    {
        var sorted = headers.Select(h => (Name: h.Key.ToLowerInvariant(), h.Value)).OrderBy(h => h.Name, StringComparer.Ordinal).ToList();
        var text = new StringBuilder(512);
        text.Append(method).Append('\n').AppendJoin('/', path.Split('/').Select(Escape)).Append('\n').Append(Query(query)).Append('\n');
        foreach (var (name, value) in sorted)
            text.Append(name).Append(':').Append(Folded(value)).Append('\n');
        return text.Append('\n').AppendJoin(';', sorted.Select(h => h.Name)).Append('\n').Append(payloadHash).ToString();
    }

    /// <summary>The names of signed headers as they stand in the request.</summary>
    public static string SignedHeaders(IEnumerable<string> names) => string.Join(';', names.Select(n => n.ToLowerInvariant()).Order(StringComparer.Ordinal));

    /// <summary>A query as it is signed, and as it may be sent.</summary>
    // Sorted by the escaped name, then value, by octets.
    public static string Query(IEnumerable<KeyValuePair<string, string>> query) => string.Join('&', query
        .Select(p => (Name: Escape(p.Key), Value: Escape(p.Value)))
        .OrderBy(p => p.Name, StringComparer.Ordinal).ThenBy(p => p.Value, StringComparer.Ordinal)
        .Select(p => $"{p.Name}={p.Value}"));

    /// <summary>Escapes every octet but RFC 3986's unreserved ones: a colon is %3A, a slash %2F, a blank %20.</summary>
    public static string Escape(string text)
    {
        var octets = Encoding.UTF8.GetBytes(text);
        if (!octets.AsSpan().ContainsAnyExcept(Unreserved))
            return text;
        var escaped = new StringBuilder(octets.Length * 2);
        foreach (var octet in octets)
        {
            if (Unreserved.Contains(octet))
                escaped.Append((char)octet);
            else
                escaped.Append('%').Append(octet.ToString("X2", CultureInfo.InvariantCulture));
        }
        return escaped.ToString();
    }

    /// <summary>SHA-256 in lower-case hexadecimal.</summary>
    public static string Hash(ReadOnlySpan<byte> body) => Convert.ToHexStringLower(SHA256.HashData(body));

    /// <summary>What is signed in the end.</summary>
    public static string StringToSign(string algorithm, DateTimeOffset at, CredentialScope scope, string canonicalRequest) =>
        $"{algorithm}\n{AmzDate.Format(at)}\n{scope}\n{Hash(Encoding.UTF8.GetBytes(canonicalRequest))}";

    private static string Folded(string value) =>
        value.Contains("  ", StringComparison.Ordinal) ? string.Join(' ', value.Split(' ', StringSplitOptions.RemoveEmptyEntries)) : value.Trim(' ');
}
