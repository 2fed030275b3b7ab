using System.Collections.Concurrent;
using System.Collections.Frozen;
using Microsoft.Win32.SafeHandles;
using Provisioner.Boot.Http;
using Provisioner.Events;

namespace Provisioner.Artifacts;

/// <summary>What the cache has for a name. Closed.</summary>
internal abstract record ArtifactResult
{
    /// <param name="File">For reading; the caller closes it.</param>
    /// <param name="Why">Why this is the answer.</param>
    public sealed record Stored(StoredArtifact Artifact, SafeFileHandle File, string Why) : ArtifactResult;

    /// <param name="Arrival">Attached; the caller releases it.</param>
    public sealed record Arriving(Arrival Arrival, Download Download) : ArtifactResult;

    public sealed record Failed(int Status, string Reason) : ArtifactResult;
}

/// <summary>
/// The artifacts: from the disk when they are there and good, from their upstream otherwise, which is asked once however many wait.
/// </summary>
internal sealed class ArtifactCache(
    ArtifactOptions options, ArtifactStore store, UpstreamClient client, ArtifactLimits limits, BootJournal journal, TimeProvider time) : IDisposable
{
    // Anybody can make up names.
    private const int MostResting = 4096;

    private readonly Lock gate = new();
    private readonly Dictionary<string, Download> downloads = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (DateTimeOffset Until, ArtifactResult.Failed Failure)> resting = new(StringComparer.Ordinal);
    private readonly FrozenSet<string> pinned = options.Files.Select(f => $"{ArtifactOptions.FilesName}/{f.Name}").ToFrozenSet(StringComparer.Ordinal);
    private readonly SemaphoreSlim places = new(limits.Downloads);
    private readonly CancellationTokenSource stopping = new();

    public ArtifactOptions Options => options;

    public ArtifactStore Store => store;

    /// <summary>Whether the configuration pins it, so that it is never evicted.</summary>
    public bool IsPinned(string path) => pinned.Contains(path);

    /// <summary>How far a download is that is under way; null when there is none.</summary>
    public (long Received, long? Length)? ProgressOf(string path)
    {
        lock (gate)
            return downloads.TryGetValue(path, out var download) ? (download.Received, download.Length) : null;
    }

    /// <summary>Gives the artifact, fetching it where need be.</summary>
    /// <param name="mayStream">The caller can take a file that is still arriving.</param>
    /// <param name="revalidate">Ask the upstream although the time for it has not come.</param>
    public async Task<ArtifactResult> GetAsync(ArtifactSource source, bool mayStream, CancellationToken cancellation, bool revalidate = false)
    {
        var copy = CopyOf(source);
        if (copy is not null && (options.Offline || !revalidate && IsFresh(source)))
        {
            if (Open(copy, options.Offline ? "offline: as it was when it was fetched" : "from the cache") is { } stored)
                return stored;
            copy = null;
        }
        if (options.Offline)
            return new ArtifactResult.Failed(StatusCodes.Status504GatewayTimeout, $"{source.Path} is not in the cache, and the configuration says offline");
        if (resting.TryGetValue(source.Path, out var rest))
        {
            if (rest.Until > time.GetUtcNow())
                return copy is not null && Open(copy, $"stale: {rest.Failure.Reason}") is { } stale ? stale : rest.Failure;
            resting.TryRemove(source.Path, out _);
        }

        var download = Join(source, copy);
        if (copy is null)
        {
            await Task.WhenAny(download.Begun, download.Completion).WaitAsync(cancellation);
            if (mayStream && download.Arrival is { } arrival && arrival.TryAttach())
                return new ArtifactResult.Arriving(arrival, download);
        }
        var outcome = await download.Completion.WaitAsync(cancellation);
        switch (outcome)
        {
            case Outcome.Here here:
                return Open(here.Artifact, $"fetched from {source.Url.Authority}")
                    ?? (ArtifactResult)new ArtifactResult.Failed(StatusCodes.Status500InternalServerError, "its file is gone again");
            case Outcome.Unchanged when copy is not null && Open(copy, $"{source.Url.Authority} has nothing newer") is { } same:
                return same;
            case Outcome.Failed failed:
                return copy is not null && Open(copy, $"stale: {failed.Reason}") is { } stale
                    ? stale : new ArtifactResult.Failed(failed.Status, failed.Reason);
            default:
                return new ArtifactResult.Failed(StatusCodes.Status500InternalServerError, "its file is gone");
        }
    }

    /// <summary>Reads an artifact of bearable size into memory.</summary>
    public async Task<(byte[]? Content, ArtifactResult Result)> ReadAsync(ArtifactSource source, CancellationToken cancellation, bool revalidate = false)
    {
        var result = await GetAsync(source, mayStream: false, cancellation, revalidate);
        if (result is not ArtifactResult.Stored stored)
            return (null, result);
        using (stored.File)
        {
            var content = new byte[stored.Artifact.Size];
            for (var read = 0; read < content.Length;)
            {
                var count = RandomAccess.Read(stored.File, content.AsSpan(read), read);
                if (count == 0)
                    return (null, new ArtifactResult.Failed(StatusCodes.Status500InternalServerError, "its file is shorter than it was"));
                read += count;
            }
            return (content, result);
        }
    }

    /// <summary>Keeps the limits of size and age.</summary>
    public void Sweep()
    {
        var evicted = store.Evict(options.MaximumSize, options.MaximumAge, IsPinned);
        if (evicted.Count == 0)
            return;
        var names = string.Join(", ", evicted.Take(3).Select(e => e.Path)) + (evicted.Count > 3 ? ", …" : "");
        Record(EventOutcome.Changed, null, $"evicted {evicted.Count} artifacts, {BootHttpHandler.Bytes(evicted.Sum(e => e.Size))}: {names}",
            "unused for longer than artifacts.maximumAge, or used longest ago when artifacts.maximumSize was reached");
    }

    /// <summary>Ends what is under way.</summary>
    public void Stop() => stopping.Cancel();

    public void Dispose()
    {
        stopping.Cancel();
        stopping.Dispose();
        places.Dispose();
    }

    // What the configuration pins now, or its upstream's other address, may not be what was fetched.
    private StoredArtifact? CopyOf(ArtifactSource source) =>
        store.Find(source.Path) is { } found && (source.Sha256 is null ? found.Url == source.Url.AbsoluteUri : found.Sha256 == source.Sha256) ? found : null;

    private bool IsFresh(ArtifactSource source) =>
        source.IsImmutable || time.GetUtcNow() - store.ValidatedAt(source.Path) < source.Upstream.Revalidate;

    private ArtifactResult.Stored? Open(StoredArtifact artifact, string why) =>
        store.Open(artifact) is { } file ? new ArtifactResult.Stored(artifact, file, why) : null;

    private Download Join(ArtifactSource source, StoredArtifact? copy)
    {
        lock (gate)
        {
            if (downloads.TryGetValue(source.Path, out var running))
                return running;
            var download = new Download(source, copy, client, store, limits, options.MaximumSize, time);
            downloads.Add(source.Path, download);
            download.Completion = Task.Run(() => RunAsync(download, source, copy));
            return download;
        }
    }

    private async Task<Outcome> RunAsync(Download download, ArtifactSource source, StoredArtifact? copy)
    {
        var began = time.GetTimestamp();
        Outcome outcome = new Outcome.Failed(StatusCodes.Status500InternalServerError, "it could not be fetched");
        try
        {
            outcome = await FetchAsync(download, source, copy);
        }
        catch (OperationCanceledException)
        {
            outcome = new Outcome.Failed(StatusCodes.Status503ServiceUnavailable, "the service stops");
        }
        finally
        {
            Settle(source, copy, outcome, download, time.GetElapsedTime(began));
            lock (gate)
                downloads.Remove(source.Path);
            download.Dispose();
        }
        return outcome;
    }

    private async Task<Outcome> FetchAsync(Download download, ArtifactSource source, StoredArtifact? copy)
    {
        string? digest = null;
        if (source.Checksum is { } checksum && source.Sha256 is null)
        {
            // Before there is a place: it needs one itself.
            var (content, result) = await ReadAsync(checksum, stopping.Token, revalidate: !source.IsImmutable);
            if (content is null)
            {
                var failed = (ArtifactResult.Failed)result;
                return new Outcome.Failed(failed.Status, $"its checksum {checksum.Path}: {failed.Reason}");
            }
            if (!ChecksumFile.TryParse(content, source.FileName, out digest, out var reason))
                return new Outcome.Failed(StatusCodes.Status502BadGateway, reason);
            if (copy?.Sha256 == digest)
                return new Outcome.Unchanged();
        }
        await places.WaitAsync(stopping.Token);
        try
        {
            return await download.RunAsync(digest, stopping.Token);
        }
        finally
        {
            places.Release();
        }
    }

    private void Settle(ArtifactSource source, StoredArtifact? copy, Outcome outcome, Download download, TimeSpan took)
    {
        switch (outcome)
        {
            case Outcome.Here(var artifact):
                var resumed = download.Requests.Resumed == 0 ? "" : $", resumed {download.Requests.Resumed} times";
                Record(EventOutcome.Answered, source, $"fetched {source.Path} from {source.Url.Authority}: {BootHttpHandler.Bytes(artifact.Size)} in {took.TotalSeconds:0.00} s{resumed}",
                    $"SHA-256 {artifact.Sha256}, checked by {artifact.VerifiedBy}");
                Sweep();
                break;
            case Outcome.Unchanged:
                store.Validated(source.Path);
                break;
            case Outcome.Failed(var status, var reason):
                if (resting.Count >= MostResting)
                    resting.Clear();
                resting[source.Path] = (time.GetUtcNow() + limits.Rest, new ArtifactResult.Failed(status, reason));
                Record(EventOutcome.Failed, source, copy is null
                    ? $"could not fetch {source.Path} from {source.Url.Authority}"
                    : $"could not ask {source.Url.Authority} for a newer {source.Path}: the copy of {copy.FetchedAt:yyyy-MM-dd HH:mm} is served", reason);
                break;
        }
    }

    private void Record(EventOutcome outcome, ArtifactSource? source, string what, string reason) => journal.Record(new Event
    {
        At = time.GetUtcNow(),
        Source = EventSource.Service,
        Outcome = outcome,
        What = what,
        Reason = reason,
        Subject = source is null ? null : $"Artifact/{source.Path}",
    });
}
