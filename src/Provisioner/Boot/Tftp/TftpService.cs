using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Provisioner.Boot.Tftp;

/// <summary>Runs the TFTP server with the process. A port it cannot have ends the start; a socket that breaks ends the process.</summary>
internal sealed class TftpService(TftpServer server) : BackgroundService
{
    /// <inheritdoc/>
    /// <exception cref="Networks.Sockets.ListenException">It cannot listen.</exception>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        server.Start();
        return base.StartAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => server.Completion.WaitAsync(stoppingToken);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        server.Dispose();
        await base.StopAsync(cancellationToken);
    }
}

/// <summary>Adds TFTP to the services.</summary>
public static class TftpServiceCollectionExtensions
{
    /// <summary>
    /// Adds the TFTP plane. Needs <see cref="IBootCatalogue"/>, <see cref="Storage.CurrentState"/>, <see cref="Networks.AddressBook"/>,
    /// <see cref="Events.BootJournal"/> and <see cref="TimeProvider"/>.
    /// </summary>
    public static IServiceCollection AddTftp(this IServiceCollection services, TftpOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddSingleton<TftpServer>();
        services.AddHostedService<TftpService>();
        return services;
    }
}
