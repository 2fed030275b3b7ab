using System.Net.Security;
using System.Security.Authentication;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Provisioner.Api;
using Provisioner.Api.Description;
using Provisioner.Appliance;
using Provisioner.Auth;
using Provisioner.Auth.Oidc;
using Provisioner.Joining;
using Provisioner.Metrics;
using Provisioner.Networks.Sockets;
using Provisioner.Web;

namespace Provisioner.Certificates.Est;

/// <summary>
/// The secure plane's own Kestrel: HTTPS, with a client certificate where there is one. Any is let through the handshake, which proves that
/// the client holds its key; each endpoint looks it up in the record, so that a refusal has a reason and not just an alert of TLS.
/// </summary>
internal sealed class SecureServer(SecureOptions options, ServerIdentity identity, ApplianceOptions appliance, IServiceProvider services, ApplianceServices registered, ILoggerFactory loggers) : IHostedService, IAsyncDisposable
{
    private WebApplication? app;

    /// <summary>The port it listens on, also when any was asked for.</summary>
    public int Port { get; private set; } = options.Port;

    /// <summary>What it answers to; for the check that each has its rule.</summary>
    internal IEnumerable<Endpoint> Endpoints => app?.Services.GetRequiredService<EndpointDataSource>().Endpoints ?? [];

    /// <exception cref="ListenException">The address or port cannot be listened on; says which and what to do.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers).AddRouting();
        // One service, two servers: what the endpoints use is the appliance's.
        registered.Share(services, builder.Services);
        builder.Services.AddPeoplePlane(appliance);
        builder.Services.AddConsole();
        builder.Services.AddPrometheus();
        builder.Services.AllowLateAddresses();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(options.Address.ToIPAddress(), options.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.UseHttps(new TlsHandshakeCallbackOptions
                {
                    HandshakeTimeout = TimeSpan.FromSeconds(10),
                    OnConnection = _ => ValueTask.FromResult(Handshake()),
                });
            });
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 64 * 1024;
            kestrel.Limits.MaxConcurrentConnections = 4096;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        });
        app = builder.Build();
        app.UsePeoplePlane();
        var ruled = app.MapGroup("");
        AccessRules.Enforce(ruled);
        EstEndpoints.Map(ruled);
        SelfEndpoints.Map(ruled);
        JoinEndpoints.Map(ruled);
        ruled.MapGet("/healthz", () => "ok\n");
        ruled.MapApi(isLocal: false);
        ruled.MapOpenApi();
        ruled.MapApiReference();
        ruled.MapConsole();
        ruled.MapOidc();
        ruled.MapMetrics();
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (IOException e) when (e.InnerException is AddressInUseException or null || e.GetBaseException() is System.Net.Sockets.SocketException)
        {
            throw ListenException.ForTcp("HTTPS", "secure.port", $"{options.Address}:{options.Port}", options.Port, e);
        }
        Port = new Uri(app.Urls.First()).Port;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (app is not null)
            await app.StopAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (app is not null)
            await app.DisposeAsync();
    }

    private SslServerAuthenticationOptions Handshake() => new()
    {
        ServerCertificateContext = identity.Context ?? throw new AuthenticationException("there is no certificate yet: the authority waits for the clock to be synchronised"),
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        ClientCertificateRequired = true,
        // Without one as well: a host that enrols has none yet. What it is worth is said by the record, where it has to stand octet by octet.
#pragma warning disable CA5359 // It is about servers that a client trusts blindly; this is a server, and the client is checked by PresentedCertificate.
        RemoteCertificateValidationCallback = static (_, _, _, _) => true,
#pragma warning restore CA5359
        CertificateRevocationCheckMode = System.Security.Cryptography.X509Certificates.X509RevocationMode.NoCheck,
        ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
    };
}
