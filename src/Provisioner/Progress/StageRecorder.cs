using System.Collections.Concurrent;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Storage;

namespace Provisioner.Progress;

/// <summary>
/// The way from what hosts send to the record: reports at once, "it was heard of" at most every few seconds, and, once a stage has been
/// silent for longer than it may, an alert with the last line and the likely cause.
/// </summary>
internal sealed class StageRecorder(CurrentState state, StateWriter writer, InstallerLog log, EventLog events, TimeProvider time, ILogger<StageRecorder> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<string, DateTimeOffset> heard = new(StringComparer.Ordinal);

    /// <summary>Stores a report of the host's Installation.</summary>
    /// <returns>The Installation after it; null when it was replaced or cancelled in the meantime.</returns>
    /// <exception cref="StoreException">It is not stored.</exception>
    public async Task<Installation?> ReportAsync(string installation, StageReport report, CancellationToken ct)
    {
        Installation? Change(StateEditor editor) => editor.Snapshot.FindInstallation(installation) is { } found ? InstallationProgress.Report(editor, found, report) : null;
        // Hundreds of details, and nobody misses the last of them after a power failure.
        var after = report.Inner ? await writer.NoteAsync(Change, ct) : await writer.ChangeAsync(Change, ct);
        if (after is null)
            return null;
        if (!report.Inner && (report.State == StageState.Failed || after.InstalledAt is not null))
            KeepLog(after.Host);
        return after;
    }

    /// <summary>Something came from the host. Cheap: stored with the next look.</summary>
    public void Heard(string host) => heard[host] = time.GetUtcNow();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await LookAsync(stoppingToken);
            }
            catch (StoreException e)
            {
                Log.NotRecorded(logger, e);
            }
        }
    }

    /// <summary>Stores what was heard, and tells of those that went quiet.</summary>
    internal async Task LookAsync(CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var seen = heard.Keys.ToDictionary(host => host, host => heard.TryRemove(host, out var at) ? at : default, StringComparer.Ordinal);
        var quiet = Quiet(now, seen);
        if (seen.Count == 0 && quiet.Count == 0)
            return;
        await writer.NoteAsync(editor =>
        {
            foreach (var (host, at) in seen)
            {
                if (editor.Snapshot.Installations.GetValueOrDefault(host) is { } installation && installation.BuildsAt(editor.Now) && at > (installation.HeardAt ?? default))
                    InstallationProgress.Heard(editor, installation);
            }
            foreach (var (host, standing) in quiet)
                TellQuiet(editor, host, standing);
            return 0;
        }, ct);
        foreach (var (host, _) in quiet)
            KeepLog(host);
    }

    private List<(string Host, HostStanding Standing)> Quiet(DateTimeOffset now, Dictionary<string, DateTimeOffset> seen)
    {
        var snapshot = state.Snapshot;
        var quiet = new List<(string, HostStanding)>();
        foreach (var installation in snapshot.Installations.Values.Where(i => i.BuildsAt(now)))
        {
            if (seen.ContainsKey(installation.Host) || snapshot.Alerts.ContainsKey(InstallationProgress.StalledAlert(installation.Host)) || snapshot.Hosts.GetValueOrDefault(installation.Host) is not { } host)
                continue;
            if (HostStanding.Of(host, installation, events.LastAnswered(host), enrolledAt: null, now) is { State: HostState.Stalled } standing)
                quiet.Add((host.Name, standing));
        }
        return quiet;
    }

    private void TellQuiet(StateEditor editor, string host, HostStanding standing)
    {
        var last = log.LastLine(host);
        var message = $"{host} is quiet in stage {standing.Stage}: {standing.Reason}.{(last is null ? "" : $" Its last line: {last}")}";
        editor.Raise(new Alert
        {
            Id = InstallationProgress.StalledAlert(host),
            Severity = AlertSeverity.Warning,
            Host = host,
            Message = message,
            Remedy = $"'provisioner log {host}' has its last lines; look at its console. 'provisioner provision {host}' begins anew.",
        });
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Service,
            Outcome = EventOutcome.Failed,
            Host = host,
            What = $"Stalled in stage {standing.Stage}",
            Reason = $"{standing.Reason}{(last is null ? "" : $"; its last line: {last}")}",
        });
    }

    private void KeepLog(string host)
    {
        try
        {
            log.Keep(host);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.LogNotKept(logger, host, e);
        }
    }
}

internal static partial class Log
{
    [LoggerMessage(7001, LogLevel.Error, "What was heard of hosts could not be stored; it is tried again")]
    public static partial void NotRecorded(ILogger logger, Exception cause);

    [LoggerMessage(7002, LogLevel.Warning, "The installer's log of {Host} could not be written")]
    public static partial void LogNotKept(ILogger logger, string host, Exception cause);
}
