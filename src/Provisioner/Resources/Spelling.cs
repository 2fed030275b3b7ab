namespace Provisioner.Resources;

/// <summary>"Did you mean": the nearest of the words that would have been right.</summary>
internal static class Spelling
{
    /// <returns>The nearest word, or null when none is near.</returns>
    public static string? Nearest(string written, IEnumerable<string> right)
    {
        if (written.Length is 0 or > 64)
            return null;
        string? best = null;
        var bestDistance = int.MaxValue;
        foreach (var word in right)
        {
            // A beginning of the word, such as "mac" for "macAddresses", is as near as one slip.
            var distance = written.Length >= 3 && (word.StartsWith(written, StringComparison.OrdinalIgnoreCase) || written.StartsWith(word, StringComparison.OrdinalIgnoreCase))
                ? 1 : Distance(Plain(written), Plain(word));
            if (distance < bestDistance && distance <= Math.Max(1, Math.Min(written.Length, word.Length) / 3))
                (best, bestDistance) = (word, distance);
        }
        return best;
    }

    // mac_addresses, mac-addresses and MacAddresses are the same slip: none at all.
    private static string Plain(string word) => word.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal).ToLowerInvariant();

    /// <summary>Insertions, deletions, changes and swaps of neighbours (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        var rows = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
            rows[i, 0] = i;
        for (var j = 0; j <= b.Length; j++)
            rows[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = a[i - 1] == b[j - 1] ? 0 : 1;
                rows[i, j] = Math.Min(Math.Min(rows[i - 1, j] + 1, rows[i, j - 1] + 1), rows[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
            }
        }
        return rows[a.Length, b.Length];
    }
}
