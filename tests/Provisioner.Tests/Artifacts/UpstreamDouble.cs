using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Provisioner.Tests.Artifacts;

/// <summary>One file of an upstream, and what goes wrong with it.</summary>
internal sealed class UpstreamFile(byte[] content)
{
    public byte[] Content { get; set; } = content;

    public string? ETag { get; set; }

    public DateTimeOffset? LastModified { get; set; }

    /// <summary>Each answer takes one from here: so many bytes, then the connection is reset.</summary>
    public ConcurrentQueue<int> BreaksAfter { get; } = new();

    /// <summary>Told when an answer broke, before the next request.</summary>
    public Action? Broken { get; set; }

    public bool KnowsRanges { get; set; } = true;

    public bool Chunked { get; set; }

    public string? RedirectsTo { get; set; }

    public int Status { get; set; } = 200;

    /// <summary>Answers wait here after their first half.</summary>
    public Task HalfWay { get; set; } = Task.CompletedTask;

    /// <summary>Answers wait here before their first octet.</summary>
    public Task Before { get; set; } = Task.CompletedTask;
}

/// <summary>A real HTTP server on loopback that can break as upstreams break.</summary>
internal sealed class UpstreamDouble : IAsyncDisposable
{
    private readonly WebApplication app;

    private UpstreamDouble(WebApplication app) => this.app = app;

    public ConcurrentDictionary<string, UpstreamFile> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>What it was asked, in order.</summary>
    public ConcurrentQueue<(string Path, string? Range, string? IfRange, string? IfNoneMatch)> Requests { get; } = new();

    /// <summary>Every answer is a reset connection.</summary>
    public bool IsAway { get; set; }

    public Uri Url => new(app.Urls.First() + "/");

    public static async Task<UpstreamDouble> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0));
        var built = builder.Build();
        var upstream = new UpstreamDouble(built);
        built.Run(upstream.AnswerAsync);
        await built.StartAsync();
        return upstream;
    }

    public UpstreamFile Add(string path, byte[] content, string? etag = null) => Files[path] = new UpstreamFile(content) { ETag = etag };

    public int RequestsFor(string path) => Requests.Count(r => r.Path == path);

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync(new CancellationToken(canceled: true));
        await app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        var path = request.Path.Value!.TrimStart('/');
        Requests.Enqueue((path, request.Headers.Range, request.Headers["If-Range"], request.Headers.IfNoneMatch));
        if (IsAway)
        {
            context.Abort();
            return;
        }
        if (!Files.TryGetValue(path, out var file) || file.Status != 200)
        {
            response.StatusCode = file?.Status ?? 404;
            return;
        }
        if (file.RedirectsTo is { } to)
        {
            response.StatusCode = 302;
            response.Headers.Location = to;
            return;
        }
        await file.Before;
        var content = file.Content;
        if (file.ETag is { } etag)
            response.Headers.ETag = etag;
        if (file.LastModified is { } modified)
            response.Headers.LastModified = modified.ToString("R", CultureInfo.InvariantCulture);
        if (file.ETag is not null && request.Headers.IfNoneMatch == file.ETag
            || file.LastModified is { } at && request.Headers.IfModifiedSince == at.ToString("R", CultureInfo.InvariantCulture))
        {
            response.StatusCode = 304;
            return;
        }
        var from = 0;
        var condition = (string?)request.Headers["If-Range"];
        if (file.KnowsRanges && (string?)request.Headers.Range is { } range && (condition is null || condition == file.ETag || condition == (string?)response.Headers.LastModified))
        {
            from = int.Parse(range.Split('=')[1].TrimEnd('-'), CultureInfo.InvariantCulture);
            response.StatusCode = 206;
            response.Headers.ContentRange = $"bytes {from}-{content.Length - 1}/{content.Length}";
        }
        if (!file.Chunked)
            response.ContentLength = content.Length - from;
        var until = file.BreaksAfter.TryDequeue(out var breaks) ? Math.Min(content.Length, breaks) : content.Length;
        var half = from + (until - from) / 2;
        await SendAsync(response, content, from, half);
        await file.HalfWay;
        await SendAsync(response, content, half, until);
        if (until == content.Length && breaks == 0)
            return;
        // What was written is to arrive before the reset does.
        await Task.Delay(50);
        file.Broken?.Invoke();
        context.Abort();
    }

    private static async Task SendAsync(HttpResponse response, byte[] content, int from, int to)
    {
        for (; from < to; from += 65536)
            await response.Body.WriteAsync(content.AsMemory(from, Math.Min(65536, to - from)));
        await response.Body.FlushAsync();
    }
}
