namespace Provisioner.Cli;

/// <summary>Two texts beside each other, line by line: what went, what came, and three lines around it.</summary>
internal static class LineDifference
{
    private const int Around = 3;

    /// <summary>The longest texts that are compared line by line; beyond, a table of their product would be too large.</summary>
    private const int MaximumLines = 4_000;

    public static void Write(Screen screen, string before, string after)
    {
        var lines = Of(before.Split('\n'), after.Split('\n'));
        if (lines.TrueForAll(line => line.Sign == ' '))
        {
            screen.Output.WriteLine("Nothing changed since it was last served.");
            return;
        }
        var shownTo = -1;
        for (var i = 0; i < lines.Count; i++)
        {
            if (!lines.Skip(Math.Max(0, i - Around)).Take(Math.Min(i, Around) + 1 + Around).Any(line => line.Sign != ' '))
                continue;
            if (shownTo >= 0 && i > shownTo + 1)
                screen.Output.WriteLine(screen.Dim("…"));
            shownTo = i;
            var text = $"{lines[i].Sign} {lines[i].Text}";
            screen.Output.WriteLine(lines[i].Sign switch { '-' => screen.Red(text), '+' => screen.Green(text), _ => text });
        }
    }

    /// <summary>The shortest way from one to the other, by their longest common subsequence.</summary>
    internal static List<(char Sign, string Text)> Of(string[] before, string[] after)
    {
        if (before.Length > MaximumLines || after.Length > MaximumLines)
            return [.. before.Select(line => ('-', line)), .. after.Select(line => ('+', line))];
        var common = new int[before.Length + 1, after.Length + 1];
        for (var i = before.Length - 1; i >= 0; i--)
        {
            for (var j = after.Length - 1; j >= 0; j--)
                common[i, j] = before[i] == after[j] ? common[i + 1, j + 1] + 1 : Math.Max(common[i + 1, j], common[i, j + 1]);
        }
        var lines = new List<(char, string)>();
        int a = 0, b = 0;
        while (a < before.Length || b < after.Length)
        {
            if (a < before.Length && b < after.Length && before[a] == after[b])
            {
                lines.Add((' ', before[a]));
                (a, b) = (a + 1, b + 1);
            }
            else if (b == after.Length || a < before.Length && common[a + 1, b] >= common[a, b + 1])
            {
                lines.Add(('-', before[a++]));
            }
            else
            {
                lines.Add(('+', after[b++]));
            }
        }
        return lines;
    }
}
