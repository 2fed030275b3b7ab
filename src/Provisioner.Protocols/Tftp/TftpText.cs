using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Provisioner.Protocols.Tftp;

/// <summary>The zero-terminated strings in TFTP packets.</summary>
internal static class TftpText
{
    /// <summary>Takes the octets up to the next NUL, and the NUL, off the front.</summary>
    public static bool TryTake(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> text)
    {
        var end = rest.IndexOf((byte)0);
        if (end < 0)
        {
            text = default;
            return false;
        }
        text = rest[..end];
        rest = rest[(end + 1)..];
        return true;
    }

    /// <summary>UTF-8; what is not becomes U+FFFD.</summary>
    public static string Decode(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text);

    /// <summary>For records and logs: control characters, with which a client could forge a line, become U+FFFD.</summary>
    public static string DecodePrintable(ReadOnlySpan<byte> text)
    {
        var decoded = Decode(text);
        return decoded.AsSpan().ContainsAnyInRange('\0', '\x1f') || decoded.Any(char.IsControl)
            ? string.Create(decoded.Length, decoded, static (span, source) =>
            {
                for (var i = 0; i < span.Length; i++)
                    span[i] = char.IsControl(source[i]) ? '\uFFFD' : source[i];
            })
            : decoded;
    }

    /// <summary>Digits only. Numbers too large for a <see cref="long"/> become <see cref="long.MaxValue"/>.</summary>
    public static bool TryParseNumber([NotNullWhen(true)] string? text, out long number)
    {
        number = 0;
        if (string.IsNullOrEmpty(text) || text.AsSpan().ContainsAnyExceptInRange('0', '9'))
            return false;
        if (!long.TryParse(text, System.Globalization.NumberStyles.None, null, out number))
            number = long.MaxValue;
        return true;
    }
}
