using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Xml;
using System.Xml.Linq;
using Amazon.Runtime.Internal.Auth;
using Provisioner.Aws.Credentials;
using Provisioner.Protocols.AwsSigning;

namespace Provisioner.Aws;

/// <summary>HTTP to AWS: bounded in time and size, no redirect, and a refusal becomes an <see cref="AwsException"/>. A proxy of the environment is used.</summary>
internal sealed class AwsConnection : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = TimeSpan.FromSeconds(10), PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
    {
        Timeout = TimeSpan.FromSeconds(30),
        MaxResponseContentBufferSize = 16 * 1024 * 1024,
    };

    public async Task<string> SendAsync(string operation, HttpMethod method, Uri url, IEnumerable<KeyValuePair<string, string>> headers, byte[]? body, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, url);
        if (body is not null)
            request.Content = new ByteArrayContent(body);
        foreach (var (name, value) in headers)
        {
            if (name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase))
                request.Content!.Headers.ContentType = MediaTypeHeaderValue.Parse(value);
            else if (!name.Equals("Host", StringComparison.OrdinalIgnoreCase))
                request.Headers.TryAddWithoutValidation(name, value);
        }
        request.Headers.TryAddWithoutValidation("User-Agent", "provisioner");
        try
        {
            using var response = await http.SendAsync(request, cancellation);
            var text = await response.Content.ReadAsStringAsync(cancellation);
            if (response.IsSuccessStatusCode)
                return text;
            var (code, message) = Refusal(text, response);
            throw new AwsException(operation, (int)response.StatusCode, code, message);
        }
        catch (HttpRequestException e)
        {
            throw new AwsException(operation, 0, "Unreachable", $"{url.Authority}: {e.GetBaseException().Message}", e);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new AwsException(operation, 0, "Timeout", $"{url.Authority} did not answer within {http.Timeout.TotalSeconds:0} seconds", e);
        }
    }

    public void Dispose() => http.Dispose();

    // rest-json: the header X-Amzn-ErrorType, or 'code' or '__type' of the body (https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html). Query: XML with Code and Message.
    private static (string Code, string Message) Refusal(string text, HttpResponseMessage response)
    {
        string? code = response.Headers.TryGetValues("X-Amzn-ErrorType", out var types) ? types.First() : null, message = null;
        try
        {
            if (text.StartsWith('<'))
            {
                var xml = Xml(text);
                code ??= xml.Descendants().FirstOrDefault(e => e.Name.LocalName == "Code")?.Value;
                message = xml.Descendants().FirstOrDefault(e => e.Name.LocalName == "Message")?.Value;
            }
            else
            {
                using var json = JsonDocument.Parse(text);
                code ??= Text(json.RootElement, "__type") ?? Text(json.RootElement, "code");
                message = Text(json.RootElement, "message") ?? Text(json.RootElement, "Message");
            }
        }
        catch (Exception e) when (e is JsonException or XmlException or InvalidOperationException)
        {
            // A proxy's page, most likely: the status is all there is to tell.
        }
        code = (code ?? response.ReasonPhrase ?? "Unknown").Split(':')[0];
        return (Resources.Reading.Shorten(code[(code.LastIndexOf('#') + 1)..]), Clean(message ?? "it gave no reason"));
    }

    private static string Clean(string message) => new([.. message.Take(1000).Select(c => Resources.Texts.IsControl(c) ? ' ' : c)]);

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    internal static XElement Xml(string text)
    {
        using var reader = XmlReader.Create(new StringReader(text), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null });
        return XElement.Load(reader);
    }
}

/// <summary>Signed calls of AWS's APIs, with the appliance's credentials. What may pass is tried again, a few times.</summary>
internal sealed class AwsApi(AwsConnection connection, AwsEndpoints endpoints, IAwsCredentials credentials, TimeProvider time)
{
    private const int Attempts = 4;

    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull };

    /// <summary>A call in the protocol rest-json.</summary>
    /// <param name="path">Escaped.</param>
    /// <param name="body">Null for none.</param>
    public async Task<T> RestAsync<T>(string service, string region, string operation, HttpMethod method, string path, CancellationToken cancellation, object? body = null, params (string Name, string? Value)[] query)
    {
        var text = await SendAsync(service, region, operation, method, path, [.. query.Where(q => q.Value is not null).Select(q => KeyValuePair.Create(q.Name, q.Value!))],
            body is null ? null : JsonSerializer.SerializeToUtf8Bytes(body, body.GetType(), Json), "application/json", cancellation);
        try
        {
            return JsonSerializer.Deserialize<T>(text, Json)!;
        }
        catch (JsonException e)
        {
            throw new AwsException($"{service}:{operation}", 200, "Unreadable", $"the answer is not understood: {e.Message}", e);
        }
    }

    /// <summary>A call in the query protocol of older services.</summary>
    public async Task<XElement> QueryAsync(string service, string region, string version, string operation, IEnumerable<KeyValuePair<string, string>> parameters, CancellationToken cancellation)
    {
        var form = CanonicalRequest.Query(parameters.Append(new("Action", operation)).Append(new("Version", version)));
        var text = await SendAsync(service, region, operation, HttpMethod.Post, "/", [], Encoding.ASCII.GetBytes(form), "application/x-www-form-urlencoded; charset=utf-8", cancellation);
        try
        {
            return AwsConnection.Xml(text);
        }
        catch (XmlException e)
        {
            throw new AwsException($"{service}:{operation}", 200, "Unreadable", $"the answer is not understood: {e.Message}", e);
        }
    }

    private async Task<string> SendAsync(string service, string region, string operation, HttpMethod method, string path, IReadOnlyList<KeyValuePair<string, string>> query, byte[]? body, string contentType, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await OnceAsync(service, region, operation, method, path, query, body, contentType, cancellation);
            }
            catch (AwsException e) when (e.IsPassing && attempt < Attempts)
            {
                // 1, 2 and 4 seconds, not all callers at once: Roles Anywhere's control plane takes about one request a second.
                await Task.Delay(TimeSpan.FromSeconds(1 << (attempt - 1)) + TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(500)), time, cancellation);
            }
        }
    }

    private async Task<string> OnceAsync(string service, string region, string operation, HttpMethod method, string path, IReadOnlyList<KeyValuePair<string, string>> query, byte[]? body, string contentType, CancellationToken cancellation)
    {
        var keys = await credentials.GetAsync(cancellation);
        var (endpoint, at) = (endpoints.Of(service, region), time.GetUtcNow());
        var headers = new List<KeyValuePair<string, string>> { new("Host", endpoint.Authority), new("X-Amz-Date", AmzDate.Format(at)) };
        if (body is not null)
            headers.Add(new("Content-Type", contentType));
        if (keys.SessionToken is not null)
            headers.Add(new("X-Amz-Security-Token", keys.SessionToken));
        headers.Add(new("Authorization", Authorization(keys, AwsEndpoints.SigningRegion(service, region), service, at, method.Method, path, query, headers, body ?? [])));
        var target = query.Count == 0 ? path : $"{path}?{CanonicalRequest.Query(query)}";
        return await connection.SendAsync($"{service}:{operation}", method, new Uri(endpoint, target), headers, body, cancellation);
    }

    private static string Authorization(AwsKeys keys, string region, string service, DateTimeOffset at, string method, string path, IReadOnlyList<KeyValuePair<string, string>> query, List<KeyValuePair<string, string>> headers, byte[] body)
    {
        var canonical = CanonicalRequest.Of(method, path, query, headers, CanonicalRequest.Hash(body));
        // The SDK's signer, given the time: the one behind its own clients goes by the machine's clock alone.
        return AWS4Signer.ComputeSignature(keys.AccessKeyId, keys.SecretAccessKey, region, at.UtcDateTime, service, CanonicalRequest.SignedHeaders(headers.Select(h => h.Key)), canonical).ForAuthorizationHeader;
    }

    /// <summary>A URL that is its own signature: for whoever is to ask STS in our name.</summary>
    public static string Presign(AwsKeys keys, string region, string service, string host, IReadOnlyList<KeyValuePair<string, string>> query, IReadOnlyList<KeyValuePair<string, string>> headers, DateTimeOffset at, TimeSpan expires)
    {
        List<KeyValuePair<string, string>> signed = [new("host", host), .. headers];
        var names = CanonicalRequest.SignedHeaders(signed.Select(h => h.Key));
        List<KeyValuePair<string, string>> all =
        [
            .. query,
            new("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            new("X-Amz-Credential", $"{keys.AccessKeyId}/{CredentialScope.At(at, region, service)}"),
            new("X-Amz-Date", AmzDate.Format(at)),
            new("X-Amz-Expires", ((int)expires.TotalSeconds).ToString(CultureInfo.InvariantCulture)),
            new("X-Amz-SignedHeaders", names),
        ];
        if (keys.SessionToken is not null)
            all.Add(new("X-Amz-Security-Token", keys.SessionToken));
        var canonical = CanonicalRequest.Of("GET", "/", all, signed, CanonicalRequest.Hash([]));
        var signature = AWS4Signer.ComputeSignature(keys.AccessKeyId, keys.SecretAccessKey, region, at.UtcDateTime, service, names, canonical).Signature;
        return $"https://{host}/?{CanonicalRequest.Query(all)}&X-Amz-Signature={signature}";
    }
}
