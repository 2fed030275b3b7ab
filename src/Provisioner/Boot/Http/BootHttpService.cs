using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Provisioner.Artifacts;
using Provisioner.Networks.Sockets;

namespace Provisioner.Boot.Http;

/// <summary>Where the boot plane listens.</summary>
public sealed record BootHttpOptions
{
    public IPAddress Address { get; init; } = IPAddress.Any;

    /// <summary>0 takes any free port.</summary>
    public int Port { get; init; } = 8080;
}

/// <summary>
/// The boot plane's own Kestrel: nothing of the API can be reached through it, and its limits are made for firmware:
/// a slow reader is waited for, since a server that boots from a slow link is still booting.
/// </summary>
internal sealed class BootHttpService(BootHttpHandler handler, BootHttpOptions options, ILoggerFactory loggers, ArtifactHandler? artifacts = null) : IHostedService, IAsyncDisposable
{
    private WebApplication? app;

    /// <summary>The port it listens on, also when any was asked for.</summary>
    public int Port { get; private set; } = options.Port;

    /// <exception cref="ListenException">The address or port cannot be listened on; says which and what to do.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers).AllowLateAddresses();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(options.Address, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.AddServerHeader = false;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Limits.MaxResponseBufferSize = 256 * 1024;
            kestrel.Limits.MaxConcurrentConnections = 4096;
        });
        app = builder.Build();
        // For the appliance itself: it is no question of a host's, and not recorded as one.
        app.Run(context => context.Request.Path == "/healthz" ? Refusal.SendAsync(context, StatusCodes.Status200OK, "ok")
            : artifacts is not null && ArtifactHandler.Owns(context) ? artifacts.AnswerAsync(context) : handler.AnswerAsync(context));
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (IOException e) when (e.InnerException is AddressInUseException or null || e.GetBaseException() is System.Net.Sockets.SocketException)
        {
            throw ListenException.ForTcp("HTTP", "http.port", $"{options.Address}:{options.Port}", options.Port, e);
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
}
