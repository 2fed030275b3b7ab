using System.Net;
using System.Net.Sockets;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Progress;
using Provisioner.Protocols;
using Provisioner.Storage;

namespace Provisioner.Joining;

/// <summary>What the appliance itself looks at.</summary>
public sealed record JoinOptions
{
    /// <summary>Where kubelet listens, on every node of EKS.</summary>
    public int KubeletPort { get; init; } = 10250;
}

/// <summary>
/// The watch over hosts that join: who goes quiet in the middle of it, and whether kubelet of those that are done is reached. It looks from here,
/// which is not where the cluster looks from, but where nothing answers to us, a firewall of the host's own is the likely cause.
/// </summary>
internal sealed class JoinWatch(CurrentState state, StateWriter writer, InstallerLog log, JoinOptions options, TimeProvider time, ILogger<JoinWatch> logger) : BackgroundService
{
    public const string KubeletCode = "kubelet-port";

    private const int AtOnce = 16;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan ConnectWithin = TimeSpan.FromSeconds(5);

    /// <summary>One that was not reached is tried again after so long, for a day: somebody may open the port.</summary>
    private static readonly TimeSpan Again = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

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

    /// <summary>One look at all of them.</summary>
    internal async Task LookAsync(CancellationToken ct)
    {
        var (snapshot, now) = (state.Snapshot, time.GetUtcNow());
        var quiet = snapshot.Joins.Values
            .Where(join => join.JoinedAt is null && !snapshot.Alerts.ContainsKey(JoinChanges.StalledAlert(join.Host)) && StandingOf(join, snapshot, now) is { State: HostState.Stalled })
            .Select(join => join.Host).ToList();
        if (quiet.Count > 0)
        {
            await writer.NoteAsync(editor =>
            {
                foreach (var host in quiet)
                {
                    if (editor.Snapshot.Joins.GetValueOrDefault(host) is { } join && StandingOf(join, editor.Snapshot, editor.Now) is { State: HostState.Stalled } standing)
                        TellQuiet(editor, host, standing);
                }
                return 0;
            }, ct);
        }
        var due = snapshot.Joins.Values.Where(join => IsProbeDue(join, snapshot, now)).ToList();
        await Parallel.ForEachAsync(due, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = ct }, async (join, cancellation) =>
        {
            var finding = await ProbeAsync(join.Host, join.NodeIp!.Value, cancellation);
            await writer.NoteAsync(editor =>
            {
                if (editor.Snapshot.Hosts.ContainsKey(join.Host))
                    JoinChanges.Probed(editor, join.Host, finding);
                return 0;
            }, cancellation);
        });
    }

    private static HostStanding? StandingOf(HostJoin join, Snapshot snapshot, DateTimeOffset now) =>
        snapshot.Hosts.GetValueOrDefault(join.Host) is { } host
            ? HostStanding.Of(host, snapshot.Installations.GetValueOrDefault(join.Host), null, snapshot.GoodCertificateOf(join.Host, now)?.IssuedAt, now, join) : null;

    private static bool IsProbeDue(HostJoin join, Snapshot snapshot, DateTimeOffset now)
    {
        if (join is not { JoinedAt: { } joined, NodeIp: not null } || now - joined > Longest || snapshot.Hosts.GetValueOrDefault(join.Host) is not { RetiredAt: null })
            return false;
        var last = snapshot.Findings.GetValueOrDefault(join.Host)?.Findings.LastOrDefault(f => f.Code == KubeletCode && f.ProbedAt >= joined);
        return last is null || last.Verdict == Verdict.Fail && now - last.ProbedAt >= Again;
    }

    private async Task<Finding> ProbeAsync(string host, Ipv4Address address, CancellationToken cancellation)
    {
        var port = options.KubeletPort;
        using var limit = new CancellationTokenSource(ConnectWithin, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        string why;
        try
        {
            await socket.ConnectAsync(new IPEndPoint(address.ToIPAddress(), port), both.Token);
            return new Finding(KubeletCode, Verdict.Pass, $"kubelet of {host} is reached at {address}:{port} from the appliance.", "", "");
        }
        catch (SocketException e)
        {
            why = e.SocketErrorCode == SocketError.ConnectionRefused ? "the connection is refused: kubelet does not run, or a firewall rejects it" : e.Message;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            why = $"nothing answers within {ConnectWithin.TotalSeconds:0} s: a firewall drops it, or there is no route back";
        }
        return new Finding(KubeletCode, Verdict.Fail, $"From the appliance, {address}:{port} is not reached: {why}.",
            "Without it there are no logs, no exec, no port-forward and no metrics of its pods; the node may become Ready all the same.",
            $"Open tcp {port} towards {address} from the VPC's subnets and from the appliance, on the host and on the way.");
    }

    private void TellQuiet(StateEditor editor, string host, HostStanding standing)
    {
        var last = log.LastLine(host);
        editor.Raise(new Alert
        {
            Id = JoinChanges.StalledAlert(host),
            Severity = AlertSeverity.Warning,
            Host = host,
            Message = $"{host} is quiet on its way into its cluster, in stage {standing.Stage}: {standing.Reason}.{(last is null ? "" : $" Its last line: {last}")}",
            Remedy = $"'provisioner log {host}' has its last lines; on the host, 'journalctl -u provisioner-join' and 'nodeadm debug' say more.",
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
}

internal static partial class Log
{
    [LoggerMessage(7101, LogLevel.Error, "What was seen of hosts that join could not be stored; it is tried again")]
    public static partial void NotRecorded(ILogger logger, Exception cause);
}
