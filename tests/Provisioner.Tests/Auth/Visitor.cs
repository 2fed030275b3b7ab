using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Auth;
using Provisioner.Certificates;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Auth;

/// <summary>An answer of the secure plane.</summary>
internal sealed record Answer(HttpStatusCode Status, string Text, HttpResponseMessage Response)
{
    public JsonObject Json => JsonNode.Parse(Text)!.AsObject();

    public Answer Is(int status)
    {
        Assert.True((int)Status == status, $"{(int)Status} instead of {status}: {Text}");
        return this;
    }
}

/// <summary>A browser or a program at the secure plane, which trusts the appliance's CA and nothing else. Keeps its cookies as a browser does.</summary>
internal sealed class Visitor : IDisposable
{
    private readonly RunningAppliance appliance;
    private readonly HttpClient http;

    /// <param name="from">The address it comes from, in 127.0.0.0/8.</param>
    public Visitor(RunningAppliance appliance, string? token = null, string? from = null)
    {
        this.appliance = appliance;
        var handler = new SocketsHttpHandler { CookieContainer = Cookies, AllowAutoRedirect = false };
        // The client takes the name to check from the Host field, which is what some tests forge.
        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, errors) => (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None;
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        foreach (var der in CertificateAuthority.Trusted(appliance.Snapshot))
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.Add(X509CertificateLoader.LoadCertificate(der));
        handler.ConnectCallback = async (context, cancellation) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            if (from is not null)
                socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
            await socket.ConnectAsync(IPAddress.Loopback, context.DnsEndPoint.Port, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        };
        http = new HttpClient(handler) { BaseAddress = new Uri($"https://localhost:{appliance.SecurePort}") };
        if (token is not null)
            http.DefaultRequestHeaders.Authorization = new("Bearer", token);
    }

    public CookieContainer Cookies { get; } = new();

    /// <summary>What a page of ours sends with each change.</summary>
    public string? CsrfToken { get; set; }

    public Uri Address => http.BaseAddress!;

    /// <summary>A person with that role who has signed in.</summary>
    public static async Task<Visitor> SignedInAsync(RunningAppliance appliance, string name, Role role, string? from = null)
    {
        await AddUserAsync(appliance, name, role);
        var visitor = new Visitor(appliance, from: from);
        await visitor.SignInAsync(name, PasswordOf(name));
        return visitor;
    }

    /// <summary>A program with that role.</summary>
    public static async Task<Visitor> WithTokenAsync(RunningAppliance appliance, string name, Role role)
    {
        var (status, body) = await appliance.SendAsync(HttpMethod.Post, "tokens", new StringContent($$"""{"name": "{{name}}", "role": "{{Roles.Word(role)}}"}"""));
        Assert.True(status == 201, body.ToJsonString());
        return new Visitor(appliance, body["token"]!.GetValue<string>());
    }

    public static string PasswordOf(string name) => new string([.. name.Reverse()]) + " correct horse";

    public static async Task AddUserAsync(RunningAppliance appliance, string name, Role role)
    {
        var (status, body) = await appliance.SendAsync(HttpMethod.Post, "users", new StringContent($$"""{"name": "{{name}}", "role": "{{Roles.Word(role)}}", "password": "{{PasswordOf(name)}}"}"""));
        Assert.True(status == 201, body.ToJsonString());
    }

    public async Task<Answer> TryAsync(string name, string password) => await PostAsync("/api/v1/session", new JsonObject { ["name"] = name, ["password"] = password }.ToJsonString());

    public async Task SignInAsync(string name, string password)
    {
        (await TryAsync(name, password)).Is(200);
        CsrfToken = (await GetAsync("/api/v1/session")).Is(200).Json["csrfToken"]!.GetValue<string>();
    }

    public Task<Answer> GetAsync(string path) => SendAsync(HttpMethod.Get, path);

    public Task<Answer> PostAsync(string path, string body = "{}") => SendAsync(HttpMethod.Post, path, body);

    public Task<Answer> DeleteAsync(string path) => SendAsync(HttpMethod.Delete, path);

    public async Task<Answer> SendAsync(HttpMethod method, string path, string? body = null, Action<HttpRequestMessage>? change = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        if (CsrfToken is not null && method != HttpMethod.Get)
            request.Headers.Add(CrossSite.TokenHeader, CsrfToken);
        change?.Invoke(request);
        var response = await http.SendAsync(request);
        return new Answer(response.StatusCode, await response.Content.ReadAsStringAsync(), response);
    }

    /// <summary>What was refused lately, once one matches: the journal waits a moment to store more at once.</summary>
    public async Task<IReadOnlyList<Provisioner.Events.Event>> RefusalsUntilAsync(Func<Provisioner.Events.Event, bool> wanted)
    {
        for (var i = 0; ; i++)
        {
            var found = appliance.EventLog.Find(new Provisioner.Storage.EventQuery { Limit = 10_000 }).Where(e => e is { Source: Provisioner.Events.EventSource.Access, Outcome: Provisioner.Events.EventOutcome.Refused }).ToList();
            if (found.Exists(e => wanted(e)) || i > 200)
            {
                Assert.Contains(found, e => wanted(e));
                return found;
            }
            await Task.Delay(25);
        }
    }

    public void Dispose() => http.Dispose();
}
