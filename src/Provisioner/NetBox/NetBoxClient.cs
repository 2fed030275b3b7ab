using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Provisioner.Certificates;
using Provisioner.Certificates.Keys;
using Provisioner.Resources;

namespace Provisioner.NetBox;

/// <summary>
/// Reads devices from NetBox by its REST API (https://netboxlabs.com/docs/netbox/integrations/rest-api/). Where NetBox is and what it is asked with
/// is said by the configuration alone; whoever uses this chooses a filter and nothing else.
/// </summary>
internal sealed class NetBoxClient : IDisposable
{
    /// <summary>More is a matter for several filters.</summary>
    public const int MaximumDevices = 10_000;

    /// <summary>NetBox's own limit is 1,000 unless a site says otherwise; an address of so many <c>device_id</c> is 2,000 characters.</summary>
    private const int Page = 250, DevicesAtOnce = 100;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly NetBoxOptions? options;
    private readonly HttpClient http;

    /// <param name="options">Null: the configuration names no NetBox.</param>
    public NetBoxClient(NetBoxOptions? options)
    {
        this.options = options;
        // No redirect: the token is for one place.
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = TimeSpan.FromSeconds(10) };
        if (options?.CaFile is { } ca)
            handler.SslOptions.CertificateChainPolicy = TrustOnly.These(Read(ca));
        http = new HttpClient(handler) { Timeout = Patience, MaxResponseContentBufferSize = 32 << 20 };
    }

    /// <summary>Where it is; null when the configuration names none.</summary>
    public Uri? Url => options?.Url;

    /// <summary>The devices that match, each with its interfaces' addresses.</summary>
    /// <param name="filter">NetBox's own, as in the address of its page: <c>site=madrid&amp;role=worker&amp;status=planned</c>; empty for all.</param>
    /// <exception cref="ChangeRefusedException">The filter is not well formed, or NetBox refuses it.</exception>
    /// <exception cref="NetBoxException">It does not answer, or not as NetBox does; or the configuration names none.</exception>
    public async Task<IReadOnlyList<NetBoxDevice>> FindAsync(string filter, CancellationToken ct)
    {
        if (options is null)
            throw new NetBoxException("The configuration names no NetBox: set netbox.url and netbox.tokenFile in provisioner.yaml, and restart the service.");
        var query = Check(filter);
        var token = ReadToken();
        var devices = await ListAsync($"api/dcim/devices/?{query}", token, ct);
        var ports = new Dictionary<long, List<JsonNode>>();
        foreach (var some in devices.Select(NetBoxDevice.IdOf).Chunk(DevicesAtOnce))
        {
            foreach (var port in await ListAsync("api/dcim/interfaces/?" + string.Concat(some.Select(id => string.Create(CultureInfo.InvariantCulture, $"device_id={id}&"))), token, ct))
            {
                if (port["device"] is { } owner)
                    (ports.TryGetValue(NetBoxDevice.IdOf(owner), out var known) ? known : ports[NetBoxDevice.IdOf(owner)] = []).Add(port);
            }
        }
        return [.. devices.Select(d => NetBoxDevice.Of(d, ports.GetValueOrDefault(NetBoxDevice.IdOf(d)) ?? []))];
    }

    public void Dispose() => http.Dispose();

    /// <summary>Takes it apart and puts it together again, so that nothing but filters of devices is in it.</summary>
    internal static string Check(string filter)
    {
        var query = new StringBuilder();
        foreach (var part in filter.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var (key, value) = part.Split('=', 2) is [var k, var v] ? (k, Uri.UnescapeDataString(v.Replace('+', ' '))) : (part, "");
            if (value.Length is 0 or > 200 || value.Any(char.IsControl) || key.Length > 64 || !key.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_'))
                throw Wrong("is no filter");
            if (key is "limit" or "offset" or "format" or "fields" or "brief" or "ordering" or "start")
                throw Wrong("is said by the appliance itself");
            query.Append(key).Append('=').Append(Uri.EscapeDataString(value)).Append('&');

            ChangeRefusedException Wrong(string what) =>
                new(RefusalKind.Invalid, [new Mistake($"'{Reading.Shorten(part)}' {what}") { Path = "filter", Value = Reading.Shorten(part), Expected = "filters as NetBox names them, such as site=madrid&role=worker&status=planned" }]);
        }
        return query.ToString();
    }

    // By our own counting: the address of the next page that NetBox gives may be any.
    private async Task<List<JsonNode>> ListAsync(string address, AuthenticationHeaderValue token, CancellationToken ct)
    {
        var items = new List<JsonNode>();
        while (true)
        {
            var answer = await GetAsync(string.Create(CultureInfo.InvariantCulture, $"{address}limit={Page}&offset={items.Count}"), token, ct);
            if (answer["results"] is not JsonArray results || answer["count"] is not JsonValue value || !value.TryGetValue<long>(out var count) || results.Any(r => r?["id"] is not JsonValue id || !id.TryGetValue<long>(out _)))
                throw new NetBoxException($"What answers at {options!.Url} is no NetBox: {address.Split('?')[0]} is no list of it. Correct netbox.url.");
            if (count > (address.Contains("interfaces", StringComparison.Ordinal) ? 100 * MaximumDevices : MaximumDevices))
                throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake($"matches {count} devices") { Path = "filter", Value = $"{count}", Expected = $"one that matches at most {MaximumDevices}: filter by site, or by rack" }]);
            items.AddRange(results.Select(r => r!));
            if (results.Count == 0 || items.Count >= count)
                return items;
        }
    }

    private async Task<JsonNode> GetAsync(string address, AuthenticationHeaderValue token, CancellationToken ct)
    {
        var root = options!.Url.AbsoluteUri;
        using var request = new HttpRequestMessage(HttpMethod.Get, (root.EndsWith('/') ? root : root + "/") + address);
        request.Headers.Authorization = token;
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        try
        {
            using var response = await http.SendAsync(request, ct);
            var text = await response.Content.ReadAsStringAsync(ct);
            return (int)response.StatusCode switch
            {
                200 => JsonNode.Parse(text) ?? throw new JsonException("null"),
                400 => throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake($"NetBox does not take it: {Texts.OneLine(text, 300)}") { Path = "filter", Expected = "filters as NetBox names them, such as site=madrid&role=worker" }]),
                401 or 403 => throw new NetBoxException($"NetBox does not take the token in {options.TokenFile}, or it may not read devices and interfaces: {Texts.OneLine(text, 300)}"),
                >= 300 and < 400 => throw new NetBoxException($"{options.Url} answers that it is elsewhere, at {Texts.OneLine(response.Headers.Location?.ToString() ?? "?", 200)}: no redirect is followed. Correct netbox.url."),
                var status => throw new NetBoxException($"NetBox at {options.Url} answers {status}: {Texts.OneLine(text, 300)}"),
            };
        }
        catch (JsonException)
        {
            throw new NetBoxException($"What answers at {options.Url} is no NetBox: its answer is no JSON. Correct netbox.url.");
        }
        catch (HttpRequestException e) when (e.InnerException is AuthenticationException tls)
        {
            throw new NetBoxException($"NetBox's certificate is not trusted: {tls.Message} Name its authority by netbox.caFile.");
        }
        catch (HttpRequestException e)
        {
            throw new NetBoxException($"NetBox at {options.Url} cannot be reached: {e.GetBaseException().Message}");
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new NetBoxException($"NetBox at {options.Url} did not answer within {Patience.TotalSeconds:0} s.");
        }
    }

    /// <summary>Read each time, so that a new one is used without a restart. Tokens since NetBox 4.5 say what they are by their first letters.</summary>
    private AuthenticationHeaderValue ReadToken()
    {
        using var secret = Secret.Read(options!.TokenFile, "NetBox's token", "Put one there, or correct netbox.tokenFile.");
        var token = Encoding.UTF8.GetString(secret.Bytes).Trim();
        return token.StartsWith("nbt_", StringComparison.Ordinal) ? new("Bearer", token) : new("Token", token);
    }

    private static X509Certificate2Collection Read(string file)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new Appliance.StartRefusedException($"netbox.caFile: {file} cannot be read: {e.Message}");
        }
        return authorities.Count > 0 ? authorities : throw new Appliance.StartRefusedException($"netbox.caFile: there is no certificate in {file}.");
    }
}

/// <summary>NetBox did not answer as it was asked to, with the reason and what to do.</summary>
internal sealed class NetBoxException(string message) : Exception(message);
