using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;

namespace Provisioner.Tests.Join;

/// <summary>One request as the appliance saw it.</summary>
internal sealed record Asked(string Method, string Path, string Body, X509Certificate2? Client);

/// <summary>
/// The appliance's side of EST on loopback, as strict as the real one has to be: it verifies the request's signature and its names, the
/// token, and client certificates down to the authority. Each test bends it where it wants to see the host cope.
/// </summary>
internal sealed class ApplianceDouble : IAsyncDisposable
{
    public const string Installation = "inst-7";
    public const string Token = "Zk3.x_9~Q+/=-secret";

    private readonly WebApplication app;
    private readonly ConcurrentDictionary<string, byte[]> issuedByRequest = new(StringComparer.Ordinal);
    private X509Certificate2 serverCertificate;

    private ApplianceDouble(WebApplication app, Authority authority)
    {
        this.app = app;
        Authority = authority;
        Served = [authority.Certificate];
        serverCertificate = authority.IssueServer();
    }

    /// <summary>What signs hosts.</summary>
    public Authority Authority { get; set; }

    /// <summary>What cacerts answers.</summary>
    public IReadOnlyList<X509Certificate2> Served { get; set; }

    public string Address { get; private set; } = "";

    public ConcurrentQueue<Asked> Asked { get; } = new();

    public ConcurrentQueue<JsonNode> Reports { get; } = new();

    /// <summary>Takes the place of the answer to the next requests of a path, one after the other.</summary>
    public ConcurrentDictionary<string, ConcurrentQueue<RequestDelegate>> Instead { get; } = new(StringComparer.Ordinal);

    /// <summary>Takes the place of every answer of a path, after <see cref="Instead"/>.</summary>
    public ConcurrentDictionary<string, RequestDelegate> Always { get; } = new(StringComparer.Ordinal);

    /// <summary>The certificates that come back for a public key.</summary>
    public Func<PublicKey, IEnumerable<X509Certificate2>>? Issue { get; set; }

    public string Renewal { get; set; } = "renew=later\n";

    /// <summary>Client certificates that are not taken though they are good.</summary>
    public ConcurrentDictionary<string, bool> Refused { get; } = new(StringComparer.Ordinal);

    public int Enrolments => Asked.Count(a => a.Path == Paths.Enrol);

    public int Renewals => Asked.Count(a => a.Path == Paths.Reenrol);

    public static async Task<ApplianceDouble> StartAsync(Authority authority)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        ApplianceDouble? appliance = null;
        // CreateSlimBuilder leaves HTTPS out of the configuration file alone; code may still use it.
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(https =>
        {
            https.ServerCertificateSelector = (_, _) => appliance!.serverCertificate;
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.ClientCertificateValidation = (_, _, _) => true;
        })));
        var server = builder.Build();
        appliance = new ApplianceDouble(server, authority);
        server.Run(appliance.AnswerAsync);
        await server.StartAsync();
        appliance.Address = server.Urls.Single();
        return appliance;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    public void Present(Authority authority) => serverCertificate = authority.IssueServer();

    public void Next(string path, params RequestDelegate[] answers)
    {
        foreach (var answer in answers)
            Instead.GetOrAdd(path, _ => new()).Enqueue(answer);
    }

    public static RequestDelegate Answer(int status, string text, string? retryAfter = null) => context =>
    {
        context.Response.StatusCode = status;
        if (retryAfter is not null)
            context.Response.Headers.RetryAfter = retryAfter;
        return context.Response.WriteAsync(text);
    };

    public static Task Cut(HttpContext context)
    {
        context.Abort();
        return Task.CompletedTask;
    }

    /// <summary>Issues as ever, and the answer is lost on its way.</summary>
    public async Task IssueAndCutAsync(HttpContext context)
    {
        IssueFor(await BodyAsync(context));
        context.Abort();
    }

    public static Task<string> BodyAsync(HttpContext context) => Task.FromResult((string)context.Items["body"]!);

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        context.Items["body"] = body;
        var client = await context.Connection.GetClientCertificateAsync();
        Asked.Enqueue(new Asked(context.Request.Method, path, body, client));
        if (Instead.TryGetValue(path, out var queue) && queue.TryDequeue(out var instead) || Always.TryGetValue(path, out instead))
        {
            await instead(context);
            return;
        }
        switch (context.Request.Method, path)
        {
            case ("GET", Paths.Authorities):
                await AnswerCertificatesAsync(context, Served);
                break;
            case ("POST", Paths.Enrol):
                var expected = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Installation}:{Token}"));
                if (context.Request.Headers.Authorization != expected)
                    await Answer(401, "The token is not known.\n")(context);
                else
                    await AnswerRequestAsync(context, body);
                break;
            case ("POST", Paths.Reenrol) when await IsHostAsync(context, client):
                await AnswerRequestAsync(context, body);
                break;
            case ("GET", Paths.Renewal) when await IsHostAsync(context, client):
                await context.Response.WriteAsync(Renewal);
                break;
            case ("POST", Paths.Report) when await IsHostAsync(context, client):
                Assert.Equal("application/json", context.Request.ContentType);
                Reports.Enqueue(JsonNode.Parse(body)!);
                context.Response.StatusCode = 204;
                break;
            default:
                if (!context.Response.HasStarted && context.Response.StatusCode == 200)
                    context.Response.StatusCode = 404;
                break;
        }
    }

    private async Task<bool> IsHostAsync(HttpContext context, X509Certificate2? client)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.AddRange(Served.ToArray());
        if (client is not null && !Refused.ContainsKey(client.Thumbprint) && chain.Build(client))
            return true;
        await Answer(403, "This certificate is not taken.")(context);
        return false;
    }

    private async Task AnswerRequestAsync(HttpContext context, string body)
    {
        if (context.Request.ContentType != "application/pkcs10")
        {
            await Answer(415, $"{context.Request.ContentType} is not application/pkcs10.")(context);
            return;
        }
        byte[] answer;
        try
        {
            answer = IssueFor(body);
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            await Answer(400, e.Message)(context);
            return;
        }
        await AnswerCertificatesAsync(context, answer);
    }

    private byte[] IssueFor(string body) => issuedByRequest.GetOrAdd(body, _ =>
    {
        // Verifies the signature: that the host has the key.
        var request = CertificateRequest.LoadSigningRequest(Convert.FromBase64String(body), HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);
        if (request.SubjectName.Name != $"CN={JoinFixture.HostName}"
            || request.CertificateExtensions.OfType<X509SubjectAlternativeNameExtension>().SingleOrDefault()?.EnumerateDnsNames().SingleOrDefault() != JoinFixture.HostName)
            throw new CryptographicException($"The request is for {request.SubjectName.Name}.");
        return Pkcs7(Issue?.Invoke(request.PublicKey) ?? [Authority.IssueHost(request.PublicKey)]);
    });

    private static byte[] Pkcs7(IEnumerable<X509Certificate2> certificates) =>
        new X509Certificate2Collection(certificates.ToArray()).Export(X509ContentType.Pkcs7)!;

    private static Task AnswerCertificatesAsync(HttpContext context, IEnumerable<X509Certificate2> certificates) => AnswerCertificatesAsync(context, Pkcs7(certificates));

    private static Task AnswerCertificatesAsync(HttpContext context, byte[] pkcs7)
    {
        context.Response.ContentType = "application/pkcs7-mime; smime-type=certs-only";
        return context.Response.WriteAsync(Convert.ToBase64String(pkcs7));
    }

    internal static class Paths
    {
        public const string Enrol = "/.well-known/est/simpleenroll";
        public const string Reenrol = "/.well-known/est/simplereenroll";
        public const string Authorities = "/.well-known/est/cacerts";
        public const string Renewal = "/api/v1/self/renewal";
        public const string Report = "/api/v1/self/report";
    }
}
