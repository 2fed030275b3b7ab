using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Provisioner.Tests.Join;

namespace Provisioner.Tests.Joining;

/// <summary>What a host said of one of its stages.</summary>
internal sealed record Stage(string Name, string State, string Message);

/// <summary>
/// The appliance's side of joining on loopback: what it says to a host with its certificate, and what it takes; and its artifacts, without TLS.
/// </summary>
internal sealed class JoiningAppliance : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly X509Certificate2 serverCertificate;
    private readonly string hostThumbprint;
    private int away;

    private JoiningAppliance(WebApplication app, Authority authority, X509Certificate2 host)
    {
        this.app = app;
        serverCertificate = authority.IssueServer();
        hostThumbprint = host.Thumbprint;
    }

    public string Address { get; private set; } = "";

    /// <summary>The answer's lines. Tests change them.</summary>
    public ConcurrentDictionary<string, string> Says { get; } = new(StringComparer.Ordinal);

    public string NodeConfig { get; set; } = "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\n";

    public ConcurrentDictionary<string, string> Artifacts { get; } = new(StringComparer.Ordinal);

    /// <summary>Paths in the order they were asked for.</summary>
    public ConcurrentQueue<string> Asked { get; } = new();

    public ConcurrentQueue<Stage> Stages { get; } = new();

    public ConcurrentQueue<string> Findings { get; } = new();

    public ConcurrentQueue<string> Logs { get; } = new();

    /// <summary>Takes the place of the answer to a path as long as it is there.</summary>
    public ConcurrentDictionary<string, RequestDelegate> Instead { get; } = new(StringComparer.Ordinal);

    /// <summary>Sees each request before it is answered.</summary>
    public Action<string>? Watch { get; set; }

    /// <summary>How many of the next requests break off without an answer.</summary>
    public int Away
    {
        get => Volatile.Read(ref away);
        set => Volatile.Write(ref away, value);
    }

    public static async Task<JoiningAppliance> StartAsync(Authority authority, X509Certificate2 host)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        JoiningAppliance? appliance = null;
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(https =>
            {
                https.ServerCertificateSelector = (_, _) => appliance!.serverCertificate;
                https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                https.ClientCertificateValidation = (_, _, _) => true;
            }));
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        var server = builder.Build();
        appliance = new JoiningAppliance(server, authority, host);
        server.Run(appliance.AnswerAsync);
        await server.StartAsync();
        appliance.Address = server.Urls.Single(url => url.StartsWith("https:", StringComparison.Ordinal));
        foreach (var (key, value) in new Dictionary<string, string>
        {
            ["state"] = "ready",
            ["reason"] = "",
            ["cluster"] = "prod",
            ["region"] = "eu-west-1",
            ["kubernetes"] = "1.34",
            ["provider"] = "iam-ra",
            ["artifacts"] = server.Urls.Single(url => url.StartsWith("http:", StringComparison.Ordinal)) + "/artifacts",
            ["nodeadm"] = "nodeadm/amd64/nodeadm",
            ["manifest"] = "manifest.yaml",
            ["desired"] = "",
            ["of-a-later-version"] = "ignored = yes",
        })
            appliance.Says[key] = value;
        return appliance;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    public int TimesAsked(string path) => Asked.Count(asked => asked == path);

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        Watch?.Invoke(path);
        if (Interlocked.Decrement(ref away) >= 0)
        {
            context.Abort();
            return;
        }
        Interlocked.Exchange(ref away, 0);
        Asked.Enqueue(path);
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        var body = await reader.ReadToEndAsync();
        if (Instead.TryGetValue(path, out var instead))
        {
            await instead(context);
            return;
        }
        if (path.StartsWith("/artifacts/", StringComparison.Ordinal) && !context.Request.IsHttps)
        {
            if (Artifacts.TryGetValue(path["/artifacts/".Length..], out var text))
                await context.Response.WriteAsync(text);
            else
                context.Response.StatusCode = 404;
            return;
        }
        if ((await context.Connection.GetClientCertificateAsync())?.Thumbprint != hostThumbprint)
        {
            context.Response.StatusCode = 401;
            await context.Response.WriteAsync("This certificate is not known.");
            return;
        }
        switch (context.Request.Method, path, context.Request.ContentType)
        {
            case ("GET", "/api/v1/self/join", _):
                await context.Response.WriteAsync(string.Concat(Says.Select(line => $"{line.Key}={line.Value}\n")));
                return;
            case ("GET", "/api/v1/self/nodeconfig", _):
                await context.Response.WriteAsync(NodeConfig);
                return;
            case ("POST", "/api/v1/self/stage", "application/json"):
                var stage = JsonNode.Parse(body)!;
                Stages.Enqueue(new Stage((string)stage["stage"]!, (string)stage["state"]!, (string)stage["message"]!));
                break;
            case ("POST", "/api/v1/self/preflight", "text/plain"):
                Findings.Enqueue(body);
                break;
            case ("POST", "/api/v1/self/log", "text/plain"):
                Logs.Enqueue(body);
                break;
            default:
                context.Response.StatusCode = 404;
                return;
        }
        context.Response.StatusCode = 204;
    }
}
