using System.Buffers;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Provisioner.Storage;

namespace Provisioner.Audit;

/// <summary>A record that a change touched, as it was and as it is.</summary>
/// <param name="Record">Its kind and name: <c>Profile/worker</c>.</param>
/// <param name="Before">Null when it was made.</param>
/// <param name="After">Null when it was removed.</param>
internal sealed record AuditedChange(string Record, JsonObject? Before, JsonObject? After);

/// <summary>One change that somebody made.</summary>
internal sealed record AuditEntry
{
    public required DateTimeOffset At { get; init; }

    /// <summary>Who: <c>user/NAME</c>, <c>token/NAME</c>, or the local account behind the socket.</summary>
    public required string Actor { get; init; }

    public required string What { get; init; }

    public required string Reason { get; init; }

    public string? Subject { get; init; }

    public ImmutableArray<AuditedChange> Changes { get; init; } = [];
}

/// <summary>
/// An entry as a line of the trail: JSON, whose last two keys are <c>previous</c>, the hash of the line before, and <c>hash</c>, the SHA-256 of the line
/// itself up to there. A line that is changed, taken out, put in or moved no longer fits those around it.
/// </summary>
/// <param name="Sequence">Counted from 1, without a gap.</param>
internal sealed record AuditLine(long Sequence, string Previous, string Hash, string Text)
{
    /// <summary>What the first line names as the one before.</summary>
    public static string Origin { get; } = new('0', 64);

    private const string HashKey = ",\"hash\":\"";

    private const int SuffixLength = 75; // ,"hash":"<64 digits>"}

    public static AuditLine Write(AuditEntry entry, long sequence, string previous)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = RecordJson.Options.Encoder }))
        {
            writer.WriteStartObject();
            writer.WriteNumber("sequence", sequence);
            writer.WriteString("at", entry.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture));
            writer.WriteString("actor", entry.Actor);
            writer.WriteString("what", entry.What);
            writer.WriteString("reason", entry.Reason);
            if (entry.Subject is { } subject)
                writer.WriteString("subject", subject);
            writer.WriteStartArray("changes");
            foreach (var change in entry.Changes)
            {
                writer.WriteStartObject();
                writer.WriteString("record", change.Record);
                Write(writer, "before", change.Before);
                Write(writer, "after", change.After);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteString("previous", previous);
            writer.WriteEndObject();
        }
        var body = Encoding.UTF8.GetString(buffer.WrittenSpan);
        var hash = HashOf(body);
        return new(sequence, previous, hash, $"{body[..^1]}{HashKey}{hash}\"}}");
    }

    /// <summary>Null when it is not a line of the trail, or is not as it was written.</summary>
    public static AuditLine? TryParse(string text, out string wrong)
    {
        wrong = "";
        if (text.Length <= SuffixLength || !text.AsSpan(text.Length - SuffixLength).StartsWith(HashKey, StringComparison.Ordinal) || !text.EndsWith("\"}", StringComparison.Ordinal))
        {
            wrong = "it is not an entry";
            return null;
        }
        var (body, hash) = (text[..^SuffixLength] + "}", text.Substring(text.Length - SuffixLength + HashKey.Length, 64));
        if (HashOf(body) != hash)
        {
            wrong = "it was changed after it was written";
            return null;
        }
        try
        {
            using var document = JsonDocument.Parse(body);
            return new(document.RootElement.GetProperty("sequence").GetInt64(), document.RootElement.GetProperty("previous").GetString()!, hash, text);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            wrong = "it is not an entry";
            return null;
        }
    }

    private static void Write(Utf8JsonWriter writer, string key, JsonObject? value)
    {
        if (value is null)
            return;
        writer.WritePropertyName(key);
        value.WriteTo(writer);
    }

    private static string HashOf(string body) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(body)));
}
