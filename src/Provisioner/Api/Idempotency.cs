using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>
/// <c>Idempotency-Key</c> (draft-ietf-httpapi-idempotency-key-header): an action that is sent again with the same key, because its answer was lost, is not
/// done again; the first answer is given once more. Kept for a day, beyond a restart too, for each caller apart.
/// </summary>
internal sealed class Idempotency(KeptAnswers disk, TimeProvider time)
{
    public const string Header = "Idempotency-Key";

    /// <summary>An answer given once more says so.</summary>
    public const string ReplayedHeader = "Idempotent-Replayed";

    private const int MaximumKey = 255, MaximumBody = 2 * 1024 * 1024, MaximumAnswer = 256 * 1024, Capacity = 5_000;

    private static readonly TimeSpan Kept = TimeSpan.FromHours(24);

    private static readonly TimeSpan ForgetEvery = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<(string Actor, string Key), Entry> entries = [];
    private DateTimeOffset forgotten;

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (!HttpMethods.IsPost(context.Request.Method) || context.Request.Headers[Header] is not { Count: > 0 } header || !MayBeKept(context.Request))
        {
            await next(context);
            return;
        }
        if (header is not [{ Length: > 0 and <= MaximumKey } key] || !key.All(c => c is > ' ' and < '\x7f'))
            throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake("the key is not well formed") { Path = Header, Value = Reading.Shorten(header.ToString()), Expected = $"1 to {MaximumKey} printable characters, such as a UUID" }]);
        Forget();
        var (name, fingerprint) = ((Caller.Name(context), key), await FingerprintAsync(context.Request, context.RequestAborted));
        var mine = new Entry(fingerprint, time.GetUtcNow());
        if (entries.TryGetValue(name, out var old) && mine.At - old.At > Kept)
            entries.TryRemove(name, out _);
        var entry = entries.GetOrAdd(name, mine);
        if (ReferenceEquals(entry, mine))
        {
            if (FromBefore(name, mine) is not { } earlier)
            {
                await RunAsync(context, next, name, mine);
                return;
            }
            entry = earlier;
        }
        if (entry.Fingerprint != fingerprint)
            throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake("the key was used for another request") { Path = Header, Value = Reading.Shorten(key), Expected = "a new key for each request, and the same only when that very request is sent again" }]);
        if (entry.Answer is not { } answer)
        {
            if (entry.IsFromBefore)
                throw new ChangeRefusedException(RefusalKind.Conflict, "The service ended while the first request with this key was being done: look whether it was done, and if not, send it with a new key.");
            context.Response.Headers.RetryAfter = "1";
            throw new ChangeRefusedException(RefusalKind.Conflict, "The first request with this key is still being done: ask again in a moment.");
        }
        if (answer.Body is null)
            throw new ChangeRefusedException(RefusalKind.Conflict, "The request with this key was done, before the service was started again. Its answer held a secret, which is not kept: make a new one with a new key.");
        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = answer.ContentType;
        context.Response.Headers[ReplayedHeader] = "true";
        await context.Response.Body.WriteAsync(answer.Body, context.RequestAborted);
    }

    /// <summary>Streams have their own way to go on, uploads are not kept in memory, and a sign-in is not an action to repeat.</summary>
    private static bool MayBeKept(HttpRequest request) =>
        request.ContentLength is null or <= MaximumBody && !request.Path.StartsWithSegments("/api/v1/session", StringComparison.OrdinalIgnoreCase)
        && !request.Path.StartsWithSegments("/api/v1/setup", StringComparison.OrdinalIgnoreCase) && !request.Path.Value!.EndsWith("/import", StringComparison.OrdinalIgnoreCase)
        && !request.Path.Equals("/api/v1/backup", StringComparison.OrdinalIgnoreCase)
        && !Caller.WantsEvents(request);

    /// <summary>What was asked with this key before the service was started again; null when nothing was.</summary>
    private Entry? FromBefore((string Actor, string Key) name, Entry mine)
    {
        try
        {
            if (disk.Find(name.Actor, name.Key) is not { } kept || mine.At - kept.At > Kept)
                return null;
            var entry = new Entry(kept.Fingerprint, kept.At) { Answer = kept.Answer, IsFromBefore = true };
            entries[name] = entry;
            return entry;
        }
        catch (StoreException)
        {
            entries.TryRemove(name, out _);
            throw;
        }
    }

    private async Task RunAsync(HttpContext context, RequestDelegate next, (string Actor, string Key) name, Entry mine)
    {
        var (original, kept) = (context.Response.Body, false);
        using var copy = new MemoryStream();
        context.Response.Body = copy;
        try
        {
            disk.Keep(name.Actor, name.Key, new(mine.Fingerprint, mine.At, null));
            await next(context);
            // What failed for a reason of ours is to be tried again; so is what was too large to keep.
            if (context.Response.StatusCode < 500 && copy.Length <= MaximumAnswer)
            {
                mine.Answer = new(context.Response.StatusCode, context.Response.ContentType, copy.ToArray());
                kept = true;
                KeepAnswer(name, mine, context.GetEndpoint()?.Metadata.GetMetadata<SecretAnswer>() is not null);
            }
        }
        finally
        {
            // Refused before anything was done, or failed: the same request may be sent again once the cause is gone.
            if (!kept)
            {
                disk.Remove(name.Actor, name.Key);
                entries.TryRemove(name, out _);
            }
            context.Response.Body = original;
        }
        copy.Position = 0;
        await copy.CopyToAsync(original, context.RequestAborted);
    }

    private void KeepAnswer((string Actor, string Key) name, Entry entry, bool isSecret)
    {
        try
        {
            disk.Keep(name.Actor, name.Key, new(entry.Fingerprint, entry.At, isSecret ? entry.Answer! with { Body = null } : entry.Answer));
        }
        catch (StoreException)
        {
            // It was done, and this process answers the same again. After a restart it is not known how it ended, and that is what is said then.
        }
    }

    private static async Task<string> FingerprintAsync(HttpRequest request, CancellationToken ct)
    {
        request.EnableBuffering(bufferThreshold: MaximumBody, bufferLimit: MaximumBody);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{request.Method} {request.Path}{request.QueryString}\n"));
        var buffer = new byte[16 * 1024];
        try
        {
            while (await request.Body.ReadAsync(buffer, ct) is var read and > 0)
                hash.AppendData(buffer, 0, read);
        }
        catch (IOException)
        {
            throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake("the body is too large to be remembered with a key") { Path = Header, Expected = $"at most {MaximumBody} bytes, or no key" }]);
        }
        request.Body.Position = 0;
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private void Forget()
    {
        var now = time.GetUtcNow();
        if (now - forgotten > ForgetEvery)
        {
            forgotten = now;
            disk.Forget(now - Kept);
        }
        if (entries.Count < Capacity)
            return;
        foreach (var (name, entry) in entries)
        {
            if (now - entry.At > Kept)
                entries.TryRemove(name, out _);
        }
        // All of a day, and still too many: the oldest half.
        if (entries.Count >= Capacity)
        {
            foreach (var (name, _) in entries.Where(e => e.Value.Answer is not null).OrderBy(e => e.Value.At).Take(Capacity / 2).ToList())
                entries.TryRemove(name, out _);
        }
    }

    private sealed class Entry(string fingerprint, DateTimeOffset at)
    {
        public string Fingerprint => fingerprint;

        public DateTimeOffset At => at;

        public GivenAnswer? Answer { get; set; }

        /// <summary>It was asked of the process before this one.</summary>
        public bool IsFromBefore { get; init; }
    }
}
