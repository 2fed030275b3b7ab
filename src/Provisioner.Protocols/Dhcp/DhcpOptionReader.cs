namespace Provisioner.Protocols.Dhcp;

/// <summary>Walks code-length-value triples: the options field, or one that is encapsulated in an option (43, 82, 175).</summary>
/// <param name="area">The bytes to walk.</param>
/// <param name="hasPadAndEnd">Codes 0 and 255 stand alone (RFC 2132 §3.1 and §3.2). Not so in option 82 (RFC 3046 §2.0).</param>
public ref struct DhcpOptionReader(ReadOnlySpan<byte> area, bool hasPadAndEnd = true)
{
    private readonly ReadOnlySpan<byte> area = area;
    private int position;

    /// <summary>The code of the option just read.</summary>
    public byte Code { get; private set; }

    /// <summary>The value of the option just read.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>The walk ended because an option's length runs past the area.</summary>
    public bool IsTruncated { get; private set; }

    /// <summary>Where the walk is, in bytes from the area's start.</summary>
    public readonly int Position => position;

    /// <summary>Reads the next option; false at the end.</summary>
    public bool MoveNext()
    {
        while (position < area.Length)
        {
            Code = area[position];
            if (hasPadAndEnd && Code == (byte)DhcpOption.Pad)
            {
                position++;
                continue;
            }
            if (hasPadAndEnd && Code == (byte)DhcpOption.End)
                return false;
            if (position + 2 > area.Length || position + 2 + area[position + 1] > area.Length)
            {
                IsTruncated = true;
                return false;
            }
            Value = area.Slice(position + 2, area[position + 1]);
            position += 2 + Value.Length;
            return true;
        }
        return false;
    }

    /// <summary>Finds the first option of that code in an encapsulated field.</summary>
    public static bool TryFind(ReadOnlySpan<byte> area, byte code, out ReadOnlySpan<byte> value, bool hasPadAndEnd = true)
    {
        var reader = new DhcpOptionReader(area, hasPadAndEnd);
        while (reader.MoveNext())
        {
            if (reader.Code != code)
                continue;
            value = reader.Value;
            return true;
        }
        value = default;
        return false;
    }
}
