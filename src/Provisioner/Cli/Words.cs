using System.Globalization;
using System.Text.Json.Nodes;

namespace Provisioner.Cli;

/// <summary>Values of the API's JSON in the form people read.</summary>
internal static class Words
{
    /// <summary>The text at a path such as <c>spec.architecture</c>; empty when there is none.</summary>
    public static string At(this JsonObject json, string path)
    {
        JsonNode? node = json;
        foreach (var key in path.Split('.'))
            node = (node as JsonObject)?[key];
        return node switch
        {
            null => "",
            JsonArray array => string.Join(',', array.Select(item => item?.ToString() ?? "")),
            _ => node.ToString(),
        };
    }

    /// <summary><c>52.7 MB</c>.</summary>
    public static string Size(long bytes) => bytes switch
    {
        < 1000 => $"{bytes} B",
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.#} kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.#} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.##} GB"),
    };

    public static DateTimeOffset? Time(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    /// <summary>How long ago, or in how long: <c>5m</c>, <c>3h</c>, <c>12d</c>.</summary>
    public static string Age(string text, TimeProvider time)
    {
        if (Time(text) is not { } at)
            return "";
        var span = (time.GetUtcNow() - at).Duration();
        return span.TotalSeconds < 120 ? $"{(int)span.TotalSeconds}s"
            : span.TotalMinutes < 120 ? $"{(int)span.TotalMinutes}m"
            : span.TotalHours < 48 ? $"{(int)span.TotalHours}h"
            : $"{(int)span.TotalDays}d";
    }
}
