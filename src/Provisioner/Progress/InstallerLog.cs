using System.Collections.Concurrent;
using System.Text;

namespace Provisioner.Progress;

/// <summary>
/// The last 64 KiB each host's installer said, by syslog and in its reports: in memory while it goes on, and in a file once something failed.
/// </summary>
/// <remarks>Safe for any number of threads. Bounded: for so many hosts, the one that was quiet for the longest time is forgotten.</remarks>
internal sealed class InstallerLog(string dataDirectory, TimeProvider time)
{
    public const int MaximumBytes = 64 * 1024;

    private const int MaximumHosts = 1024;

    private readonly ConcurrentDictionary<string, Tail> tails = new(StringComparer.Ordinal);

    /// <summary>Adds lines; each is cut and cleaned, because they are anybody's text.</summary>
    public void Add(string host, string text)
    {
        if (tails.Count >= MaximumHosts && !tails.ContainsKey(host) && tails.MinBy(t => t.Value.LastAt) is { Key: { } quietest })
            tails.TryRemove(quietest, out _);
        var tail = tails.GetOrAdd(host, static _ => new Tail());
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            tail.Add(Resources.Texts.OneLine(line.TrimEnd('\r'), 2_000), time.GetUtcNow());
    }

    /// <summary>The lines there are; of a host that is not in memory, those of its last failure.</summary>
    public string Read(string host) =>
        tails.TryGetValue(host, out var tail) ? tail.ToString() : File.Exists(PathOf(host)) ? File.ReadAllText(PathOf(host)) : "";

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

    private sealed class Tail
    {
        private readonly Lock gate = new();
        private readonly Queue<string> lines = new();
        private int bytes;

        public DateTimeOffset LastAt { get; private set; }

        public string? Last { get; private set; }

        public void Add(string line, DateTimeOffset now)
        {
            lock (gate)
            {
                lines.Enqueue(line);
                bytes += Encoding.UTF8.GetByteCount(line) + 1;
                while (bytes > MaximumBytes)
                    bytes -= Encoding.UTF8.GetByteCount(lines.Dequeue()) + 1;
                (Last, LastAt) = (line, now);
            }
        }

        public override string ToString()
        {
            lock (gate)
                return string.Join('\n', lines) + (lines.Count > 0 ? "\n" : "");
        }
    }
}
