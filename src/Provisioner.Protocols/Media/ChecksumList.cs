using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Provisioner.Protocols.Media;

/// <summary>What <c>md5sum</c> and <c>sha256sum</c> write, as Debian and Ubuntu put it on their discs: a sum and a path a line.</summary>
public static class ChecksumList
{
    private const int MaxLines = 200_000;

    /// <summary>Reads the list.</summary>
    /// <param name="file">All of it.</param>
    /// <param name="digits">How long each sum is: 32 for MD5, 64 for SHA-256.</param>
    /// <param name="sums">The sums, lower-case hexadecimal, by path without <c>./</c>.</param>
    /// <param name="reason">When false is returned: what is wrong, with its line.</param>
    /// <remarks>Any bytes at all may be given; nothing is thrown.</remarks>
    public static bool TryParse(
        ReadOnlySpan<byte> file, int digits, [NotNullWhen(true)] out ImmutableDictionary<string, string>? sums, [NotNullWhen(false)] out string? reason)
    {
        sums = null;
        var found = ImmutableDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        var number = 0;
        foreach (var range in file.Split((byte)'\n'))
        {
            var raw = file[range];
            if (++number > MaxLines)
            {
                reason = $"the list has more than {MaxLines} lines";
                return false;
            }
            var line = Encoding.UTF8.GetString(raw).TrimEnd('\r');
            if (line.Length == 0 || line[0] == '#')
                continue;
            // "sum  path" for text, "sum *path" for binary; GNU coreutils 'md5sum --check'.
            if (line.Length < digits + 3 || !IsHex(line.AsSpan(0, digits), digits) || line[digits] != ' ' || line[digits + 1] is not (' ' or '*'))
            {
                reason = $"line {number} is not a sum of {digits} hexadecimal digits, two blanks and a path";
                return false;
            }
            var path = line[(digits + 2)..];
            found[path.StartsWith("./", StringComparison.Ordinal) ? path[2..] : path] = line[..digits].ToLowerInvariant();
        }
        sums = found.ToImmutable();
        reason = null;
        return true;
    }

    internal static bool IsHex(ReadOnlySpan<char> text, int digits)
    {
        if (text.Length != digits)
            return false;
        foreach (var c in text)
        {
            if (!char.IsAsciiHexDigit(c))
                return false;
        }
        return true;
    }
}
