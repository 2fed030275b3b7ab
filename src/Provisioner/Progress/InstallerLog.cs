using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Provisioner.Progress;

/// <summary>A line and its place: whoever has read it goes on after it.</summary>
/// <param name="Place">Of which page, and the line's number on it, counted from 1: <c>1764279833123-17</c>.</param>
internal readonly record struct InstallerLine(string Place, string Text);

/// <summary>
/// The last 64 KiB each host's installer said, by syslog and in its reports: in memory while it goes on, and in a file once something failed.
/// </summary>
/// <remarks>Safe for any number of threads. Bounded: for so many hosts, the one that was quiet for the longest time is forgotten.</remarks>
internal sealed class InstallerLog(string dataDirectory, TimeProvider time)
{
    public const int MaximumBytes = 64 * 1024;

    private const int MaximumHosts = 1024;

    /// <summary>The page of what is only in a file.</summary>
    private const long KeptPage = 0;

    private readonly ConcurrentDictionary<string, Tail> tails = new(StringComparer.Ordinal);

    /// <summary>Raised after that host said something, by whoever added it: handlers return at once.</summary>
    public event Action<string>? Added;

    /// <summary>Adds lines; each is cut and cleaned, because they are anybody's text.</summary>
    public void Add(string host, string text)
    {
        if (tails.Count >= MaximumHosts && !tails.ContainsKey(host) && tails.MinBy(t => t.Value.LastAt) is { Key: { } quietest })
            tails.TryRemove(quietest, out _);
        var tail = tails.GetOrAdd(host, static (_, time) => new Tail(time.GetUtcNow().ToUnixTimeMilliseconds()), time);
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            tail.Add(Resources.Texts.OneLine(line.TrimEnd('\r'), 2_000), time.GetUtcNow());
        Added?.Invoke(host);
    }

    /// <summary>The lines there are; of a host that is not in memory, those of its last failure.</summary>
    public string Read(string host) =>
        tails.TryGetValue(host, out var tail) ? tail.ToString() : File.Exists(PathOf(host)) ? File.ReadAllText(PathOf(host)) : "";

    /// <summary>The lines after a place. Another page begins when the service is started again, and with each Installation: of that, all there are.</summary>
    /// <param name="place">Of the last line that was read; null, or what is no place, for all.</param>
    public IReadOnlyList<InstallerLine> ReadAfter(string host, string? place)
    {
        var (page, number) = PlaceOf(place);
        if (tails.TryGetValue(host, out var tail))
            return tail.After(tail.Page == page ? number : 0);
        return [.. Read(host).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select((text, i) => new InstallerLine(NameOf(KeptPage, i + 1), text)).Skip(page == KeptPage ? (int)Math.Min(number, int.MaxValue) : 0)];
    }

    /// <summary>The last line, or null.</summary>
    public string? LastLine(string host) => tails.TryGetValue(host, out var tail) ? tail.Last : null;

    /// <summary>Keeps the lines beyond a restart.</summary>
    public void Keep(string host)
    {
        if (!tails.TryGetValue(host, out var tail))
            return;
        var path = PathOf(host);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path + ".new", tail.ToString());
        File.Move(path + ".new", path, overwrite: true);
    }

    /// <summary>A new Installation begins with an empty page.</summary>
    public void Forget(string host) => tails.TryRemove(host, out _);

    // A host's name is a DNS name: it has no separator, and is never "..".
    private string PathOf(string host) => Path.Combine(dataDirectory, "logs", $"{host}.log");

    private static string NameOf(long page, long number) => string.Create(CultureInfo.InvariantCulture, $"{page}-{number}");

    private static (long Page, long Number) PlaceOf(string? place) =>
        place?.Split('-') is [var page, var number] && long.TryParse(page, NumberStyles.None, CultureInfo.InvariantCulture, out var p) && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? (p, n) : (-1, 0);

    private sealed class Tail(long page)
    {
        private readonly Lock gate = new();
        private readonly Queue<string> lines = new();
        private int bytes;
        private long added;

        public long Page => page;

        public DateTimeOffset LastAt { get; private set; }

        public string? Last { get; private set; }

        public void Add(string line, DateTimeOffset now)
        {
            lock (gate)
            {
                lines.Enqueue(line);
                added++;
                bytes += Encoding.UTF8.GetByteCount(line) + 1;
                while (bytes > MaximumBytes)
                    bytes -= Encoding.UTF8.GetByteCount(lines.Dequeue()) + 1;
                (Last, LastAt) = (line, now);
            }
        }

        public IReadOnlyList<InstallerLine> After(long number)
        {
            lock (gate)
            {
                var first = added - lines.Count + 1;
                return [.. lines.Select((text, i) => new InstallerLine(NameOf(page, first + i), text)).Skip((int)Math.Clamp(number - first + 1, 0, lines.Count))];
            }
        }

        public override string ToString()
        {
            lock (gate)
                return string.Join('\n', lines) + (lines.Count > 0 ? "\n" : "");
        }
    }
}
