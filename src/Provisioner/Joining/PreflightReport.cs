using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using Provisioner.Resources;

namespace Provisioner.Joining;

/// <summary>
/// What a host found before it joins, as it posts it: a finding a line, of five fields with a tab between: code, verdict (<c>pass</c>, <c>warn</c>,
/// <c>fail</c>, <c>skip</c>), what was found, what it breaks, what to do or ask. The last two may be missing.
/// </summary>
internal static partial class PreflightReport
{
    public const int MaximumBytes = 64 * 1024;

    public const int MaximumFindings = 64;

    /// <summary>A sentence or two.</summary>
    private const int MaximumText = 600;

    /// <summary>Reads it. Never throws, whatever the text is.</summary>
    public static bool TryParse(string text, out ImmutableArray<Finding> findings, [NotNullWhen(false)] out string? wrong)
    {
        findings = [];
        wrong = null;
        var read = ImmutableArray.CreateBuilder<Finding>();
        var number = 0;
        foreach (var whole in text.Split('\n'))
        {
            number++;
            var line = whole.TrimEnd('\r');
            if (line.Length == 0)
                continue;
            if (read.Count == MaximumFindings)
                return No($"line {number}: there are more than {MaximumFindings} findings", out wrong);
            var fields = line.Split('\t');
            if (fields.Length is < 3 or > 5)
                return No($"line {number}: {fields.Length} fields; it takes code, pass|warn|fail|skip, what was found, what it breaks, what to do, with a tab between", out wrong);
            if (!CodeText().IsMatch(fields[0]))
                return No($"line {number}: '{Reading.Shorten(fields[0])}' is not a finding's code; one is of lower-case letters, digits, '-', '.', '_' and ':', at most 160, such as mtu or tcp:sts.eu-west-1.amazonaws.com:443", out wrong);
            if (VerdictOf(fields[1]) is not { } verdict)
                return No($"line {number}: '{Reading.Shorten(fields[1])}' is none of pass, warn, fail and skip", out wrong);
            read.Add(new Finding(fields[0], verdict, Text(fields, 2), Text(fields, 3), Text(fields, 4)));
        }
        if (read.Count == 0)
            return No("there is no finding in it", out wrong);
        findings = read.ToImmutable();
        return true;
    }

    /// <summary>As it is posted.</summary>
    public static string Write(IEnumerable<Finding> findings) => string.Concat(findings.Select(f => $"{f.Code}\t{Api.Json.Word(f.Verdict)}\t{f.Found}\t{f.Breaks}\t{f.Ask}\n"));

    private static Verdict? VerdictOf(string word) => word switch
    {
        "pass" => Verdict.Pass,
        "warn" => Verdict.Warn,
        "fail" => Verdict.Fail,
        "skip" => Verdict.Skip,
        _ => null,
    };

    private static string Text(string[] fields, int index) => index < fields.Length ? Redaction.Of(Texts.OneLine(fields[index].Trim(), MaximumText)) : "";

    private static bool No(string why, out string? wrong)
    {
        wrong = why;
        return false;
    }

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9._:-]{0,159}\z", RegexOptions.NonBacktracking)]
    private static partial Regex CodeText();
}
