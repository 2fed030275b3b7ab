using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;

namespace Provisioner.Appliance.Systemd;

/// <summary>
/// Tells systemd how the service is (sd_notify(3)): what it does in <c>systemctl status</c>, and <c>WATCHDOG=1</c> only while <see cref="Health"/>
/// finds nothing wrong. When it does for longer than the unit's WatchdogSec, systemd starts the service again.
/// </summary>
internal sealed partial class Watchdog(ISystemdNotifier notifier, Health health, ApplianceStatus status, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<Watchdog> logger) : BackgroundService
{
    private static readonly TimeSpan WithoutWatchdog = TimeSpan.FromSeconds(30);

    /// <summary>While something is wrong, systemd is to hear at once when it no longer is.</summary>
    private static readonly TimeSpan Hurry = TimeSpan.FromSeconds(1);

    /// <summary>How often systemd wants to hear (WATCHDOG_USEC, sd_watchdog_enabled(3)); null when it does not.</summary>
    public TimeSpan? Interval { get; init; } = FromEnvironment();

    /// <summary>One look, told.</summary>
    /// <returns>Whether all is well.</returns>
    public async Task<bool> LookAsync(CancellationToken cancellation)
    {
        var problems = await health.ProblemsAsync(cancellation);
        if (problems.Count > 0)
        {
            var said = string.Join("; ", problems);
            LogUnhealthy(logger, said);
            notifier.Notify(new ServiceState($"STATUS=Not well: {said}"));
            return false;
        }
        notifier.Notify(new ServiceState($"STATUS={status.InOneLine()}"));
        if (Interval is not null)
            notifier.Notify(new ServiceState("WATCHDOG=1"));
        return true;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = lifetime.ApplicationStarted.Register(() => started.TrySetResult());
        await started.Task.WaitAsync(stoppingToken);
        while (true)
        {
            // sd_watchdog_enabled(3): half of it.
            var pause = await LookAsync(stoppingToken) ? Interval / 2 ?? WithoutWatchdog : Hurry;
            await Task.Delay(pause, time, stoppingToken);
        }
    }

    private static TimeSpan? FromEnvironment() =>
        Environment.GetEnvironmentVariable("WATCHDOG_PID") is { Length: > 0 } pid && pid != Environment.ProcessId.ToString(CultureInfo.InvariantCulture) ? null
        : long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), CultureInfo.InvariantCulture, out var microseconds) && microseconds > 0
            ? TimeSpan.FromMicroseconds(microseconds) : null;

    [LoggerMessage(1121, LogLevel.Error, "The service is not well: {Problems}")]
    private static partial void LogUnhealthy(ILogger logger, string problems);
}
