using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Unicode;

namespace Provisioner.Protocols.Est;

/// <summary>Text in any of the encodings that names have had over the years (RFC 5280 §4.1.2.4, and IA5String, which some write).</summary>
internal static class DirectoryString
{
    /// <summary>Reads it. Control characters are refused: a NUL in a name has cut it short for one reader and not for another.</summary>
    /// <param name="tag">Of the encoding.</param>
    /// <param name="content">The octets.</param>
    /// <param name="what">What the text is, for the reason, which does not repeat the text: it may be a secret.</param>
    /// <param name="text">The text.</param>
    /// <param name="reason">Why it is none.</param>
    public static bool TryRead(byte tag, ReadOnlySpan<byte> content, string what, [NotNullWhen(true)] out string? text, [NotNullWhen(false)] out string? reason)
    {
        text = tag switch
        {
            Der.Utf8String => Utf8.IsValid(content) ? Encoding.UTF8.GetString(content) : null,
            // T61String is taken for what it and ASCII share; nobody agrees on the rest.
            Der.PrintableString or Der.Ia5String or Der.T61String => Ascii.IsValid(content) ? Encoding.ASCII.GetString(content) : null,
            Der.BmpString => DecodeBmp(content),
            Der.UniversalString => DecodeUniversal(content),
            _ => null,
        };
        if (text is null)
        {
            reason = tag is Der.Utf8String or Der.PrintableString or Der.Ia5String or Der.T61String or Der.BmpString or Der.UniversalString
                ? $"the {what} has octets that its encoding, with the tag 0x{tag:x2}, does not allow"
                : $"the {what} has the tag 0x{tag:x2}, which is no kind of text: use UTF8String";
            return false;
        }
        if (text.Length == 0)
        {
            reason = $"the {what} is empty";
            return false;
        }
        foreach (var character in text)
        {
            if (char.IsControl(character))
            {
                reason = $"the {what} has the control character U+{(int)character:X4}";
                return false;
            }
        }
        reason = null;
        return true;
    }

    private static string? DecodeBmp(ReadOnlySpan<byte> content)
    {
        if (content.Length % 2 != 0)
            return null;
        var text = new StringBuilder(content.Length / 2);
        for (var i = 0; i < content.Length; i += 2)
        {
            var character = (char)BinaryPrimitives.ReadUInt16BigEndian(content[i..]);
            if (char.IsSurrogate(character))
                return null;
            text.Append(character);
        }
        return text.ToString();
    }

    private static string? DecodeUniversal(ReadOnlySpan<byte> content)
    {
        if (content.Length % 4 != 0)
            return null;
        var text = new StringBuilder(content.Length / 4);
        for (var i = 0; i < content.Length; i += 4)
        {
            if (!Rune.TryCreate(BinaryPrimitives.ReadUInt32BigEndian(content[i..]), out var rune))
                return null;
            text.Append(rune.ToString());
        }
        return text.ToString();
    }
}
