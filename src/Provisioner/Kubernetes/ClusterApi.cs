using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Provisioner.Kubernetes;

/// <summary>The API server refused, with its own words.</summary>
internal sealed class ClusterRefusedException(HttpStatusCode status, string message, TimeSpan? retryAfter = null) : Exception(message)
{
    public HttpStatusCode Status => status;

    /// <summary>How long it wants to be left alone.</summary>
    public TimeSpan? RetryAfter => retryAfter;

    /// <summary>The version or page asked for is no longer kept: begin with a new list.</summary>
    public bool IsExpired => status == HttpStatusCode.Gone;

    /// <summary>Too many requests, or a server that has trouble: the same question may be answered later.</summary>
    public bool MayPass => status == HttpStatusCode.TooManyRequests || (int)status >= 500;
}

/// <summary>One step of a watch: a node as it is now, its end, or only the version reached.</summary>
/// <param name="Node">Null for a bookmark.</param>
internal readonly record struct NodeStep(NodeFacts? Node, bool IsDeleted, string ResourceVersion);

/// <summary>What is read in bulk from an API server: lists page by page, and the watch of nodes.</summary>
internal sealed class ClusterApi(HttpClient http, TimeProvider time)
{
    private const int PageSize = 500;

    /// <summary>A server closes a watch by itself after 30 to 60 minutes; asked to do it earlier, a lost one is noticed earlier.</summary>
    public static readonly TimeSpan WatchLength = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan PageLimit = TimeSpan.FromSeconds(30);

    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    /// <summary>Gives each node to <paramref name="each"/>.</summary>
    /// <returns>The version a watch goes on from.</returns>
    public Task<string> ListNodesAsync(Action<NodeFacts> each, CancellationToken ct) =>
        ListAsync<ApiNode>("api/v1/nodes", node => each(NodeFacts.Of(node)), ct);

    public Task<string> ListPodsAsync(Action<ApiPod> each, CancellationToken ct) => ListAsync("api/v1/pods", each, ct);

    public Task<string> ListSigningRequestsAsync(Action<ApiSigningRequest> each, CancellationToken ct) =>
        ListAsync("apis/certificates.k8s.io/v1/certificatesigningrequests", each, ct);

    /// <summary>Changes of nodes after that version, until the server ends it. A first step without a node says that it was accepted.</summary>
    /// <exception cref="ClusterRefusedException">Refused, now or in the middle of it.</exception>
    public async IAsyncEnumerable<NodeStep> WatchNodesAsync(string resourceVersion, [EnumeratorCancellation] CancellationToken ct)
    {
        var path = $"api/v1/nodes?watch=true&allowWatchBookmarks=true&timeoutSeconds={WatchLength.TotalSeconds:0}&resourceVersion={Uri.EscapeDataString(resourceVersion)}";
        // Longer than the server was told: what is still open then is a connection that only looks open.
        using var limit = new CancellationTokenSource(WatchLength + PageLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        using var response = await SendAsync(path, either.Token);
        yield return new NodeStep(null, false, resourceVersion);
        await using var stream = await response.Content.ReadAsStreamAsync(either.Token);
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 64 * 1024, leaveOpen: true));
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(either.Token);
                var buffer = read.Buffer;
                while (NextLine(ref buffer) is { } line)
                {
                    if (Read(line) is { } step)
                        yield return step;
                }
                reader.AdvanceTo(buffer.Start, buffer.End);
                if (read.IsCompleted)
                    yield break;
            }
        }
        finally
        {
            await reader.CompleteAsync();
        }
    }

    private async Task<string> ListAsync<T>(string path, Action<T> each, CancellationToken ct)
    {
        string? next = null;
        while (true)
        {
            var page = await PageAsync<T>($"{path}?limit={PageSize}{(next is null ? "" : $"&continue={Uri.EscapeDataString(next)}")}", ct);
            foreach (var item in page.Items)
                each(item);
            if (string.IsNullOrEmpty(next = page.Metadata.Continue))
                return page.Metadata.ResourceVersion ?? "";
        }
    }

    // A page in the middle of thousands is asked for again where it can be: beginning anew is what a server in trouble needs least.
    private async Task<ApiList<T>> PageAsync<T>(string path, CancellationToken ct)
    {
        var retry = new RetryDelay();
        while (true)
        {
            try
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
                limit.CancelAfter(PageLimit);
                using var response = await SendAsync(path, limit.Token);
                await using var stream = await response.Content.ReadAsStreamAsync(limit.Token);
                return await JsonSerializer.DeserializeAsync<ApiList<T>>(stream, Options, limit.Token) ?? throw new JsonException("null is no list");
            }
            catch (ClusterRefusedException refused) when (refused.MayPass && retry.Count < 4)
            {
                await Task.Delay(retry.Next(refused.RetryAfter), time, ct);
            }
        }
    }

    private async Task<HttpResponseMessage> SendAsync(string path, CancellationToken ct)
    {
        var response = await http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, ct);
        if (response.IsSuccessStatusCode)
            return response;
        using (response)
        {
            var body = await response.Content.ReadAsStringAsync(ct);
            var after = response.Headers.RetryAfter;
            throw new ClusterRefusedException(response.StatusCode, Say(response.StatusCode, body), after?.Delta ?? (after?.Date is { } date ? date - time.GetUtcNow() : null));
        }
    }

    private static string Say(HttpStatusCode status, string body)
    {
        string? message = null;
        try
        {
            message = JsonSerializer.Deserialize<ApiStatus>(body, Options)?.Message;
        }
        catch (JsonException)
        {
            // A proxy in between answers in its own way.
        }
        return $"the API server answered {(int)status}{(message is { Length: > 0 } ? $": {Resources.Texts.OneLine(message, 300)}" : "")}";
    }

    private static ReadOnlySequence<byte>? NextLine(ref ReadOnlySequence<byte> buffer)
    {
        if (buffer.PositionOf((byte)'\n') is not { } end)
            return null;
        var line = buffer.Slice(0, end);
        buffer = buffer.Slice(buffer.GetPosition(1, end));
        return line;
    }

    private static NodeStep? Read(ReadOnlySequence<byte> line)
    {
        if (line.IsEmpty)
            return null;
        var json = new Utf8JsonReader(line);
        // In one pass, because the type comes first (metav1.WatchEvent) and decides how the object is read.
        string? type = null;
        while (json.Read())
        {
            if (json.TokenType != JsonTokenType.PropertyName)
                continue;
            if (json.ValueTextEquals("type"u8))
            {
                json.Read();
                type = json.GetString();
            }
            else if (json.ValueTextEquals("object"u8))
            {
                json.Read();
                if (type == "ERROR")
                {
                    var status = JsonSerializer.Deserialize<ApiStatus>(ref json, Options);
                    var code = (HttpStatusCode)(status?.Code ?? 500);
                    throw new ClusterRefusedException(code, $"the API server ended the watch with {(int)code}: {Resources.Texts.OneLine(status?.Message, 300)}");
                }
                var node = JsonSerializer.Deserialize<ApiNode>(ref json, Options)!;
                return new NodeStep(type == "BOOKMARK" ? null : NodeFacts.Of(node), type == "DELETED", node.Metadata.ResourceVersion ?? "");
            }
            else
            {
                json.Skip();
            }
        }
        return null;
    }
}

/// <summary>Growing pauses, each somewhere between half of it and all of it, so that many who wait do not come back at once.</summary>
internal sealed class RetryDelay
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    public int Count { get; private set; }

    public void Reset() => Count = 0;

    /// <param name="atLeast">What the other side asked for; not more than five minutes of it is granted.</param>
    public TimeSpan Next(TimeSpan? atLeast = null)
    {
        var full = Math.Min(Longest.TotalMilliseconds, 250 * Math.Pow(2, Math.Min(Count++, 10)));
        var pause = TimeSpan.FromMilliseconds(full * (0.5 + Random.Shared.NextDouble() / 2));
        var asked = atLeast is { } wanted && wanted > TimeSpan.Zero ? wanted < TimeSpan.FromMinutes(5) ? wanted : TimeSpan.FromMinutes(5) : TimeSpan.Zero;
        return pause > asked ? pause : asked;
    }
}
