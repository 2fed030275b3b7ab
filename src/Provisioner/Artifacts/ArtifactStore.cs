using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Provisioner.Storage;

namespace Provisioner.Artifacts;

/// <summary>
/// The artifacts on disk: <c>content/SHA256</c>, immutable, and <c>index/…</c>, one small file for each name. Both are written elsewhere,
/// synchronised and renamed into place, the content first, so that an entry without its content cannot be: after a crash there may be
/// content without an entry, which the next start removes. An entry file's modification time says when it was last used.
/// </summary>
/// <param name="root">Absolute path of the artifacts directory inside the data directory.</param>
internal sealed class ArtifactStore(string root, TimeProvider time)
{
    // Often enough to tell days apart.
    private static readonly TimeSpan UseIsWrittenEvery = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<string, Held> entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> names = new(StringComparer.Ordinal);
    private readonly Lock gate = new();
    private long size;
    private int partials;

    private string Content { get; } = Path.Combine(root, "content");

    private string Index { get; } = Path.Combine(root, "index");

    private string Partial { get; } = Path.Combine(root, "partial");

    /// <summary>Bytes of all content; what two names share counts once.</summary>
    public long Size
    {
        get
        {
            lock (gate)
                return size;
        }
    }

    public IReadOnlyList<(StoredArtifact Artifact, DateTimeOffset LastUsed)> All() =>
        [.. entries.Values.Select(held => (held.Artifact, held.LastUsed)).OrderBy(item => item.Artifact.Path, StringComparer.Ordinal)];

    public long FreeBytes() => new DriveInfo(root).AvailableFreeSpace;

    /// <summary>At the start: learns what is there, and removes what a crash left half done.</summary>
    /// <returns>How many entries were dropped because their content is not there as it was.</returns>
    public int Load()
    {
        foreach (var directory in (string[])[Content, Index, Partial])
            Directory.CreateDirectory(directory);
        foreach (var file in Directory.EnumerateFiles(Partial))
            File.Delete(file);
        var dropped = 0;
        lock (gate)
        {
            foreach (var file in Directory.EnumerateFiles(Index))
            {
                if (StoredArtifact.FromJson(File.ReadAllBytes(file)) is { } stored && file == IndexOf(stored.Path)
                    && new FileInfo(ContentOf(stored.Sha256)) is { Exists: true } content && content.Length == stored.Size)
                {
                    Put(new Held(stored, new DateTimeOffset(File.GetLastWriteTimeUtc(file))));
                    continue;
                }
                File.Delete(file);
                dropped++;
            }
            foreach (var file in Directory.EnumerateFiles(Content))
            {
                if (!names.ContainsKey(Path.GetFileName(file)))
                    File.Delete(file);
            }
        }
        return dropped;
    }

    public StoredArtifact? Find(string path) => entries.TryGetValue(path, out var held) ? held.Artifact : null;

    /// <summary>When it was last known to be what the upstream has.</summary>
    public DateTimeOffset ValidatedAt(string path) => entries.TryGetValue(path, out var held) ? held.ValidatedAt : default;

    public void Validated(string path)
    {
        if (entries.TryGetValue(path, out var held))
            held.ValidatedAt = time.GetUtcNow();
    }

    /// <summary>The content, for reading; it stays readable whatever becomes of the entry. Null when its file is gone.</summary>
    public SafeFileHandle? Open(StoredArtifact artifact)
    {
        try
        {
            var file = File.OpenHandle(ContentOf(artifact.Sha256), options: FileOptions.SequentialScan);
            if (RandomAccess.GetLength(file) == artifact.Size)
            {
                Use(artifact.Path);
                return file;
            }
            file.Dispose();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // Somebody removed it by hand: it is fetched again.
        }
        Remove(artifact.Path);
        return null;
    }

    /// <summary>A new, empty file that counts for nothing until <see cref="Commit"/>.</summary>
    public (string Path, SafeFileHandle File) CreatePartial()
    {
        var path = Path.Combine(Partial, $"{Interlocked.Increment(ref partials)}");
        return (path, File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete));
    }

    /// <summary>Makes a whole and checked file the content of that name, on disk for good.</summary>
    public void Commit(string partial, SafeFileHandle file, StoredArtifact artifact)
    {
        RandomAccess.FlushToDisk(file);
        lock (gate)
        {
            var content = ContentOf(artifact.Sha256);
            File.Move(partial, content, overwrite: true);
            DirectorySync.Flush(Content);
            WriteIndex(artifact);
            var now = time.GetUtcNow();
            File.SetLastWriteTimeUtc(IndexOf(artifact.Path), now.UtcDateTime);
            Put(new Held(artifact, now) { ValidatedAt = now });
        }
    }

    public bool Remove(string path)
    {
        lock (gate)
        {
            if (!entries.TryRemove(path, out var held))
                return false;
            // The entry first: content without an entry is what a start expects to find.
            File.Delete(IndexOf(path));
            Release(held.Artifact);
            return true;
        }
    }

    /// <summary>Removes what was used longest ago until both limits are kept.</summary>
    /// <param name="keeps">Whether a name is to stay whatever happens.</param>
    public IReadOnlyList<StoredArtifact> Evict(long maximumSize, TimeSpan maximumAge, Func<string, bool> keeps)
    {
        var evicted = new List<StoredArtifact>();
        var oldest = time.GetUtcNow() - maximumAge;
        foreach (var held in entries.Values.Where(h => !keeps(h.Artifact.Path)).OrderBy(h => h.LastUsed).ToList())
        {
            if (held.LastUsed >= oldest && Size <= maximumSize)
                break;
            if (Remove(held.Artifact.Path))
                evicted.Add(held.Artifact);
        }
        return evicted;
    }

    /// <summary>Reads every content again and removes what is not what it was.</summary>
    public async IAsyncEnumerable<(StoredArtifact Artifact, string? Wrong)> VerifyAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var checkedBefore = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var (artifact, _) in All())
        {
            if (!checkedBefore.TryGetValue(artifact.Sha256, out var wrong))
            {
                try
                {
                    await using var stream = new FileStream(ContentOf(artifact.Sha256), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
                    var digest = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellation));
                    wrong = digest == artifact.Sha256 ? null : $"it has SHA-256 {digest} instead of {artifact.Sha256}";
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    wrong = $"it cannot be read: {e.Message}";
                }
                checkedBefore[artifact.Sha256] = wrong;
            }
            if (wrong is not null)
                Remove(artifact.Path);
            yield return (artifact, wrong);
        }
    }

    private void Use(string path)
    {
        if (!entries.TryGetValue(path, out var held))
            return;
        var now = time.GetUtcNow();
        held.LastUsed = now;
        if (now - held.UseWritten < UseIsWrittenEvery)
            return;
        held.UseWritten = now;
        lock (gate)
        {
            if (entries.ContainsKey(path))
                File.SetLastWriteTimeUtc(IndexOf(path), now.UtcDateTime);
        }
    }

    // Under the gate.
    private void Put(Held held)
    {
        var digest = held.Artifact.Sha256;
        names[digest] = names.GetValueOrDefault(digest) + 1;
        if (names[digest] == 1)
            size += held.Artifact.Size;
        StoredArtifact? before = null;
        entries.AddOrUpdate(held.Artifact.Path, held, (_, old) =>
        {
            before = old.Artifact;
            return held;
        });
        if (before is not null)
            Release(before);
    }

    private void Release(StoredArtifact artifact)
    {
        var left = names[artifact.Sha256] - 1;
        if (left > 0)
        {
            names[artifact.Sha256] = left;
            return;
        }
        names.Remove(artifact.Sha256);
        size -= artifact.Size;
        File.Delete(ContentOf(artifact.Sha256));
    }

    private void WriteIndex(StoredArtifact artifact)
    {
        var temporary = Path.Combine(Partial, $"{Interlocked.Increment(ref partials)}");
        using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.Write(file, artifact.ToJson(), 0);
            RandomAccess.FlushToDisk(file);
        }
        File.Move(temporary, IndexOf(artifact.Path), overwrite: true);
        DirectorySync.Flush(Index);
    }

    private string ContentOf(string sha256) => Path.Combine(Content, sha256);

    // A name may be longer than a file's name can be, and has slashes.
    private string IndexOf(string path) => Path.Combine(Index, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path))));

    private sealed class Held(StoredArtifact artifact, DateTimeOffset lastUsed)
    {
        public StoredArtifact Artifact => artifact;

        public DateTimeOffset LastUsed { get; set; } = lastUsed;

        public DateTimeOffset UseWritten { get; set; } = lastUsed;

        /// <summary>Not kept over a restart: the first who asks has the upstream asked.</summary>
        public DateTimeOffset ValidatedAt { get; set; }
    }
}
