namespace Provisioner.Web.Live;

/// <summary>The lines of which two texts differ.</summary>
internal static class LineDiff
{
    /// <summary>Above so many lines each, only that they differ is said: the table below is of the product of both.</summary>
    private const int MaximumLines = 2_000;

    /// <summary>Lines gone with <c>-</c> before them, new ones with <c>+</c>; null when there is no difference.</summary>
    public static string? Of(string before, string after)
    {
        if (before == after)
            return null;
        var (a, b) = (before.Split('\n'), after.Split('\n'));
        if (a.Length > MaximumLines || b.Length > MaximumLines)
            return "They differ, and are too long to compare here.";
        // The longest common subsequence, from the end.
        var length = new int[a.Length + 1, b.Length + 1];
        for (var i = a.Length - 1; i >= 0; i--)
        {
            for (var j = b.Length - 1; j >= 0; j--)
                length[i, j] = a[i] == b[j] ? length[i + 1, j + 1] + 1 : Math.Max(length[i + 1, j], length[i, j + 1]);
        }
        var lines = new List<string>();
        var (x, y) = (0, 0);
        while (x < a.Length || y < b.Length)
        {
            if (x < a.Length && y < b.Length && a[x] == b[y])
                (x, y) = (x + 1, y + 1);
            else if (y == b.Length || x < a.Length && length[x + 1, y] >= length[x, y + 1])
                lines.Add($"- {a[x++]}");
            else
                lines.Add($"+ {b[y++]}");
        }
        return string.Join('\n', lines);
    }
}
