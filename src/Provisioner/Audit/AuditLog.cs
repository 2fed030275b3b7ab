using System.Text;
using System.Text.Json.Nodes;

namespace Provisioner.Audit;

/// <summary>Which entries to find, newest first.</summary>
internal sealed record AuditQuery
{
    public string? Actor { get; init; }

    /// <summary>A kind and name such as <c>Profile/worker</c>, or a kind alone.</summary>
    public string? Subject { get; init; }

    /// <summary>Only entries with a smaller number: the page after.</summary>
    public long? Before { get; init; }

    public int Limit { get; init; } = 100;
}

/// <summary>The trail as it is read. From the file, which the store goes on writing meanwhile.</summary>
internal sealed class AuditLog(string dataDirectory)
{
    private const int Block = 64 * 1024;

    private string FilePath => Path.Combine(dataDirectory, AuditTrail.FileName);

    /// <summary>Grows with each entry; 0 before the first.</summary>
    public long Length => new FileInfo(FilePath) is { Exists: true } file ? file.Length : 0;

    /// <summary>Every line, from the first.</summary>
    public AuditVerification Verify() => AuditTrail.Verify(Lines());

    /// <summary>Copies the trail as it is now.</summary>
    public async Task CopyToAsync(Stream output, CancellationToken ct)
    {
        await using var file = OpenFile();
        var (left, buffer) = (EndOf(file), new byte[Block]);
        file.Position = 0;
        while (left > 0 && await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)), ct) is var read and > 0)
        {
            await output.WriteAsync(buffer.AsMemory(0, read), ct);
            left -= read;
        }
    }

    /// <summary>Entries that match, newest first.</summary>
    public IReadOnlyList<JsonObject> Find(AuditQuery query)
    {
        var found = new List<JsonObject>();
        foreach (var line in Backwards())
        {
            if (JsonNode.Parse(line) is not JsonObject entry)
                continue;
            if (query.Before is { } before && entry["sequence"]!.GetValue<long>() >= before)
                continue;
            if (query.Actor is { } actor && entry["actor"]?.ToString() != actor)
                continue;
            if (query.Subject is { } subject && !Concerns(entry, subject))
                continue;
            found.Add(entry);
            if (found.Count == query.Limit)
                break;
        }
        return found;
    }

    private static bool Concerns(JsonObject entry, string subject) =>
        Matches(entry["subject"]?.ToString(), subject) || entry["changes"]?.AsArray().Any(c => Matches(c?["record"]?.ToString(), subject)) == true;

    private static bool Matches(string? record, string subject) =>
        record is not null && (record == subject || record.StartsWith(subject + "/", StringComparison.Ordinal));

    // The newest are asked for, and the file grows for years: it is read from its end.
    private IEnumerable<string> Backwards()
    {
        using var file = OpenFile();
        var (position, rest) = (EndOf(file), Array.Empty<byte>());
        while (position > 0)
        {
            var size = (int)Math.Min(Block, position);
            position -= size;
            var block = new byte[size + rest.Length];
            file.Position = position;
            file.ReadExactly(block, 0, size);
            rest.CopyTo(block, size);
            var end = block.Length;
            while (end > 0 && Array.LastIndexOf(block, (byte)'\n', end - 1) is var newline and >= 0)
            {
                if (newline + 1 < end)
                    yield return Encoding.UTF8.GetString(block, newline + 1, end - newline - 1);
                end = newline;
            }
            rest = block[..end];
        }
        if (rest.Length > 0)
            yield return Encoding.UTF8.GetString(rest);
    }

    private IEnumerable<string> Lines()
    {
        using var file = OpenFile();
        var end = EndOf(file);
        file.Position = 0;
        using var reader = new StreamReader(file, new UTF8Encoding(false));
        var read = 0L;
        while (read < end && reader.ReadLine() is { } line)
        {
            read += Encoding.UTF8.GetByteCount(line) + 1;
            yield return line;
        }
    }

    // After the last whole line: the store may be in the middle of the next.
    private static long EndOf(FileStream file)
    {
        var (position, buffer) = (file.Length, new byte[Block]);
        while (position > 0)
        {
            var size = (int)Math.Min(buffer.Length, position);
            file.Position = position - size;
            file.ReadExactly(buffer, 0, size);
            if (Array.LastIndexOf(buffer, (byte)'\n', size - 1) is var newline and >= 0)
                return position - size + newline + 1;
            position -= size;
        }
        return 0;
    }

    private FileStream OpenFile() => new(FilePath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, Block);
}
