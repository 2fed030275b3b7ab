using Provisioner.Storage;

namespace Provisioner.Appliance;

/// <summary>Removes what is over: events by age (their number is bounded with each one that is added), logs of installers by age and size.</summary>
internal sealed class Retention(ApplianceOptions options, IStore store, StateWriter writer, TimeProvider time, ILogger<Retention> logger) : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    /// <summary>So many at once: changes wait while they are removed.</summary>
    private const int AtOnce = 2_000;

    /// <summary>Removes all that is over now.</summary>
    /// <returns>How many events, and how many logs.</returns>
    public async Task<(int Events, int Logs)> RunAsync(CancellationToken ct)
    {
        var (now, events) = (time.GetUtcNow(), 0);
        int removed;
        do
        {
            removed = await writer.BetweenChangesAsync(() => store.ForgetEvents(now - options.Events.KeepFor, AtOnce), ct);
            events += removed;
        }
        while (removed == AtOnce);
        var logs = 0;
        var directory = Path.Combine(Path.GetFullPath(options.DataDirectory), "logs");
        if (Directory.Exists(directory))
        {
            foreach (var over in Over([.. new DirectoryInfo(directory).EnumerateFiles("*.log")], options.Logs, now).ToList())
            {
                over.Delete();
                logs++;
            }
        }
        return (events, logs);
    }

    /// <summary>Those that are too old, and the oldest of what is too much.</summary>
    internal static IEnumerable<FileInfo> Over(IReadOnlyList<FileInfo> files, LogSettings settings, DateTimeOffset now)
    {
        var kept = 0L;
        foreach (var file in files.OrderByDescending(f => f.LastWriteTimeUtc))
        {
            kept += file.Length;
            if (now.UtcDateTime - file.LastWriteTimeUtc > settings.KeepFor || kept > settings.MaximumSize * 1024L * 1024)
                yield return file;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                await RunAsync(stoppingToken);
            }
            catch (Exception e) when (e is StoreException or IOException or UnauthorizedAccessException)
            {
                RetentionLog.Failed(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}

internal static partial class RetentionLog
{
    [LoggerMessage(1101, LogLevel.Warning, "what is over could not be removed: {Reason}")]
    public static partial void Failed(ILogger logger, string reason);
}
