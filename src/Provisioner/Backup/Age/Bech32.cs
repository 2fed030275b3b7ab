namespace Provisioner.Backup.Age;

/// <summary>Bech32 as age writes its keys (BIP 173, without its limit of 90 characters).</summary>
internal static class Bech32
{
    private const string Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

    private const int ChecksumLength = 6;

    public static string Encode(string prefix, ReadOnlySpan<byte> data)
    {
        var values = Regroup(data, 8, 5, pad: true)!;
        var checksum = Polymod([.. Expand(prefix), .. values, 0, 0, 0, 0, 0, 0]) ^ 1;
        var text = new List<char>([.. prefix, '1', .. values.Select(v => Alphabet[v])]);
        for (var i = 0; i < ChecksumLength; i++)
            text.Add(Alphabet[(int)(checksum >> (5 * (5 - i))) & 31]);
        return new string([.. text]);
    }

    /// <returns>Null when the text is damaged, or does not begin with that prefix.</returns>
    public static byte[]? Decode(string prefix, string text)
    {
        // All of one case (BIP 173); age writes secret keys in upper case.
        if (text.Any(char.IsAsciiLetterLower) && text.Any(char.IsAsciiLetterUpper))
            return null;
        var lower = text.ToLowerInvariant();
        if (!lower.StartsWith(prefix + "1", StringComparison.Ordinal) || lower.Length < prefix.Length + 1 + ChecksumLength)
            return null;
        var values = lower[(prefix.Length + 1)..].Select(c => Alphabet.IndexOf(c, StringComparison.Ordinal)).ToList();
        if (values.Contains(-1) || Polymod([.. Expand(prefix), .. values.Select(v => (byte)v)]) != 1)
            return null;
        return Regroup([.. values.SkipLast(ChecksumLength).Select(v => (byte)v)], 5, 8, pad: false);
    }

    private static IEnumerable<byte> Expand(string prefix) => [.. prefix.Select(c => (byte)(c >> 5)), 0, .. prefix.Select(c => (byte)(c & 31))];

    private static uint Polymod(IEnumerable<byte> values)
    {
        ReadOnlySpan<uint> generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
        uint sum = 1;
        foreach (var value in values)
        {
            var top = sum >> 25;
            sum = ((sum & 0x1ffffff) << 5) ^ value;
            for (var i = 0; i < generator.Length; i++)
                sum ^= ((top >> i) & 1) == 0 ? 0 : generator[i];
        }
        return sum;
    }

    private static byte[]? Regroup(ReadOnlySpan<byte> data, int from, int to, bool pad)
    {
        var (accumulator, bits, result) = (0, 0, new List<byte>());
        foreach (var value in data)
        {
            accumulator = (accumulator << from | value) & 0xfff;
            for (bits += from; bits >= to; bits -= to)
                result.Add((byte)(accumulator >> (bits - to) & ((1 << to) - 1)));
        }
        if (pad && bits > 0)
            result.Add((byte)(accumulator << (to - bits) & ((1 << to) - 1)));
        else if (!pad && (bits >= from || (accumulator << (to - bits) & ((1 << to) - 1)) != 0))
            return null;
        return [.. result];
    }
}
