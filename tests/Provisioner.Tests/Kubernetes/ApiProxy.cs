using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Provisioner.Tests.Kubernetes;

/// <summary>Stands before an API server and makes trouble: throttles, cuts what is open, takes nothing.</summary>
internal sealed class ApiProxy : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly HttpClient to;
    private readonly Lock gate = new();
    private readonly List<(DateTimeOffset At, string Path)> asked = [];
    private CancellationTokenSource cut = new();

    private ApiProxy(WebApplication app, HttpClient to) => (this.app, this.to) = (app, to);

    /// <summary>So many requests more are answered 429, with <c>Retry-After: 1</c>.</summary>
    public int Throttled { get; set; }

    /// <summary>So many requests more are answered 503.</summary>
    public int Failing { get; set; }

    /// <summary>Connections are broken off at once.</summary>
    public bool Down { get; set; }

    public Uri Endpoint => new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/");

    /// <summary>What came, refused or not.</summary>
    public IReadOnlyList<(DateTimeOffset At, string Path)> Asked
    {
        get
        {
            lock (gate)
                return [.. asked];
        }
    }

    public int Lists => Asked.Count(a => a.Path.StartsWith("/api/v1/nodes?limit", StringComparison.Ordinal));

    public int Watches => Asked.Count(a => a.Path.StartsWith("/api/v1/nodes?watch", StringComparison.Ordinal));

    public static async Task<ApiProxy> StartAsync(KubeApi api)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Limits.MinResponseDataRate = null;
        });
        var policy = new System.Security.Cryptography.X509Certificates.X509ChainPolicy
        {
            TrustMode = System.Security.Cryptography.X509Certificates.X509ChainTrustMode.CustomRootTrust,
            RevocationMode = System.Security.Cryptography.X509Certificates.X509RevocationMode.NoCheck,
        };
        policy.CustomTrustStore.AddRange(api.Authorities);
        var built = builder.Build();
        var proxy = new ApiProxy(built, new HttpClient(new SocketsHttpHandler { SslOptions = new() { CertificateChainPolicy = policy } }) { BaseAddress = api.Endpoint, Timeout = Timeout.InfiniteTimeSpan });
        built.Run(proxy.PassAsync);
        await built.StartAsync();
        return proxy;
    }

    /// <summary>Breaks every connection that is open.</summary>
    public void Cut()
    {
        lock (gate)
        {
            cut.Cancel();
            cut = new CancellationTokenSource();
        }
    }

    public async ValueTask DisposeAsync()
    {
        Cut();
        await app.DisposeAsync();
        to.Dispose();
    }

    private async Task PassAsync(HttpContext context)
    {
        CancellationToken broken;
        var path = context.Request.Path + context.Request.QueryString.Value;
        lock (gate)
        {
            asked.Add((TimeProvider.System.GetUtcNow(), path));
            broken = cut.Token;
            if (Throttled > 0 || Failing > 0)
            {
                context.Response.StatusCode = Throttled > 0 ? 429 : 503;
                if (Throttled > 0)
                    context.Response.Headers.RetryAfter = "1";
                _ = Throttled > 0 ? Throttled-- : Failing--;
                return;
            }
        }
        if (Down)
        {
            context.Abort();
            return;
        }
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, broken);
        try
        {
            using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), path);
            request.Headers.TryAddWithoutValidation("Authorization", context.Request.Headers.Authorization.ToString());
            if (context.Request.ContentLength > 0)
            {
                request.Content = new StreamContent(context.Request.Body);
                request.Content.Headers.TryAddWithoutValidation("Content-Type", context.Request.ContentType);
            }
            using var response = await to.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            context.Response.StatusCode = (int)response.StatusCode;
            context.Response.ContentType = response.Content.Headers.ContentType?.ToString();
            await context.Response.StartAsync(either.Token);
            await using var stream = await response.Content.ReadAsStreamAsync(either.Token);
            var buffer = new byte[64 * 1024];
            while (await stream.ReadAsync(buffer, either.Token) is > 0 and var read)
            {
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), either.Token);
                await context.Response.Body.FlushAsync(either.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException)
        {
            context.Abort();
        }
    }
}
