using System.Text.Json.Nodes;

namespace Provisioner.Cli;

/// <summary>Events one below the other: time, source, what, and the reason below it.</summary>
internal sealed class Timeline(Screen screen)
{
    // "20:01:05.123  proxyDhcp  "
    private const int Indent = 25;

    private DateTime day;

    public void Write(IEnumerable<JsonObject> events)
    {
        foreach (var entry in events)
            Write(entry);
    }

    public void Write(JsonObject entry)
    {
        var at = TimeZoneInfo.ConvertTime(Words.Time(entry.At("at")) ?? default, screen.Time.LocalTimeZone);
        if (at.Date != day)
        {
            day = at.Date;
            screen.Output.WriteLine(screen.Dim($"{at:yyyy-MM-dd} ({(at.Offset == TimeSpan.Zero ? "UTC" : $"UTC{at:zzz}")})"));
        }
        var outcome = entry.At("outcome");
        var first = true;
        foreach (var line in screen.Wrap(What(entry, outcome), Indent))
        {
            screen.Output.WriteLine((first ? $"{at:HH:mm:ss.fff}  {entry.At("source"),-9}  " : new string(' ', Indent)) + (outcome is "failed" or "refused" ? screen.Red(line) : line));
            first = false;
        }
        foreach (var line in screen.Wrap(entry.At("reason"), Indent))
            screen.Output.WriteLine(new string(' ', Indent) + screen.Dim(line));
    }

    private static string What(JsonObject entry, string outcome) => outcome switch
    {
        "silent" or "refused" or "failed" => $"{entry.At("what")} [{outcome}]",
        _ => entry.At("actor") is { Length: > 0 } actor ? $"{entry.At("what")} (by {actor})" : entry.At("what"),
    };
}
