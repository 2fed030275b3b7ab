namespace Provisioner.Artifacts.Packages;

/// <summary>Which of two versions is the newer one.</summary>
internal static class PackageVersion
{
    /// <summary>By Debian Policy §5.6.12.</summary>
    public static int CompareDebian(string a, string b)
    {
        var (left, right) = (Debian(a), Debian(b));
        var order = left.Epoch.CompareTo(right.Epoch);
        if (order == 0)
            order = CompareDebianPart(left.Upstream, right.Upstream);
        return order != 0 ? order : CompareDebianPart(left.Revision, right.Revision);
    }

    /// <summary>By rpm-version(7). A version is <c>EPOCH:VERSION-RELEASE</c>.</summary>
    public static int CompareRpm(string a, string b)
    {
        var (left, right) = (Debian(a), Debian(b));
        var order = left.Epoch.CompareTo(right.Epoch);
        if (order == 0)
            order = CompareRpmPart(left.Upstream, right.Upstream);
        return order != 0 ? order : CompareRpmPart(left.Revision, right.Revision);
    }

    private static (long Epoch, string Upstream, string Revision) Debian(string version)
    {
        var epoch = 0L;
        var colon = version.IndexOf(':', StringComparison.Ordinal);
        if (colon >= 0)
            _ = long.TryParse(version.AsSpan(0, colon), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out epoch);
        var rest = version[(colon + 1)..];
        var dash = rest.LastIndexOf('-');
        return dash < 0 ? (epoch, rest, "") : (epoch, rest[..dash], rest[(dash + 1)..]);
    }

    private static int CompareDebianPart(string a, string b)
    {
        for (var (i, j) = (0, 0); i < a.Length || j < b.Length;)
        {
            while (i < a.Length && !char.IsAsciiDigit(a[i]) || j < b.Length && !char.IsAsciiDigit(b[j]))
            {
                var order = Weight(a, i).CompareTo(Weight(b, j));
                if (order != 0)
                    return order;
                i++;
                j++;
            }
            var number = CompareNumber(Digits(a, ref i), Digits(b, ref j));
            if (number != 0)
                return number;
        }
        return 0;
    }

    // A tilde is before the end, letters are before everything else.
    private static int Weight(string text, int at) =>
        at >= text.Length || char.IsAsciiDigit(text[at]) ? 0 : text[at] == '~' ? -1 : char.IsAsciiLetter(text[at]) ? text[at] : text[at] + 256;

    private static int CompareRpmPart(string a, string b)
    {
        for (var (i, j) = (0, 0); ;)
        {
            Skip(a, ref i);
            Skip(b, ref j);
            var (left, right) = (i < a.Length ? a[i] : '\0', j < b.Length ? b[j] : '\0');
            // A tilde is before the end, a caret after it.
            if (left == '~' || right == '~')
            {
                if (left != right)
                    return left == '~' ? -1 : 1;
                (i, j) = (i + 1, j + 1);
                continue;
            }
            if (left == '^' || right == '^')
            {
                if (left != right)
                    return left == '\0' ? -1 : right == '\0' ? 1 : left == '^' ? -1 : 1;
                (i, j) = (i + 1, j + 1);
                continue;
            }
            if (left == '\0' || right == '\0')
                return left == right ? 0 : left == '\0' ? -1 : 1;
            // A number is newer than letters.
            if (char.IsAsciiDigit(left) != char.IsAsciiDigit(right))
                return char.IsAsciiDigit(left) ? 1 : -1;
            var order = char.IsAsciiDigit(left) ? CompareNumber(Digits(a, ref i), Digits(b, ref j)) : string.CompareOrdinal(Letters(a, ref i), Letters(b, ref j));
            if (order != 0)
                return order;
        }
    }

    private static void Skip(string text, ref int at)
    {
        while (at < text.Length && !char.IsAsciiLetterOrDigit(text[at]) && text[at] is not ('~' or '^'))
            at++;
    }

    private static string Digits(string text, ref int at)
    {
        var from = at;
        while (at < text.Length && char.IsAsciiDigit(text[at]))
            at++;
        return text[from..at].TrimStart('0');
    }

    private static string Letters(string text, ref int at)
    {
        var from = at;
        while (at < text.Length && char.IsAsciiLetter(text[at]))
            at++;
        return text[from..at];
    }

    private static int CompareNumber(string a, string b) => a.Length != b.Length ? a.Length.CompareTo(b.Length) : string.CompareOrdinal(a, b);
}
