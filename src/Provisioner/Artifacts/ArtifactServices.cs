namespace Provisioner.Artifacts;

internal static class ArtifactServices
{
    /// <summary>The artifact cache and what it answers on the boot plane. Needs CurrentState, AddressBook, BootJournal and TimeProvider.</summary>
    public static IServiceCollection AddArtifacts(this IServiceCollection services, ArtifactOptions options, string dataDirectory) =>
        services
            .AddSingleton(options)
            .AddSingleton(new ArtifactLimits())
            .AddSingleton(provider => new ArtifactStore(Path.Combine(Path.GetFullPath(dataDirectory), "artifacts"), provider.GetRequiredService<TimeProvider>()))
            .AddSingleton<UpstreamClient>()
            .AddSingleton<ArtifactCache>()
            .AddSingleton<ArtifactCatalogue>()
            .AddSingleton<ArtifactHandler>()
            .AddSingleton<ArtifactWarming>()
            .AddHostedService<ArtifactKeeper>();
}

/// <summary>At the start, before anybody is answered, learns what is there; then keeps the cache's limits.</summary>
internal sealed class ArtifactKeeper(ArtifactCache cache, ArtifactLimits limits, TimeProvider time, ILogger<ArtifactKeeper> logger) : BackgroundService
{
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        var dropped = cache.Store.Load();
        if (dropped > 0)
            Log.Dropped(logger, dropped);
        return base.StartAsync(cancellationToken);
    }

    public override Task StopAsync(CancellationToken cancellationToken)
    {
        cache.Stop();
        return base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(limits.SweepEvery, time);
        try
        {
            do
            {
                try
                {
                    cache.Sweep();
                }
                catch (IOException e)
                {
                    // The next round may find the disk well again.
                    Log.NotSwept(logger, e);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The service stops.
        }
    }
}

internal static partial class Log
{
    [LoggerMessage(3501, LogLevel.Warning, "{Count} artifacts are not on disk as they were and are fetched anew when they are asked for")]
    public static partial void Dropped(ILogger logger, int count);

    [LoggerMessage(3502, LogLevel.Warning, "The artifact cache could not be swept")]
    public static partial void NotSwept(ILogger logger, Exception exception);
}
