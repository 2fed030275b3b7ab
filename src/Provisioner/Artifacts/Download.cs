using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Provisioner.Artifacts;

/// <summary>How a download ended. Closed.</summary>
internal abstract record Outcome
{
    /// <summary>It is here, whole and checked.</summary>
    public sealed record Here(StoredArtifact Artifact) : Outcome;

    /// <summary>What was here already is what the upstream has.</summary>
    public sealed record Unchanged : Outcome;

    /// <param name="Status">What a client is answered.</param>
    public sealed record Failed(int Status, string Reason) : Outcome;
}

/// <summary>
/// One download of one artifact, whoever waits for it: from the first request to the file's place in the store. It goes on where it
/// broke, by Range with If-Range (RFC 9110 §13.1.5), and from the beginning when the upstream has something else by then.
/// </summary>
/// <param name="copy">What is here already and may have become old.</param>
internal sealed class Download(
    ArtifactSource source, StoredArtifact? copy, UpstreamClient client, ArtifactStore store, ArtifactLimits limits, long maximumSize, TimeProvider time) : IDisposable
{
    // Requests in all: an upstream that gives an octet a connection does not hold a place for ever.
    private const int MostRequests = 60;

    private const int ChunkSize = 128 * 1024;

    private readonly TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private string? partial;
    private SafeFileHandle? file;
    private string? expected;
    private string? etag;
    private string? weakOrStrong;
    private DateTimeOffset? lastModified;
    private long? length;
    private long received;
    private volatile Arrival? arrival;

    public ArtifactSource Source => source;

    /// <summary>Bytes so far.</summary>
    public long Received => Interlocked.Read(ref received);

    /// <summary>Bytes in all, once the upstream has said so.</summary>
    public long? Length => length;

    /// <summary>Requests the upstream was sent, and how many of them asked for a part.</summary>
    public (int All, int Resumed) Requests { get; private set; }

    /// <summary>Done when <see cref="Arrival"/> can be read, or never will be.</summary>
    public Task Begun => begun.Task;

    /// <summary>What clients read meanwhile; null when its length is not known, or there is an older copy to fall back on.</summary>
    public Arrival? Arrival => arrival;

    /// <summary>Set by whoever starts it.</summary>
    public Task<Outcome> Completion { get; set; } = null!;

    /// <param name="digest">What it must be, from a checksum file; null when nobody says.</param>
    public async Task<Outcome> RunAsync(string? digest, CancellationToken stopping)
    {
        expected = source.Sha256 ?? digest;
        Outcome outcome = new Outcome.Failed(StatusCodes.Status502BadGateway, "the download was stopped");
        try
        {
            outcome = await RunAttemptsAsync(stopping);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OperationCanceledException)
        {
            // Transport errors were dealt with: this is the disk, or the end of the service.
            outcome = new Outcome.Failed(StatusCodes.Status500InternalServerError, e is OperationCanceledException ? "the service stops" : $"it cannot be stored: {e.Message}");
        }
        finally
        {
            GiveUp((outcome as Outcome.Failed)?.Reason);
            begun.TrySetResult();
        }
        return outcome;
    }

    public void Dispose() => hash.Dispose();

    private async Task<Outcome> RunAttemptsAsync(CancellationToken stopping)
    {
        var delay = limits.FirstDelay;
        for (var (futile, request) = (0, 0); ;)
        {
            var before = received;
            string broke;
            try
            {
                request++;
                if (await AttemptAsync(stopping) is { } outcome)
                    return outcome;
                broke = "the upstream has another file by now";
            }
            catch (Exception e) when (e is HttpRequestException or UpstreamBrokeException
                || e is OperationCanceledException && !stopping.IsCancellationRequested)
            {
                if (e.GetBaseException() is UpstreamRefusedException refused)
                    return new Outcome.Failed(StatusCodes.Status502BadGateway, refused.Message);
                broke = e is OperationCanceledException ? $"the upstream was silent for {Silence.TotalSeconds:0} s" : e.GetBaseException().Message;
            }
            if (received > before)
                (futile, delay) = (0, limits.FirstDelay);
            // With a copy to serve nobody is kept waiting.
            if (++futile >= limits.Attempts || request >= MostRequests || copy is not null)
            {
                return new Outcome.Failed(StatusCodes.Status502BadGateway, received == 0 ? $"{source.Url.Authority}: {broke}"
                    : $"{source.Url.Authority}: it broke after {received} bytes and could not be resumed: {broke}");
            }
            await Task.Delay(delay, time, stopping);
            delay = delay * 2 < limits.LongestDelay ? delay * 2 : limits.LongestDelay;
        }
    }

    private TimeSpan Silence => copy is null ? limits.Silence : limits.SilenceWithCopy;

    /// <returns>Null when it has to begin again.</returns>
    private async Task<Outcome?> AttemptAsync(CancellationToken stopping)
    {
        using var silence = new CancellationTokenSource(Silence, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, stopping);
        var resumes = received > 0 && (etag is not null || lastModified is not null);
        if (received > 0 && !resumes)
            Restart();
        Requests = (Requests.All + 1, Requests.Resumed + (resumes ? 1 : 0));
        using var response = await client.GetAsync(source, request => Prepare(request.Headers, resumes), either.Token);
        switch (response.StatusCode)
        {
            case HttpStatusCode.NotModified when copy is not null && received == 0:
                return new Outcome.Unchanged();
            case HttpStatusCode.PartialContent when resumes:
                var range = response.Content.Headers.ContentRange;
                // If-Range is the server's promise; what it says of the part is checked all the same.
                if (range?.From != received || length is { } known && range.Length is { } whole && whole != known || Differs(response))
                {
                    Restart();
                    return null;
                }
                return await ReceiveAsync(response, skip: 0, silence, either.Token);
            case HttpStatusCode.OK:
                var skip = 0L;
                if (received > 0)
                {
                    // The same file from a server that knows no ranges: what is here already is passed over.
                    if (!Differs(response) && response.Content.Headers.ContentLength == length && length is not null)
                        skip = received;
                    else
                        Restart();
                }
                if (received == 0 && Begin(response) is { } refused)
                    return refused;
                return await ReceiveAsync(response, skip, silence, either.Token);
            case HttpStatusCode.RequestedRangeNotSatisfiable when resumes:
                Restart();
                return null;
            case HttpStatusCode.NotFound or HttpStatusCode.Gone or HttpStatusCode.Forbidden:
                // S3 says 403 of what is not there.
                return new Outcome.Failed(StatusCodes.Status404NotFound, $"{source.Url.Authority} does not have it ({(int)response.StatusCode})");
            case var redirect when (int)redirect is >= 300 and < 400 && response.Headers.Location is { } location:
                return new Outcome.Failed(StatusCodes.Status502BadGateway,
                    $"{source.Url.Authority} redirects to {new Uri(source.Url, location).Authority}, which is followed only for a file whose sha256 the configuration gives");
            case var status when (int)status >= 500 || status is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout:
                throw new UpstreamBrokeException($"the upstream answered {(int)status}");
            default:
                return new Outcome.Failed(StatusCodes.Status502BadGateway, $"{source.Url.Authority} answered {(int)response.StatusCode}");
        }
    }

    private void Prepare(HttpRequestHeaders headers, bool resumes)
    {
        if (resumes)
        {
            headers.Range = new RangeHeaderValue(received, null);
            headers.IfRange = etag is not null ? new RangeConditionHeaderValue(etag) : new RangeConditionHeaderValue(lastModified!.Value);
        }
        else if (copy is not null && copy.Url == source.Url.AbsoluteUri)
        {
            if (copy.UpstreamETag is { } known)
                headers.TryAddWithoutValidation("If-None-Match", known);
            else if (copy.LastModified is { } modified)
                headers.IfModifiedSince = modified;
        }
    }

    // A strong validator alone tells that two answers are parts of one file (RFC 9110 §8.8.1).
    private bool Differs(HttpResponseMessage response) =>
        etag is not null ? response.Headers.ETag?.ToString() != etag
        : lastModified is null || response.Content.Headers.LastModified != lastModified;

    private Outcome.Failed? Begin(HttpResponseMessage response)
    {
        length = response.Content.Headers.ContentLength;
        etag = response.Headers.ETag is { IsWeak: false } strong ? strong.ToString() : null;
        weakOrStrong = response.Headers.ETag?.ToString();
        lastModified = response.Content.Headers.LastModified;
        if (length is null && response.Headers.TransferEncodingChunked != true && expected is null)
            return new(StatusCodes.Status502BadGateway, $"{source.Url.Authority} says neither a length nor where the file ends, and there is no checksum: nobody could tell whether it is whole");
        if (TooLarge(length ?? 0) is { } tooLarge)
            return tooLarge;
        (partial, file) = store.CreatePartial();
        if (length is { } known && copy is null && known > limits.HoldBack)
        {
            arrival = new Arrival(known, file, limits.HoldBack);
            begun.TrySetResult();
        }
        return null;
    }

    private Outcome.Failed? TooLarge(long bytes)
    {
        var most = source.MaximumLength == 0 ? maximumSize : source.MaximumLength;
        if (bytes > most)
            return new(StatusCodes.Status502BadGateway, $"it has {bytes} bytes, more than the {most} that may be stored of it");
        var free = store.FreeBytes() - limits.KeepFreeBytes;
        return bytes > free
            ? new(StatusCodes.Status507InsufficientStorage, $"it has {bytes} bytes, and {Math.Max(0, free)} are free where the data is kept")
            : null;
    }

    private async Task<Outcome> ReceiveAsync(HttpResponseMessage response, long skip, CancellationTokenSource silence, CancellationToken either)
    {
        await using var body = await response.Content.ReadAsStreamAsync(either);
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkSize);
        try
        {
            while (true)
            {
                silence.CancelAfter(Silence);
                var read = await ReadAsync(body, buffer.AsMemory(0, ChunkSize), either);
                if (read == 0)
                    break;
                var passed = (int)Math.Min(skip, read);
                skip -= passed;
                if (passed == read)
                    continue;
                var fresh = buffer.AsMemory(passed, read - passed);
                if (received + fresh.Length > length)
                    throw new UpstreamBrokeException("the upstream sent more than it announced");
                if (length is null && TooLarge(received + fresh.Length) is { } tooLarge)
                    return tooLarge;
                RandomAccess.Write(file!, fresh.Span, received);
                hash.AppendData(fresh.Span);
                var now = Interlocked.Add(ref received, fresh.Length);
                arrival?.Advance(now);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        if (length is { } announced && received < announced)
            throw new UpstreamBrokeException($"the upstream ended after {received} of {announced} bytes");
        return Finish();
    }

    // A reset connection and a full disk are both an IOException; here it is the connection's.
    private static async ValueTask<int> ReadAsync(Stream body, Memory<byte> buffer, CancellationToken cancellation)
    {
        try
        {
            return await body.ReadAsync(buffer, cancellation);
        }
        catch (IOException e)
        {
            throw new UpstreamBrokeException(e.GetBaseException().Message);
        }
    }

    private Outcome Finish()
    {
        var digest = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (expected is not null && digest != expected)
            return new Outcome.Failed(StatusCodes.Status502BadGateway, $"its SHA-256 is {digest}, and {source.VerifiedBy} says {expected}: nothing of it is kept");
        var artifact = new StoredArtifact(source.Path, source.Url.AbsoluteUri, digest, received)
        {
            UpstreamETag = weakOrStrong,
            LastModified = lastModified,
            FetchedAt = time.GetUtcNow(),
            VerifiedBy = source.VerifiedBy,
        };
        store.Commit(partial!, file!, artifact);
        partial = null;
        arrival?.Finish();
        return new Outcome.Here(artifact);
    }

    private void Restart()
    {
        GiveUp("the upstream's file changed while it was fetched");
        hash.GetHashAndReset();
        (received, length, etag, lastModified) = (0, null, null, null);
    }

    private void GiveUp(string? why)
    {
        if (why is not null)
            arrival?.Break(why);
        if (arrival is not null)
            arrival.Release();
        else
            file?.Dispose();
        (arrival, file) = (null, null);
        if (partial is not null)
            File.Delete(partial);
        partial = null;
    }

    /// <summary>An answer that began and did not end as announced.</summary>
    private sealed class UpstreamBrokeException(string message) : Exception(message);
}
