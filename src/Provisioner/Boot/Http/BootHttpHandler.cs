using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Seeds;
using Provisioner.Storage;

namespace Provisioner.Boot.Http;

/// <summary>
/// Answers one request on the boot plane the way firmware can take it: GET and HEAD alike (UEFI HTTP Boot asks HEAD first), always with
/// Content-Length, never chunked, never a redirect (edk2#9714), ranges honoured, every name looked up in the catalogue.
/// </summary>
internal sealed class BootHttpHandler(
    IBootCatalogue catalogue,
    CurrentState state,
    AddressBook addresses,
    BootJournal journal,
    TimeProvider time,
    SeedEndpoint? seeds = null)
{
    // Large enough that a transfer is bound by the wire, small enough for hundreds at once.
    private const int ChunkSize = 128 * 1024;

    public async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        var response = context.Response;
        if (seeds is not null && request.Path.Value is { } asked && asked.StartsWith(SeedEndpoint.Prefix, StringComparison.Ordinal))
        {
            await seeds.AnswerAsync(context);
            return;
        }
        var isHead = HttpMethods.IsHead(request.Method);
        if (!isHead && !HttpMethods.IsGet(request.Method))
        {
            response.Headers.Allow = "GET, HEAD";
            await Refusal.SendAsync(context, StatusCodes.Status405MethodNotAllowed, "the boot plane is read-only: GET and HEAD");
            return;
        }

        var path = request.Path.Value ?? "/";
        var query = request.QueryString is { HasValue: true, Value: { } q } ? q[1..] : null;
        var client = BootConnection.ClientOf(context.Connection, state.Snapshot);
        var lookup = catalogue.Find(path, client, query);
        var mac = MacOf(path) ?? addresses.Find(client.Address);
        RecordSighting(path, mac, query, client);
        if (lookup.Asset is not { } asset)
        {
            await Refusal.SendAsync(context, StatusCodes.Status404NotFound, lookup.Refusal!);
            Record(EventOutcome.Refused, mac, $"{request.Method} {path} → 404", lookup.Refusal!);
            return;
        }

        response.ContentType = asset.ContentType;
        response.Headers.AcceptRanges = "bytes";
        var (offset, count, status) = ByteRange.Of(request.Headers.Range, asset.Length);
        response.StatusCode = status;
        if (status == StatusCodes.Status416RangeNotSatisfiable)
        {
            response.Headers.ContentRange = $"bytes */{asset.Length}";
            await Refusal.SendAsync(context, status, $"the file has {asset.Length} bytes");
            return;
        }
        if (status == StatusCodes.Status206PartialContent)
            response.Headers.ContentRange = $"bytes {offset}-{offset + count - 1}/{asset.Length}";
        response.ContentLength = count;
        if (isHead)
        {
            Record(EventOutcome.Answered, mac, $"HEAD {path} → {status}, {Bytes(count)}", asset.Reason);
            return;
        }

        var began = time.GetTimestamp();
        var sent = new Progress();
        string? broke = null;
        try
        {
            await SendAsync(context, asset, offset, count, sent);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or UnauthorizedAccessException)
        {
            broke = context.RequestAborted.IsCancellationRequested ? "the client closed the connection" : e.Message;
            context.Abort();
        }
        var took = time.GetElapsedTime(began).TotalSeconds;
        if (broke is null)
            Record(EventOutcome.Answered, mac, $"GET {path} → {status}, {Bytes(count)} in {took:0.00} s", asset.Reason);
        else
            Record(EventOutcome.Failed, mac, $"GET {path} broke after {Bytes(sent.Bytes)} of {Bytes(count)}", broke);
    }

    private static async Task SendAsync(HttpContext context, BootAsset asset, long offset, long count, Progress sent)
    {
        var stop = context.RequestAborted;
        var body = context.Response.BodyWriter;
        if (asset is BootAsset.InMemory memory)
        {
            var part = memory.Content.Slice((int)offset, (int)count);
            await body.WriteAsync(part, stop);
            sent.Bytes = count;
            return;
        }

        var onDisk = (BootAsset.OnDisk)asset;
        using var file = File.OpenHandle(onDisk.Path, options: FileOptions.SequentialScan);
        while (sent.Bytes < count)
        {
            var chunk = body.GetMemory(ChunkSize);
            var wanted = (int)Math.Min(chunk.Length, count - sent.Bytes);
            var read = RandomAccess.Read(file, chunk.Span[..wanted], offset + sent.Bytes);
            if (read == 0)
                throw new IOException($"{onDisk.Path} is shorter than when it was imported");
            body.Advance(read);
            sent.Bytes += read;
            var flushed = await body.FlushAsync(stop);
            if (flushed.IsCompleted || flushed.IsCanceled)
                break;
        }
        if (sent.Bytes < count)
            throw new OperationCanceledException(stop);
    }

    private static MacAddress? MacOf(string path)
    {
        var parts = path.Split('/', 3, StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == 3 && parts[0] == "boot" && MacAddress.TryParse(parts[1], out var mac) ? mac : null;
    }

    private void RecordSighting(string path, MacAddress? mac, string? query, BootClient client)
    {
        if (mac is not { } asking || !path.EndsWith("/boot.ipxe", StringComparison.Ordinal) || state.Snapshot.FindHost(asking) is not null)
            return;
        var facts = IpxeFacts.Read(query);
        journal.Record(new Sighting(asking, time.GetUtcNow())
        {
            Uuid = facts.Uuid,
            Serial = facts.Serial,
            Product = facts.Product,
            Manufacturer = facts.Manufacturer,
            Architecture = facts.Architecture == Architecture.Unknown ? null : BootDecider.Name(facts.Architecture),
            Address = client.Address.ToString(),
        });
    }

    private void Record(EventOutcome outcome, MacAddress? mac, string what, string reason) => journal.Record(new Event
    {
        At = time.GetUtcNow(),
        Source = EventSource.Http,
        Outcome = outcome,
        MacAddress = mac,
        Host = mac is { } m ? state.Snapshot.FindHost(m)?.Name : null,
        What = what,
        Reason = reason,
    });

    internal static string Bytes(long count) => count switch
    {
        < 10_000 => $"{count} bytes",
        < 10_000_000 => $"{count / 1000} kB",
        _ => $"{count / 1_000_000.0:0.0} MB",
    };

    private sealed class Progress
    {
        public long Bytes { get; set; }
    }
}
