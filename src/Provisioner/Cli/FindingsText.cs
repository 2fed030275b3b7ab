using System.Text.Json.Nodes;

namespace Provisioner.Cli;

/// <summary>Findings as people read them: what is wrong, what it breaks and what to do in whole sentences, what is right in a line.</summary>
internal static class FindingsText
{
    private const int Indent = 10;

    public static void Write(Screen screen, IReadOnlyList<JsonObject> findings)
    {
        var several = findings.Select(f => f.At("host")).Distinct(StringComparer.Ordinal).Count() > 1;
        foreach (var finding in findings)
        {
            var verdict = finding.At("verdict");
            var shown = verdict switch { "fail" => screen.Red(verdict), "warn" => screen.Red(verdict), "pass" => screen.Green(verdict), _ => screen.Dim(verdict) };
            screen.Output.WriteLine($"  {shown}  {(several ? $"{finding.At("host")}: " : "")}{finding.At("code")}{(finding.At("by") == "appliance" ? ", from the appliance" : "")}");
            WriteLines(screen, "", finding.At("found"));
            if (verdict is "pass" or "skip")
                continue;
            WriteLines(screen, "Breaks: ", finding.At("breaks"));
            WriteLines(screen, "To do: ", finding.At("ask"));
        }
    }

    private static void WriteLines(Screen screen, string label, string text)
    {
        if (text.Length == 0)
            return;
        foreach (var line in screen.Wrap(label + text, Indent))
            screen.Output.WriteLine(new string(' ', Indent - 2) + line);
    }
}
