using Provisioner.Appliance;
using Provisioner.Events;
using Provisioner.Joining;
using Provisioner.Storage;

namespace Provisioner.Doctor;

/// <summary>Raises an alert while the disk fills up: when it is full, none can be stored any more.</summary>
internal sealed class DiskWatch(ApplianceOptions options, CurrentState state, StateWriter writer, TimeProvider time, ILogger<DiskWatch> logger) : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private const string AlertPrefix = "disk:";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            var bad = DiskChecks.Of(Path.GetFullPath(options.DataDirectory)).Where(f => f.Verdict is Verdict.Fail or Verdict.Warn).ToDictionary(f => AlertPrefix + f.Code, StringComparer.Ordinal);
            var raised = state.Snapshot.Alerts.Values.Where(a => a.Id.StartsWith(AlertPrefix, StringComparison.Ordinal)).ToDictionary(a => a.Id, StringComparer.Ordinal);
            if (bad.Any(b => !raised.TryGetValue(b.Key, out var alert) || alert.Severity != SeverityOf(b.Value)) || raised.Keys.Any(id => !bad.ContainsKey(id)))
                await TellAsync(bad, raised.Keys, stoppingToken);
        }
    }

    private async Task TellAsync(Dictionary<string, Finding> bad, IEnumerable<string> raised, CancellationToken ct)
    {
        try
        {
            await writer.ChangeAsync(editor =>
            {
                foreach (var id in raised.Where(id => !bad.ContainsKey(id)).ToList())
                    editor.Lower(id);
                foreach (var (id, finding) in bad.Where(b => !editor.Snapshot.Alerts.TryGetValue(b.Key, out var alert) || alert.Severity != SeverityOf(b.Value)))
                    editor.Raise(new Alert { Id = id, Severity = SeverityOf(finding), Message = $"{finding.Found} {finding.Breaks}", Remedy = finding.Ask });
                return 0;
            }, ct);
        }
        catch (StoreException e)
        {
            DiskLog.NotStored(logger, string.Join(' ', bad.Values.Select(f => f.Found)), e.Message);
        }
    }

    private static AlertSeverity SeverityOf(Finding finding) => finding.Verdict == Verdict.Fail ? AlertSeverity.Critical : AlertSeverity.Warning;
}

internal static partial class DiskLog
{
    [LoggerMessage(8101, LogLevel.Error, "{Found} (and no alert can be stored: {Reason})")]
    public static partial void NotStored(ILogger logger, string found, string reason);
}
