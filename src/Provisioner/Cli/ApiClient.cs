using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Provisioner.Cli;

/// <summary>
/// The API as the command line uses it, over the unix socket or from elsewhere by HTTPS. What the service refuses becomes a <see cref="CommandFailedException"/>.
/// </summary>
internal sealed class ApiClient : IDisposable
{
    private readonly Func<Exception, string> explain;
    private readonly HttpClient http;

    /// <summary>By the appliance's secure plane, with a token.</summary>
    public ApiClient(RemoteServer server)
    {
        explain = server.Explain;
        http = server.CreateClient();
    }

    public ApiClient(string socketPath)
    {
        explain = cause => ExplainSocket(cause, socketPath);
        http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        })
        {
            BaseAddress = new Uri("http://provisioner/api/v1/"),
            Timeout = Timeout.InfiniteTimeSpan, // An import or a followed stream takes as long as it takes.
        };
    }

    public void Dispose() => http.Dispose();

    public async Task<JsonObject> GetAsync(string path, CancellationToken cancellation) =>
        Parse(await SendAsync(HttpMethod.Get, path, null, cancellation));

    public Task<string> GetTextAsync(string path, CancellationToken cancellation) => SendAsync(HttpMethod.Get, path, null, cancellation);

    public Task<string> PostTextAsync(string path, HttpContent? content, CancellationToken cancellation) => SendAsync(HttpMethod.Post, path, content, cancellation);

    public async Task<JsonObject> PostAsync(string path, HttpContent? content, CancellationToken cancellation) =>
        Parse(await SendAsync(HttpMethod.Post, path, content, cancellation));

    public async Task<JsonObject> PostAsync(string path, JsonObject body, CancellationToken cancellation) =>
        await PostAsync(path, new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"), cancellation);

    public async Task<JsonObject> DeleteAsync(string path, CancellationToken cancellation) =>
        Parse(await SendAsync(HttpMethod.Delete, path, null, cancellation) is { Length: > 0 } text ? text : "{}");

    /// <summary>The items of a list.</summary>
    public async Task<IReadOnlyList<JsonObject>> ListAsync(string path, CancellationToken cancellation) =>
        [.. (await GetAsync(path, cancellation))["items"]!.AsArray().Select(item => item!.AsObject())];

    /// <summary>Events as they happen, until the service stops or the caller does.</summary>
    public IAsyncEnumerable<JsonObject> FollowAsync(string path, CancellationToken cancellation) => FollowAsync(HttpMethod.Get, path, null, cancellation);

    /// <summary>Has something done and gives its steps as they are reached.</summary>
    public IAsyncEnumerable<JsonObject> FollowAsync(string path, JsonObject body, CancellationToken cancellation) =>
        FollowAsync(HttpMethod.Post, path, new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"), cancellation);

    /// <summary>Has a file made and gives its bytes as they come.</summary>
    public async Task<HttpResponseMessage> DownloadAsync(HttpMethod method, string path, JsonObject? body, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json") };
        var response = await ConnectAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        if (response.IsSuccessStatusCode)
            return response;
        using (response)
            throw Refused(await response.Content.ReadAsStringAsync(cancellation), (int)response.StatusCode);
    }

    private async IAsyncEnumerable<JsonObject> FollowAsync(HttpMethod method, string path, HttpContent? content, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        using var response = await ConnectAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        if (!response.IsSuccessStatusCode)
            throw Refused(await response.Content.ReadAsStringAsync(cancellation), (int)response.StatusCode);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellation);
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellation))
            yield return Parse(item.Data);
    }

    private async Task<string> SendAsync(HttpMethod method, string path, HttpContent? content, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        using var response = await ConnectAsync(request, HttpCompletionOption.ResponseContentRead, cancellation);
        var text = await response.Content.ReadAsStringAsync(cancellation);
        return response.IsSuccessStatusCode ? text : throw Refused(text, (int)response.StatusCode);
    }

    private async Task<HttpResponseMessage> ConnectAsync(HttpRequestMessage request, HttpCompletionOption completion, CancellationToken cancellation)
    {
        try
        {
            return await http.SendAsync(request, completion, cancellation);
        }
        catch (HttpRequestException exception)
        {
            throw new CommandFailedException(exception.GetBaseException() is CommandFailedException failed ? failed.Message : explain(exception.GetBaseException()));
        }
    }

    private static string ExplainSocket(Exception cause, string socketPath) => cause switch
    {
        SocketException { SocketErrorCode: SocketError.AccessDenied } =>
            $"you may not open the service's socket '{socketPath}'. Use sudo, or become a member of its group.",
        SocketException refused when refused.SocketErrorCode is SocketError.ConnectionRefused || !File.Exists(socketPath) =>
            $"the service is not running: nobody answers on '{socketPath}'. Start it with 'systemctl start provisioner' or 'provisioner serve'; if it runs with another data directory, name its socket with --socket PATH.",
        _ => $"the connection to the service broke: {cause.Message} Its log says why.",
    };

    private static JsonObject Parse(string text) =>
        JsonNode.Parse(text) as JsonObject ?? throw new CommandFailedException("the service's answer is not understood: is it of another version?");

    private static CommandFailedException Refused(string body, int status)
    {
        JsonObject? problem = null;
        try
        {
            problem = JsonNode.Parse(body) as JsonObject;
        }
        catch (JsonException)
        {
            // Not problem details: the status is all there is to tell.
        }
        if (problem?["detail"] is not { } detail)
            return new CommandFailedException($"the service answered {status}.");
        var errors = problem["errors"] as JsonArray ?? [];
        return new CommandFailedException(errors.Count == 0 ? [detail.GetValue<string>()] : [.. errors.Select(error => Sentence(error!.AsObject()))]);
    }

    private static string Sentence(JsonObject error) => new Resources.Mistake(error["message"]!.GetValue<string>())
    {
        Line = error["line"]?.GetValue<int>(),
        Column = error["column"]?.GetValue<int>(),
        Path = error["key"]?.GetValue<string>(),
        Expected = error["expected"]?.GetValue<string>(),
    }.ToString();

    /// <summary>One part of a path.</summary>
    public static string Escape(string part) => Uri.EscapeDataString(part);
}
