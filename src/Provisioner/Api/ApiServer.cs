using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Provisioner.Appliance;

namespace Provisioner.Api;

/// <summary>The API's Kestrel. It listens on a unix socket and nowhere else: whoever may open that file may use the API.</summary>
internal static class ApiServer
{
    private const UnixFileMode OwnerAndGroup = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    public static void AddApi(this WebApplicationBuilder builder, string socketPath)
    {
        builder.Services.AddRouting().AddSingleton<KeptAnswers>().AddSingleton<Idempotency>().AddSingleton<DryRuns>();
        builder.Services.AddHostedService(_ => new SocketGuard(socketPath));
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.ListenUnixSocket(socketPath, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.AddServerHeader = false;
            kestrel.Limits.MinResponseDataRate = null; // A followed event stream is silent for as long as nothing happens.
        });
    }

    public static void UseApi(this WebApplication app)
    {
        app.Use(Problems.AnswerAsync);
        app.Use(Problems.NameStatusAsync);
        app.UseRouting();
        app.Use((context, next) => context.RequestServices.GetRequiredService<Idempotency>().InvokeAsync(context, next));
        app.MapApi(isLocal: true);
        app.Lifetime.ApplicationStarted.Register(() => File.SetUnixFileMode(app.Services.GetRequiredService<ApplianceOptions>().SocketPath, OwnerAndGroup));
    }

    /// <summary>
    /// Just before Kestrel binds: a socket file that a killed service left is removed, one that somebody answers on is not.
    /// By then this process holds the data directory's lock.
    /// </summary>
    private sealed class SocketGuard(string path) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            if (!File.Exists(path))
                return;
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            }
            catch (SocketException refused) when (refused.SocketErrorCode is SocketError.ConnectionRefused)
            {
                File.Delete(path);
                return;
            }
            catch (SocketException unclear)
            {
                throw new StartRefusedException($"There is a file where the socket is to be, '{path}', and it cannot be asked whether a service uses it: {unclear.Message}. Remove it, or set 'socket' in the configuration to another path.");
            }
            throw new StartRefusedException($"Another program answers on the socket '{path}'. Stop it, or set 'socket' in the configuration to another path.");
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
