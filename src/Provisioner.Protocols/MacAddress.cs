namespace Provisioner.Protocols;

/// <summary>A 48-bit IEEE 802 MAC address. One notation inside: lower case with colons.</summary>
/// <remarks>A MAC address selects a host; it never authorises anything.</remarks>
public readonly record struct MacAddress : IComparable<MacAddress>, ISpanFormattable, IUtf8SpanFormattable
{
    private readonly ulong bits;

    /// <summary>Makes an address from its 48 low bits, first octet highest.</summary>
    public MacAddress(ulong bits) => this.bits = bits & 0xFFFF_FFFF_FFFF;

    /// <summary>Reads the first six octets of <paramref name="octets"/> in network order.</summary>
    /// <exception cref="ArgumentException">Fewer than six octets.</exception>
    public MacAddress(ReadOnlySpan<byte> octets)
    {
        if (octets.Length < 6)
            throw new ArgumentException("A MAC address has six octets.", nameof(octets));
        ulong value = 0;
        for (var i = 0; i < 6; i++)
            value = (value << 8) | octets[i];
        bits = value;
    }

    /// <summary>The address as the low 48 bits of a number, first octet highest.</summary>
    public ulong Bits => bits;

    /// <summary>The first three octets: who made the network card.</summary>
    public uint Oui => (uint)(bits >> 24);

    /// <summary>A group address (I/G bit), which no network card sends from.</summary>
    public bool IsMulticast => (bits >> 40 & 1) != 0;

    /// <summary>All zero: no address.</summary>
    public bool IsZero => bits == 0;

    /// <summary>Writes the six octets in network order.</summary>
    public void CopyTo(Span<byte> destination)
    {
        for (var i = 0; i < 6; i++)
            destination[i] = (byte)(bits >> (40 - 8 * i));
    }

    /// <summary>
    /// Reads any notation people paste: <c>aa:bb:cc:dd:ee:ff</c>, <c>AA-BB-CC-DD-EE-FF</c>, <c>aabb.ccdd.eeff</c>, <c>aabbccddeeff</c>.
    /// Separators must be the same and evenly placed.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, out MacAddress mac)
    {
        mac = default;
        text = text.Trim();
        var group = text.Length switch { 17 => 2, 14 => 4, 12 => 12, _ => 0 };
        if (group == 0)
            return false;
        char separator = group == 12 ? '\0' : text[group];
        if (group == 2 && separator is not (':' or '-' or '.') || group == 4 && separator is not ('.' or '-' or ':'))
            return false;
        ulong value = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (group != 12 && i % (group + 1) == group)
            {
                if (text[i] != separator)
                    return false;
                continue;
            }
            if (!char.IsAsciiHexDigit(text[i]))
                return false;
            value = (value << 4) | (uint)HexDigit(text[i]);
        }
        mac = new MacAddress(value);
        return true;
    }

    /// <summary>Reads an address that is known to be well formed, such as a constant.</summary>
    /// <exception cref="FormatException">Not a MAC address.</exception>
    public static MacAddress Parse(string text) =>
        TryParse(text, out var mac) ? mac : throw new FormatException($"'{text}' is not a MAC address.");

    /// <summary>Lower case with dashes, as iPXE's <c>hexhyp</c> and PXELINUX write it: the form used in paths.</summary>
    public string ToDashed() => ToString().Replace(':', '-');

    /// <inheritdoc/>
    public int CompareTo(MacAddress other) => bits.CompareTo(other.bits);

    /// <summary>Lower case with colons.</summary>
    public override string ToString() => string.Create(17, bits, static (span, value) => Format(span, value));

    /// <inheritdoc/>
    public string ToString(string? format, IFormatProvider? formatProvider) => ToString();

    /// <inheritdoc/>
    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider)
    {
        charsWritten = 0;
        if (destination.Length < 17)
            return false;
        Format(destination, bits);
        charsWritten = 17;
        return true;
    }

    /// <inheritdoc/>
    public bool TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format, IFormatProvider? provider)
    {
        bytesWritten = 0;
        if (utf8Destination.Length < 17)
            return false;
        Span<char> text = stackalloc char[17];
        Format(text, bits);
        for (var i = 0; i < 17; i++)
            utf8Destination[i] = (byte)text[i];
        bytesWritten = 17;
        return true;
    }

    private static void Format(Span<char> span, ulong value)
    {
        const string Digits = "0123456789abcdef";
        for (var i = 0; i < 6; i++)
        {
            var octet = (int)(value >> (40 - 8 * i)) & 0xFF;
            span[3 * i] = Digits[octet >> 4];
            span[3 * i + 1] = Digits[octet & 15];
            if (i < 5)
                span[3 * i + 2] = ':';
        }
    }

    private static int HexDigit(char c) => c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

    /// <summary>Orders by number.</summary>
    public static bool operator <(MacAddress left, MacAddress right) => left.bits < right.bits;

    /// <summary>Orders by number.</summary>
    public static bool operator >(MacAddress left, MacAddress right) => left.bits > right.bits;

    /// <summary>Orders by number.</summary>
    public static bool operator <=(MacAddress left, MacAddress right) => left.bits <= right.bits;

    /// <summary>Orders by number.</summary>
    public static bool operator >=(MacAddress left, MacAddress right) => left.bits >= right.bits;
}
