using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

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
    private readonly SafeFileHandle file;
    private long length;

    private RecordJournal(string path, SafeFileHandle file, long length, long lastCommit)
    {
        this.path = path;
        this.file = file;
        this.length = length;
        LastCommit = lastCommit;
    }

    /// <summary>The number of the commit whose records came last; 0 when there are none.</summary>
    public long LastCommit { get; private set; }

    /// <summary>Opens the file or makes it, and cuts off a last line that a crash left half-written.</summary>
    /// <exception cref="StoreException">It cannot be opened, or its last whole line is damaged.</exception>
    public static RecordJournal Open(string path)
    {
        SafeFileHandle? opening = null;
        try
        {
            var isNew = !File.Exists(path);
            opening = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
            if (isNew)
            {
                File.SetUnixFileMode(opening, UnixFileMode.UserRead | UnixFileMode.UserWrite);
                DirectorySync.Flush(Path.GetDirectoryName(path)!);
            }
            var (end, last) = FindEnd(path, opening);
            if (end < RandomAccess.GetLength(opening))
            {
                RandomAccess.SetLength(opening, end);
                RandomAccess.FlushToDisk(opening);
            }
            var opened = new RecordJournal(path, opening, end, last);
            opening = null;
            return opened;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"{path} cannot be opened: {e.Message}", e);
        }
        finally
        {
            opening?.Dispose();
        }
    }

    /// <summary>Appends the records of one commit; on the disk when it returns.</summary>
    /// <exception cref="IOException">Nothing of it counts; it can be tried again.</exception>
    public void Append(long commit, IReadOnlyList<(RecordKey Key, string Record)> records)
    {
        var line = LineOf(commit, records);
        try
        {
            RandomAccess.Write(file, line, length);
            RandomAccess.FlushToDisk(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A half-written line would be taken for damage once another follows it; on a full disk, cutting still works.
            try
            {
                RandomAccess.SetLength(file, length);
            }
            catch (IOException)
            {
                // The next append writes over it, from the same place.
            }
            throw new IOException($"{path} cannot be written: {e.Message}", e);
        }
        length += line.Length;
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

    // Only the end is read: to check the whole file at each start would take longer every year.
    private static (long Length, long LastCommit) FindEnd(string path, SafeFileHandle handle)
    {
        var size = RandomAccess.GetLength(handle);
        for (var window = 1 << 16; ; window *= 4)
        {
            var start = Math.Max(0, size - window);
            var tail = new byte[size - start];
            ReadExactly(handle, tail, start);
            var end = tail.AsSpan().LastIndexOf((byte)'\n') + 1;
            if (end == 0 && start > 0)
                continue;
            if (end == 0)
                return (0, 0);
            var begin = tail.AsSpan(0, end - 1).LastIndexOf((byte)'\n') + 1;
            if (begin == 0 && start > 0)
                continue;
            var line = TryParse(Encoding.UTF8.GetString(tail, begin, end - 1 - begin))
                ?? throw new StoreException($"{path} is damaged in its last line: bring the file back from a backup, or cut that line off if the certificate it holds is known to be lost");
            return (start + end, line.Commit);
        }
    }

    private static void ReadExactly(SafeFileHandle handle, Span<byte> into, long offset)
    {
        while (into.Length > 0)
        {
            var read = RandomAccess.Read(handle, into, offset);
            if (read == 0)
                throw new EndOfStreamException();
            into = into[read..];
            offset += read;
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
