using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Provisioner.Artifacts;

/// <summary>
/// A file with SHA-256 checksums, as upstreams publish beside what they sum up: the bare digest, or lines of digest and name as
/// <c>sha256sum</c> writes them.
/// </summary>
internal static class ChecksumFile
{
    public const int MaximumLength = 64 * 1024;

    /// <summary>Finds the digest of a file.</summary>
    /// <param name="name">The file's name; directories in front of names are passed over.</param>
    /// <param name="sha256">Lower-case hexadecimal.</param>
    public static bool TryParse(ReadOnlySpan<byte> content, string name, [NotNullWhen(true)] out string? sha256, [NotNullWhen(false)] out string? reason)
    {
        (sha256, reason) = (null, null);
        if (content.Length > MaximumLength)
        {
            reason = $"the checksum file has {content.Length} bytes; {MaximumLength} are allowed";
            return false;
        }
        string? only = null;
        var digests = 0;
        foreach (var line in Encoding.Latin1.GetString(content).Split('\n'))
        {
            var text = line.Trim();
            if (text.Length == 0)
                continue;
            var blank = text.AsSpan().IndexOfAny(' ', '\t');
            var digest = blank < 0 ? text : text[..blank];
            if (!IsSha256(digest))
                continue;
            digests++;
            // Two characters between digest and name: a blank, and a blank or the * of a file read as binary.
            var named = blank < 0 ? "" : text[(blank + 1)..].TrimStart(' ', '\t', '*');
            if (named.Length > 0 && named[(named.LastIndexOf('/') + 1)..] == name)
            {
                sha256 = digest.ToLowerInvariant();
                return true;
            }
            if (named.Length == 0)
                only = digest.ToLowerInvariant();
        }
        if (digests == 1 && only is not null)
        {
            sha256 = only;
            return true;
        }
        reason = digests == 0
            ? "the checksum file has no SHA-256 digest: 64 hexadecimal digits at the beginning of a line"
            : $"the checksum file has digests of other files and none of '{name}'";
        return false;
    }

    /// <summary>As <c>sha256sum</c> writes it and nodeadm wants it.</summary>
    public static string Write(string sha256, string name) => $"{sha256}  {name}\n";

    public static bool IsSha256(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigit);
}
