using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Provisioner.Protocols.Est;

/// <summary>
/// The distinguished encoding of ASN.1 (X.690 §10 and §11), read without a schema: what is checked here need not be doubted by those
/// that read the fields. Nothing throws, unlike <c>AsnReader</c>, for which every wrong byte is an exception.
/// </summary>
internal static class Der
{
    public const byte Boolean = 0x01;
    public const byte Integer = 0x02;
    public const byte BitString = 0x03;
    public const byte OctetString = 0x04;
    public const byte Null = 0x05;
    public const byte ObjectIdentifier = 0x06;
    public const byte Enumerated = 0x0A;
    public const byte Utf8String = 0x0C;
    public const byte PrintableString = 0x13;
    public const byte T61String = 0x14;
    public const byte Ia5String = 0x16;
    public const byte UniversalString = 0x1C;
    public const byte BmpString = 0x1E;
    public const byte Sequence = 0x30;
    public const byte Set = 0x31;

    /// <summary>A constructed [0], the only such tag that is asked for by number.</summary>
    public const byte Context0 = 0xA0;

    private const int MaximumDepth = 24;
    private const int MaximumIdentifierLength = 64;

    /// <summary>Whether the bytes are one element and nothing more, in DER to its leaves.</summary>
    /// <param name="der">Any bytes.</param>
    /// <param name="what">What they are, for the reason.</param>
    /// <param name="reason">What is wrong, and at which byte.</param>
    public static bool TryCheck(ReadOnlySpan<byte> der, string what, [NotNullWhen(false)] out string? reason)
    {
        var at = 0;
        if (der.IsEmpty)
            reason = "there is nothing";
        else if (TryCheckElement(der, ref at, der.Length, MaximumDepth, out reason) && at < der.Length)
            reason = $"it ends at byte {at}, but {der.Length - at} more bytes follow";
        if (reason is null)
            return true;
        reason = $"the {what} is not DER: {reason}";
        return false;
    }

    /// <summary>Whether the elements of a SET OF are in the order DER gives them (X.690 §11.6).</summary>
    public static bool IsSorted(ReadOnlySpan<byte> setOf)
    {
        var reader = new DerReader(setOf);
        ReadOnlySpan<byte> previous = [];
        while (reader.TryReadAny(out _, out var element, out _))
        {
            // No encoding is the beginning of another, so that the padding with zeros of §11.6 makes no difference.
            if (previous.SequenceCompareTo(element) > 0)
                return false;
            previous = element;
        }
        return true;
    }

    /// <summary>An object identifier in the form people write, 2.5.4.3.</summary>
    /// <param name="content">Of an element that has been checked.</param>
    public static string Dotted(ReadOnlySpan<byte> content)
    {
        var text = new StringBuilder();
        var arc = BigInteger.Zero;
        foreach (var octet in content)
        {
            arc = (arc << 7) | (octet & 0x7F);
            if ((octet & 0x80) != 0)
                continue;
            if (text.Length == 0)
            {
                // The first two arcs share a number (X.690 §8.19.4).
                var first = arc < 40 ? 0 : arc < 80 ? 1 : 2;
                text.Append(first);
                arc -= first * 40;
            }
            text.Append('.').Append(arc.ToString(CultureInfo.InvariantCulture));
            arc = BigInteger.Zero;
        }
        return text.ToString();
    }

    /// <summary>Tag and length of the element at a place, which is left at its content.</summary>
    internal static bool TryReadHeader(ReadOnlySpan<byte> der, ref int at, int end, out byte tag, out int length, [NotNullWhen(false)] out string? reason)
    {
        var start = at;
        length = 0;
        tag = at < end ? der[at] : (byte)0;
        if (end - at < 2)
        {
            reason = $"it is cut short at byte {end}";
            return false;
        }
        if ((tag & 0x1F) == 0x1F)
        {
            reason = $"the tag at byte {start} is of the long form, which is for numbers nothing here has";
            return false;
        }
        int first = der[at + 1];
        at += 2;
        if (first == 0x80)
        {
            reason = $"the element at byte {start} has an indefinite length, which is BER: DER says the length";
            return false;
        }
        if (first < 0x80)
        {
            length = first;
        }
        else
        {
            var octets = first & 0x7F;
            if (octets > 3)
            {
                reason = $"the element at byte {start} has a length of {octets} octets, 3 are enough here";
                return false;
            }
            if (end - at < octets)
            {
                reason = $"it is cut short at byte {end}";
                return false;
            }
            foreach (var octet in der.Slice(at, octets))
                length = length << 8 | octet;
            at += octets;
            if (length < 0x80 || length >> ((octets - 1) * 8) == 0)
            {
                reason = $"the element at byte {start} writes its length {length} in more octets than needed, which is BER";
                return false;
            }
        }
        if (length > end - at)
        {
            reason = $"the element at byte {start} has a length of {length}, but {end - at} bytes follow";
            return false;
        }
        reason = null;
        return true;
    }

    private static bool TryCheckElement(ReadOnlySpan<byte> der, ref int at, int end, int depth, [NotNullWhen(false)] out string? reason)
    {
        var start = at;
        if (!TryReadHeader(der, ref at, end, out var tag, out var length, out reason))
            return false;
        var contentEnd = at + length;
        if ((tag & 0x20) != 0)
        {
            // Of the universal types these alone are constructed in DER: EXTERNAL, EMBEDDED PDV, SEQUENCE, SET, CHARACTER STRING.
            if (tag < 0x40 && tag is not (0x28 or 0x2B or Sequence or Set or 0x3D))
                reason = $"the element at byte {start} has the tag 0x{tag:x2}, a value in pieces, which is BER";
            else if (depth == 0)
                reason = $"the element at byte {start} is nested more than {MaximumDepth} deep";
            if (reason is not null)
                return false;
            while (at < contentEnd)
            {
                if (!TryCheckElement(der, ref at, contentEnd, depth - 1, out reason))
                    return false;
            }
            return true;
        }
        var wrong = FindWrong(tag, der[at..contentEnd]);
        at = contentEnd;
        reason = wrong is null ? null : $"the element at byte {start} is {wrong}";
        return reason is null;
    }

    /// <summary>What is wrong with a primitive value of a universal type, by the rules of X.690 §8 and §11.</summary>
    private static string? FindWrong(byte tag, ReadOnlySpan<byte> content)
    {
        switch (tag)
        {
            case 0x00:
                return "an end-of-contents, which is BER";
            case Boolean:
                return content is [0x00 or 0xFF] ? null : "a BOOLEAN that is neither 00 nor FF";
            case Integer or Enumerated:
                if (content.IsEmpty)
                    return "an INTEGER without a digit";
                return content is [0x00, < 0x80, ..] or [0xFF, >= 0x80, ..] ? "an INTEGER with more octets than needed" : null;
            case BitString:
                if (content.IsEmpty || content[0] > 7 || (content.Length == 1 && content[0] != 0))
                    return "a BIT STRING whose count of unused bits is wrong";
                return (content[^1] & ((1 << content[0]) - 1)) != 0 && content.Length > 1 ? "a BIT STRING whose unused bits are not 0" : null;
            case Null:
                return content.IsEmpty ? null : "a NULL that is not empty";
            case ObjectIdentifier:
                return FindWrongIdentifier(content);
            case 0x08 or 0x0B or 0x10 or 0x11 or 0x1D:
                return $"primitive with the tag 0x{tag:x2}, whose type is always constructed";
            default:
                return null;
        }
    }

    private static string? FindWrongIdentifier(ReadOnlySpan<byte> content)
    {
        if (content.IsEmpty || (content[^1] & 0x80) != 0)
            return "an OBJECT IDENTIFIER that does not end";
        if (content.Length > MaximumIdentifierLength)
            return $"an OBJECT IDENTIFIER of {content.Length} octets, {MaximumIdentifierLength} are enough here";
        var begins = true;
        foreach (var octet in content)
        {
            if (begins && octet == 0x80)
                return "an OBJECT IDENTIFIER with an arc of more octets than needed";
            begins = (octet & 0x80) == 0;
        }
        return null;
    }
}

/// <summary>Takes one element after the other. What does not fit is not taken, and nothing throws.</summary>
internal ref struct DerReader(ReadOnlySpan<byte> der)
{
    private ReadOnlySpan<byte> rest = der;

    public readonly bool IsEmpty => rest.IsEmpty;

    public readonly ReadOnlySpan<byte> Remaining => rest;

    /// <summary>The tag that comes next, or 0 at the end.</summary>
    public readonly byte NextTag => rest.IsEmpty ? (byte)0 : rest[0];

    public bool TryRead(byte tag, out ReadOnlySpan<byte> content) => TryRead(tag, out _, out content);

    public bool TryRead(byte tag, out ReadOnlySpan<byte> element, out ReadOnlySpan<byte> content)
    {
        element = content = default;
        return NextTag == tag && TryReadAny(out _, out element, out content);
    }

    public bool TryReadAny(out byte tag, out ReadOnlySpan<byte> element, out ReadOnlySpan<byte> content)
    {
        var at = 0;
        element = content = default;
        if (!Der.TryReadHeader(rest, ref at, rest.Length, out tag, out var length, out _))
            return false;
        element = rest[..(at + length)];
        content = element[at..];
        rest = rest[(at + length)..];
        return true;
    }
}
