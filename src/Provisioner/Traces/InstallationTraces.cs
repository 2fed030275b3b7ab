using System.Diagnostics;
using Provisioner.Fleet;
using Provisioner.Hosts;
using Provisioner.Kubernetes;
using Provisioner.Progress;
using Provisioner.Storage;
using EventLog = Provisioner.Events.EventLog;

namespace Provisioner.Traces;

/// <summary>
/// One trace for each Installation, whose id is the trace's, with a span for each stage from power-on to Ready. Told when it is over: what a stage took
/// is known then, and a trace that begins again after a restart of this service would be two.
/// </summary>
internal sealed class InstallationTraces(FleetView fleet, EventLog events, TimeProvider time) : IHostedService, IDisposable
{
    public const string SourceName = "provisioner";

    private readonly ActivitySource source = new(SourceName);
    private readonly HashSet<string> underWay = new(StringComparer.Ordinal);
    private readonly Lock gate = new();

    public Task StartAsync(CancellationToken cancellationToken)
    {
        fleet.Changed += Look;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        fleet.Changed -= Look;
        return Task.CompletedTask;
    }

    public void Dispose() => source.Dispose();

    private void Look()
    {
        lock (gate)
        {
            var (snapshot, now) = (fleet.Snapshot, time.GetUtcNow());
            foreach (var installation in snapshot.Installations.Values.Where(i => !i.EnrolOnly))
            {
                // What was over before it was seen under way was told before, or nobody listened.
                if (EndOf(installation, snapshot, now) is not { } end)
                    underWay.Add(installation.Id);
                else if (underWay.Remove(installation.Id))
                    Tell(installation, end.At, end.IsReady, snapshot);
            }
            underWay.RemoveWhere(id => !snapshot.HostByInstallation.ContainsKey(id));
        }
    }

    /// <summary>When it was over and how; null while it is not.</summary>
    internal static (DateTimeOffset At, bool IsReady)? EndOf(Installation installation, Snapshot snapshot, DateTimeOffset now)
    {
        if (snapshot.NodeOf(installation.Host) is { State: NodeState.Ready, ReadyAt: { } ready } && ready >= installation.OpenedAt)
            return (ready, true);
        if (installation.ClosedAt is { } closed && installation.ClosedBecause is not (Installation.Installed or Installation.Enrolled))
            return (closed, false);
        return now >= installation.ClosesAt ? (installation.ClosesAt, false) : null;
    }

    private void Tell(Installation installation, DateTimeOffset end, bool isReady, Snapshot snapshot)
    {
        var trace = ActivityTraceId.CreateFromString(installation.Id);
        using var root = source.StartActivity("installation", ActivityKind.Internal, new ActivityContext(trace, default, ActivityTraceFlags.Recorded), startTime: installation.OpenedAt);
        if (root is null)
            return;
        root.SetTag("host", installation.Host).SetTag("profile", installation.Profile).SetTag("image", installation.Image);
        var lastAnswered = snapshot.Hosts.TryGetValue(installation.Host, out var host) ? events.LastAnswered(host) : null;
        foreach (var step in Timeline.Of(installation.Host, snapshot, lastAnswered, end).Where(s => s.At >= installation.OpenedAt && s.At <= end && s.Name != "opened"))
        {
            using var span = source.StartActivity(step.Name, ActivityKind.Internal, root.Context, startTime: step.At);
            if (span is null)
                continue;
            if (step.State == StageState.Failed)
                span.SetStatus(ActivityStatusCode.Error, step.Message);
            else if (step.Message is { } message)
                span.SetTag("message", message);
            span.SetEndTime((step.At + (step.Took ?? TimeSpan.Zero)).UtcDateTime);
        }
        root.SetStatus(isReady ? ActivityStatusCode.Ok : ActivityStatusCode.Error, isReady ? null : installation.ClosedBecause ?? "its window ended");
        root.SetEndTime(end.UtcDateTime);
    }
}
