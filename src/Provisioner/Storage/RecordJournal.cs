using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Provisioner.Storage;

/// <summary>One line of the journal: the records of one commit.</summary>
internal sealed record JournalLine(long Commit, IReadOnlyList<(RecordKey Key, string Record)> Records);

/// <summary>
/// A second, append-only home for the records that must never be lost: every version of each authority and certificate, a line for each commit,
/// readable by people and by other programs. The database is what the service works with; this file alone can fill a new one.
/// </summary>
/// <remarks>
/// <para>A line is sixteen hexadecimal digits of its SHA-256, a blank, and JSON: <c>commit</c>, and <c>records</c> with <c>kind</c>, <c>id</c> and
/// <c>record</c>. The last one for an id counts. One line a commit, so that a crash leaves all of a commit or nothing.</para>
/// <para>A commit writes the database first and this file second, and is acknowledged after both are on the disk. So at start what is missing
/// here is at most the last commits, which the database has; and when the database is older than this file, it was restored from a backup.</para>
/// </remarks>
internal sealed class RecordJournal : IDisposable
{
    private const int DigestLength = 16;

    private static readonly JsonSerializerOptions LineOptions = RecordJson.Options;

    private readonly string path;
    private readonly AppendOnlyFile file;

    private RecordJournal(string path, AppendOnlyFile file, long lastCommit)
    {
        this.path = path;
        this.file = file;
        LastCommit = lastCommit;
    }

    /// <summary>The number of the commit whose records came last; 0 when there are none.</summary>
    public long LastCommit { get; private set; }

    /// <summary>Opens the file or makes it, and cuts off a last line that a crash left half-written.</summary>
    /// <exception cref="StoreException">It cannot be opened, or its last whole line is damaged.</exception>
    public static RecordJournal Open(string path)
    {
        var opened = AppendOnlyFile.Open(path);
        if (opened.LastLine is null)
            return new RecordJournal(path, opened, 0);
        if (TryParse(opened.LastLine) is { } line)
            return new RecordJournal(path, opened, line.Commit);
        opened.Dispose();
        throw new StoreException($"{path} is damaged in its last line: bring the file back from a backup, or cut that line off if the certificate it holds is known to be lost");
    }

    /// <summary>Appends the records of one commit; on the disk when it returns.</summary>
    /// <exception cref="IOException">Nothing of it counts; it can be tried again.</exception>
    public void Append(long commit, IReadOnlyList<(RecordKey Key, string Record)> records)
    {
        file.Append(LineOf(commit, records));
        LastCommit = commit;
    }

    /// <summary>All lines of commits after the given one, in order. Reads and checks the whole file.</summary>
    /// <exception cref="StoreException">A line is damaged; says which.</exception>
    public IEnumerable<JournalLine> Read(long after)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1 << 16), new UTF8Encoding(false));
        var number = 0;
        while (reader.ReadLine() is { } text)
        {
            number++;
            var line = TryParse(text)
                ?? throw new StoreException($"{path} is damaged in line {number}: bring the file back from a backup. Without line {number} the certificate or authority it holds is not known");
            if (line.Commit > after)
                yield return line;
        }
    }

    public void Dispose() => file.Dispose();

    private static byte[] LineOf(long commit, IReadOnlyList<(RecordKey Key, string Record)> records)
    {
        var json = new ArrayBufferWriter<byte>(4096);
        using (var writer = new Utf8JsonWriter(json, new JsonWriterOptions { Encoder = LineOptions.Encoder }))
        {
            writer.WriteStartObject();
            writer.WriteNumber("commit", commit);
            writer.WriteStartArray("records");
            foreach (var (key, record) in records)
            {
                writer.WriteStartObject();
                writer.WriteString("kind", Word(key.Kind));
                writer.WriteString("id", key.Id);
                writer.WritePropertyName("record");
                writer.WriteRawValue(record, skipInputValidation: true);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        return [.. Encoding.ASCII.GetBytes(Digest(json.WrittenSpan)), (byte)' ', .. json.WrittenSpan, (byte)'\n'];
    }

    private static JournalLine? TryParse(string text)
    {
        if (text.Length <= DigestLength || text[DigestLength] != ' ')
            return null;
        var json = Encoding.UTF8.GetBytes(text[(DigestLength + 1)..]);
        if (!text.AsSpan(0, DigestLength).SequenceEqual(Digest(json)))
            return null;
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            return new JournalLine(
                root.GetProperty("commit").GetInt64(),
                [.. root.GetProperty("records").EnumerateArray().Select(record => (
                    new RecordKey(Enum.Parse<RecordKind>(record.GetProperty("kind").GetString()!, ignoreCase: true), record.GetProperty("id").GetString()!),
                    record.GetProperty("record").GetRawText()))]);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            return null;
        }
    }

    private static string Word(RecordKind kind) => JsonNamingPolicy.CamelCase.ConvertName(kind.ToString());

    private static string Digest(ReadOnlySpan<byte> json)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(json, hash);
        return Convert.ToHexStringLower(hash[..(DigestLength / 2)]);
    }
}
