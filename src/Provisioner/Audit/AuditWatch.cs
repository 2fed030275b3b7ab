using Provisioner.Events;
using Provisioner.Storage;

namespace Provisioner.Audit;

/// <summary>Checks the trail at each start. A trail that was tampered with stops nothing from being built: it is told to everybody who looks.</summary>
internal sealed class AuditWatch(AuditLog log, StateWriter writer, CurrentState state, ILogger<AuditWatch> logger) : BackgroundService
{
    public const string AlertId = "audit";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Off the start's way: a trail of years takes seconds.
        await Task.Yield();
        var found = log.Verify();
        if (found.Wrong is null && !state.Snapshot.Alerts.ContainsKey(AlertId))
            return;
        if (found.Wrong is not null)
            Log.Broken(logger, found.Wrong);
        try
        {
            await writer.ChangeAsync(editor =>
            {
                if (found.Wrong is null)
                {
                    editor.Lower(AlertId);
                    return 0;
                }
                editor.Raise(new Alert
                {
                    Id = AlertId,
                    Severity = AlertSeverity.Critical,
                    Message = $"The audit trail is not as it was written: {found.Wrong}",
                    Remedy = "Find out who can write the data directory. Compare with a copy: 'provisioner audit verify FILE' checks one.",
                });
                return 0;
            }, stoppingToken);
        }
        catch (StoreException e)
        {
            Log.AlertNotStored(logger, e.Message);
        }
    }
}

internal static partial class Log
{
    [LoggerMessage(16001, LogLevel.Error, "The audit trail is not as it was written: {Wrong}")]
    public static partial void Broken(ILogger logger, string wrong);

    [LoggerMessage(16002, LogLevel.Error, "The alert about the audit trail could not be stored: {Reason}")]
    public static partial void AlertNotStored(ILogger logger, string reason);
}
