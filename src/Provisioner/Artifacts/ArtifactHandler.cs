using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Provisioner.Boot.Http;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Storage;

namespace Provisioner.Artifacts;

/// <summary>
/// Answers <c>/artifacts/…</c> on the boot plane. A client has an artifact whole, with the length that was announced, or its connection
/// breaks: an answer that ends well was checked.
/// </summary>
internal sealed partial class ArtifactHandler(ArtifactCache cache, ArtifactCatalogue catalogue, CurrentState state, AddressBook addresses, BootJournal journal, TimeProvider time)
{
    // Times the clients at once is what is in memory.
    private const int ChunkSize = 64 * 1024;

    // A file may change at its upstream while a client waits for its first octet; more than this is no accident.
    private const int MostTries = 5;

    private (string Key, byte[] Content)? lastManifest;

    /// <summary>Whether a request is for an artifact: by its target as it was sent.</summary>
    public static bool Owns(HttpContext context) => TargetOf(context).StartsWith(ArtifactPath.Prefix, StringComparison.Ordinal);

    public async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        if (!HttpMethods.IsHead(request.Method) && !HttpMethods.IsGet(request.Method))
        {
            context.Response.Headers.Allow = "GET, HEAD";
            await RefuseAsync(context, null, StatusCodes.Status405MethodNotAllowed, "artifacts are read-only: GET and HEAD");
            return;
        }
        if (!ArtifactPath.TryParse(Encoding.UTF8.GetBytes(TargetOf(context)), out var path, out var reason))
        {
            await RefuseAsync(context, null, StatusCodes.Status404NotFound, reason);
            return;
        }
        try
        {
            switch (await catalogue.FindAsync(path, context.RequestAborted))
            {
                case ArtifactTarget.Content(var source):
                    await AnswerContentAsync(context, source);
                    break;
                case ArtifactTarget.ChecksumOf(var source):
                    var (digest, failure) = await catalogue.DigestAsync(source, context.RequestAborted);
                    if (digest is null)
                        await RefuseAsync(context, path, failure!.Status, failure.Reason);
                    else
                        await AnswerTextAsync(context, path, Encoding.ASCII.GetBytes(ChecksumFile.Write(digest, source.FileName)), "the upstream's checksum");
                    break;
                case ArtifactTarget.Manifest(var upstream):
                    await AnswerManifestAsync(context, path, upstream);
                    break;
                case ArtifactTarget.Nothing(var status, var why):
                    await RefuseAsync(context, path, status, why);
                    break;
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            Record(context, EventOutcome.Failed, $"GET /artifacts/{path} broke before it began", "the client closed the connection");
        }
    }

    private async Task AnswerContentAsync(HttpContext context, ArtifactSource source)
    {
        // Parts come from a whole and checked file alone: a client could put unchecked ones together.
        var mayStream = context.Request.Headers.Range.Count == 0;
        for (var tries = 1; ; tries++)
        {
            var result = await cache.GetAsync(source, mayStream && tries < MostTries, context.RequestAborted);
            switch (result)
            {
                case ArtifactResult.Failed failed:
                    await RefuseAsync(context, new(source.Upstream.Name, source.Path[(source.Path.IndexOf('/', StringComparison.Ordinal) + 1)..]), failed.Status, failed.Reason);
                    return;
                case ArtifactResult.Arriving(var arrival, _):
                    try
                    {
                        if (await AnswerArrivingAsync(context, source, arrival))
                            return;
                    }
                    finally
                    {
                        arrival.Release();
                    }
                    break;
                case ArtifactResult.Stored stored:
                    using (stored.File)
                        await AnswerStoredAsync(context, source, stored);
                    return;
            }
        }
    }

    /// <returns>False when it broke before anything was sent, so that it may be tried again.</returns>
    private async Task<bool> AnswerArrivingAsync(HttpContext context, ArtifactSource source, Arrival arrival)
    {
        var began = time.GetTimestamp();
        try
        {
            // Until then a failure can be told as one.
            await arrival.WaitBeyondAsync(0, context.RequestAborted);
        }
        catch (IOException)
        {
            return false;
        }
        var response = context.Response;
        response.ContentType = "application/octet-stream";
        response.ContentLength = arrival.Length;
        // Neither entity tag nor date: what breaks here must not be completed by a later range (RFC 9110 §15.3.7.3).
        response.Headers.AcceptRanges = "none";
        if (HttpMethods.IsHead(context.Request.Method))
            return true;
        if (await SendAsync(context, source, arrival.Length, arrival.WaitBeyondAsync, arrival.Read))
            RecordSent(context, source, StatusCodes.Status200OK, arrival.Length, began, $"while it arrives from {source.Url.Authority}", fetched: true);
        return true;
    }

    private async Task AnswerStoredAsync(HttpContext context, ArtifactSource source, ArtifactResult.Stored stored)
    {
        var (artifact, file, why) = stored;
        var request = context.Request.GetTypedHeaders();
        var response = context.Response;
        var modified = artifact.LastModified ?? artifact.FetchedAt;
        response.Headers.ETag = artifact.ETag;
        response.Headers.LastModified = HeaderUtilities.FormatDate(modified);
        response.Headers.AcceptRanges = "bytes";
        if (NotModified(request, artifact.ETag, modified))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            RecordSent(context, source, response.StatusCode, 0, time.GetTimestamp(), why, fetched: false);
            return;
        }
        var (offset, count, status) = IfRangeHolds(request.IfRange, artifact.ETag, modified)
            ? ByteRange.Of(context.Request.Headers.Range, artifact.Size)
            : (0, artifact.Size, StatusCodes.Status200OK);
        if (status == StatusCodes.Status416RangeNotSatisfiable)
        {
            response.Headers.ContentRange = $"bytes */{artifact.Size}";
            await RefuseAsync(context, null, status, $"the file has {artifact.Size} bytes");
            return;
        }
        response.StatusCode = status;
        response.ContentType = "application/octet-stream";
        response.ContentLength = count;
        if (status == StatusCodes.Status206PartialContent)
            response.Headers.ContentRange = $"bytes {offset}-{offset + count - 1}/{artifact.Size}";
        if (HttpMethods.IsHead(context.Request.Method))
            return;
        var began = time.GetTimestamp();
        if (await SendAsync(context, source, count, (_, _) => new(count), (buffer, at) => RandomAccess.Read(file, buffer, offset + at)))
            RecordSent(context, source, status, count, began, why, fetched: why.StartsWith("stale", StringComparison.Ordinal));
    }

    private delegate int Reading(Span<byte> buffer, long position);

    /// <summary>Sends so many octets, as soon as they may be read.</summary>
    /// <param name="shown">Waits until there is something after a position, and gives how much there is in all.</param>
    /// <returns>False when it broke: the connection is reset, and that is recorded.</returns>
    private async Task<bool> SendAsync(HttpContext context, ArtifactSource source, long count, Func<long, CancellationToken, ValueTask<long>> shown, Reading reading)
    {
        var body = context.Response.BodyWriter;
        long sent = 0;
        try
        {
            while (sent < count)
            {
                var until = await shown(sent, context.RequestAborted);
                while (sent < until)
                {
                    var chunk = body.GetMemory(ChunkSize);
                    var read = reading(chunk.Span[..(int)Math.Min(Math.Min(chunk.Length, ChunkSize), until - sent)], sent);
                    if (read == 0)
                        throw new IOException("the file is shorter than it was");
                    body.Advance(read);
                    var flushed = await body.FlushAsync(context.RequestAborted);
                    sent += read;
                    if (flushed.IsCompleted || flushed.IsCanceled)
                        throw new OperationCanceledException(context.RequestAborted);
                }
            }
            return true;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            Broke(context, source, sent, count, e);
            return false;
        }
    }

    private async Task AnswerManifestAsync(HttpContext context, ArtifactPath path, Upstream upstream)
    {
        var (manifest, artifact, failure) = await catalogue.ManifestAsync(upstream, context.RequestAborted);
        if (manifest is null)
        {
            await RefuseAsync(context, path, failure!.Status, failure.Reason);
            return;
        }
        // The hosts of a rack ask by one name.
        var at = $"http://{AuthorityOf(context)}{ArtifactPath.Prefix}{upstream.Name}/";
        var key = $"{artifact!.Sha256} {at}";
        if (lastManifest is not { } last || last.Key != key)
            lastManifest = last = (key, Encoding.UTF8.GetBytes(manifest.Rewrite(at)));
        await AnswerTextAsync(context, path, last.Content, $"{upstream.Url.Authority}'s of {artifact.FetchedAt:yyyy-MM-dd HH:mm}, its addresses turned to {at}");
    }

    private async Task AnswerTextAsync(HttpContext context, ArtifactPath path, byte[] content, string why)
    {
        var response = context.Response;
        var etag = $"\"{Convert.ToHexStringLower(SHA256.HashData(content))}\"";
        response.Headers.ETag = etag;
        if (NotModified(context.Request.GetTypedHeaders(), etag, null))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }
        response.ContentType = "text/plain; charset=utf-8";
        response.ContentLength = content.Length;
        if (HttpMethods.IsHead(context.Request.Method))
            return;
        await response.Body.WriteAsync(content, context.RequestAborted);
        Record(context, EventOutcome.Answered, $"GET /artifacts/{path} → 200, {BootHttpHandler.Bytes(content.Length)}", why);
    }

    private async Task RefuseAsync(HttpContext context, ArtifactPath? path, int status, string reason)
    {
        var asked = path is { } known ? ArtifactPath.Prefix + known : Resources.Texts.OneLine(TargetOf(context).Split('?')[0], 200);
        Record(context, EventOutcome.Refused, $"{context.Request.Method} {asked} → {status}", reason);
        await Refusal.SendAsync(context, status, reason);
    }

    private void Broke(HttpContext context, ArtifactSource source, long sent, long count, Exception e)
    {
        var reason = context.RequestAborted.IsCancellationRequested ? "the client closed the connection" : e.Message;
        // Never ended as if it were whole: the announced length is not reached, and the connection is reset.
        context.Abort();
        Record(context, EventOutcome.Failed, $"GET /artifacts/{source.Path} broke after {BootHttpHandler.Bytes(sent)} of {BootHttpHandler.Bytes(count)}", reason);
    }

    // A rack's installers take thousands of packages from the cache: their events would push everything else out of the log.
    private void RecordSent(HttpContext context, ArtifactSource source, int status, long sent, long began, string why, bool fetched)
    {
        if (fetched || source.Upstream.Kind is UpstreamKind.Files or UpstreamKind.Nodeadm)
            Record(context, EventOutcome.Answered, $"GET /artifacts/{source.Path} → {status}, {BootHttpHandler.Bytes(sent)} in {time.GetElapsedTime(began).TotalSeconds:0.00} s", why);
    }

    private void Record(HttpContext context, EventOutcome outcome, string what, string reason)
    {
        var mac = addresses.Find(Ipv4Address.From(context.Connection.RemoteIpAddress ?? IPAddress.Any));
        journal.Record(new Event
        {
            At = time.GetUtcNow(),
            Source = EventSource.Http,
            Outcome = outcome,
            MacAddress = mac,
            Host = mac is { } m ? state.Snapshot.FindHost(m)?.Name : null,
            What = what,
            Reason = reason,
        });
    }

    // RFC 9110 §13.2.2: If-None-Match decides when it is there.
    private static bool NotModified(Microsoft.AspNetCore.Http.Headers.RequestHeaders request, string etag, DateTimeOffset? modified)
    {
        if (request.IfNoneMatch is { Count: > 0 } tags)
            return tags.Any(tag => tag.Tag == "*" || tag.Tag == etag);
        return modified is { } at && request.IfModifiedSince is { } since && Seconds(at) <= since;
    }

    private static bool IfRangeHolds(RangeConditionHeaderValue? condition, string etag, DateTimeOffset modified) =>
        condition is null
        || condition.EntityTag is { IsWeak: false } tag && tag.Tag == etag
        || condition.LastModified is { } date && date == Seconds(modified);

    // HTTP's dates have no fractions.
    private static DateTimeOffset Seconds(DateTimeOffset time) => DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds());

    // The address the client asked at is one it reaches; what is no address is not repeated.
    private static string AuthorityOf(HttpContext context) =>
        context.Request.Host.Value is { Length: > 0 } host && Authority().IsMatch(host) ? host
        : new IPEndPoint(context.Connection.LocalIpAddress?.MapToIPv4() ?? IPAddress.Loopback, context.Connection.LocalPort).ToString();

    private static string TargetOf(HttpContext context) => context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";

    [GeneratedRegex(@"^([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Authority();
}
