using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Provisioner.Artifacts;

/// <summary>
/// A name below <c>/artifacts/</c>, decoded once and strictly: what an upstream could read differently from us (an encoded slash, two
/// dots, a second decoding, a query) is refused instead of normalised.
/// </summary>
/// <param name="Upstream">The first part.</param>
/// <param name="Rest">The parts after it, decoded, joined by slashes.</param>
internal readonly record struct ArtifactPath(string Upstream, string Rest)
{
    public const string Prefix = "/artifacts/";

    private const int Longest = 1024;

    /// <summary>As it was asked for, below <see cref="Prefix"/>; a key of the cache.</summary>
    public override string ToString() => $"{Upstream}/{Rest}";

    /// <summary>Reads a request target as it stood on the request's first line (RFC 9112 §3.2.1).</summary>
    public static bool TryParse(ReadOnlySpan<byte> target, out ArtifactPath path, [NotNullWhen(false)] out string? reason)
    {
        path = default;
        if (target.Length > Longest)
            return No($"the path has {target.Length} characters; {Longest} are allowed", out reason);
        if (!target.StartsWith("/artifacts/"u8))
            return No($"the path does not begin with {Prefix}", out reason);
        var text = new StringBuilder(target.Length);
        for (var i = Prefix.Length; i < target.Length; i++)
        {
            int octet = target[i];
            if (octet is '?' or '#')
                return No("the path has a query, and an artifact is named by its path alone", out reason);
            if (octet == '/')
            {
                text.Append('/');
                continue;
            }
            if (octet == '%')
            {
                var digits = target[i..Math.Min(i + 3, target.Length)];
                if (digits.Length < 3 || !char.IsAsciiHexDigit((char)digits[1]) || !char.IsAsciiHexDigit((char)digits[2]))
                    return No("the path has a % that two hexadecimal digits do not follow", out reason);
                octet = Convert.FromHexString(Encoding.ASCII.GetString(digits[1..]))[0];
                i += 2;
            }
            if (!IsAllowed(octet))
                return No($"the path has the octet 0x{octet:x2} in a part; letters, digits and -._~+:=@,^ are allowed, a slash only unencoded", out reason);
            text.Append((char)octet);
        }
        // One dot is the place itself (RFC 3986 §5.2.4): apt asks a flat archive for ./FILE.
        var parts = text.ToString().Split('/').Where(part => part != ".").ToArray();
        foreach (var part in parts)
        {
            if (part == "..")
                return No("the path has a dot segment; name the file itself", out reason);
            if (part.Length == 0)
                return No("the path has an empty part; name a file, with one slash between its parts", out reason);
        }
        if (parts.Length < 2)
            return No($"the path is {Prefix}NAME/FILE, and there is no FILE", out reason);
        path = new ArtifactPath(parts[0], string.Join('/', parts[1..]));
        reason = null;
        return true;
    }

    /// <summary>Reads a path as people write it, with or without <see cref="Prefix"/>.</summary>
    public static bool TryParse(string text, out ArtifactPath path, [NotNullWhen(false)] out string? reason)
    {
        var bare = text.StartsWith(Prefix, StringComparison.Ordinal) ? text[Prefix.Length..] : text;
        return TryParse(Encoding.UTF8.GetBytes(Prefix + bare), out path, out reason);
    }

    /// <summary>The parts as a URL has them.</summary>
    public static string Escape(string rest) => string.Join('/', rest.Split('/').Select(Uri.EscapeDataString));

    // RFC 3986's unreserved characters, and those that package names and versions have besides.
    private static bool IsAllowed(int octet) =>
        octet < 0x80 && (char.IsAsciiLetterOrDigit((char)octet) || octet is '-' or '.' or '_' or '~' or '+' or ':' or '=' or '@' or ',' or '^');

    private static bool No(string why, out string? reason)
    {
        reason = why;
        return false;
    }
}
