using System.Collections.Concurrent;
using k8s;
using k8s.Autorest;
using Provisioner.Clusters;
using Provisioner.Hosts;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Kubernetes;

/// <summary>Carries rollouts out. What it does with a host can be done again: after a restart it goes on from the record.</summary>
internal sealed class RolloutService(CurrentState state, StateWriter writer, TimeProvider time, ILogger<RolloutService> logger, IClusterAccess? access = null) : BackgroundService
{
    /// <summary>Between two looks at hosts that are to come back; a change in the record is looked at sooner.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<(string Rollout, string Host), Task> underWay = new();
    private readonly SemaphoreSlim wake = new(0, 1);

    /// <summary>Plans a rollout and begins it.</summary>
    /// <exception cref="ChangeRefusedException">Not these hosts, not this version, not now.</exception>
    public async Task<Rollout> StartAsync(UpgradeRequest request, string? actor, CancellationToken ct)
    {
        // Without the cluster a plan would be made of what was last known.
        var cluster = request.Targets.Select(t => state.Snapshot.ClusterOf(t) ?? (state.Snapshot.Profiles.GetValueOrDefault(t)?.Spec.Cluster is { } name ? state.Snapshot.Clusters.GetValueOrDefault(name) : null)).OfType<Cluster>().FirstOrDefault();
        string? server = null;
        if (cluster is not null && access is not null)
        {
            try
            {
                using var way = new ClusterConnection(await access.GetAsync(cluster, ct), token => access.GetAsync(cluster, token));
                server = (await way.Client.Version.GetCodeAsync(ct)).GitVersion;
            }
            catch (Exception e) when (e is HttpOperationException || ClusterWatch.IsTrouble(e) && !ct.IsCancellationRequested)
            {
                throw new ChangeRefusedException(RefusalKind.Conflict, $"cluster {cluster.Name} cannot be asked now, and nothing is upgraded blindly: {(e is HttpOperationException http ? Drain.Say(http) : ClusterWatch.Say(e))}");
            }
        }
        return await writer.ChangeAsync(editor => RolloutChanges.Start(editor, request, server, actor), ct);
    }

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        state.Changed += OnChanged;
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        state.Changed -= OnChanged;
        await base.StopAsync(cancellationToken);
        await Task.WhenAll(underWay.Values);
    }

    public override void Dispose()
    {
        wake.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                foreach (var rollout in state.Snapshot.Rollouts.Values)
                    await CarryAsync(rollout, stoppingToken);
                await wake.WaitAsync(LookEvery, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (StoreException e)
            {
                Log.RolloutHeld(logger, e);
                await Task.Delay(LookEvery, time, stoppingToken);
            }
        }
    }

    private async Task CarryAsync(Rollout rollout, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        foreach (var host in rollout.Next(now))
            await ReachAsync(rollout, host.Host, RolloutStage.Draining, null, ct);
        foreach (var host in state.Snapshot.Rollouts[rollout.Id].Hosts.Where(h => h.IsUnderWay))
        {
            if (host.Stage == RolloutStage.Upgrading && !IsBack(rollout, host) && now - host.StartedAt < rollout.Timeout)
                continue;
            if (underWay.TryGetValue((rollout.Id, host.Host), out var task) && !task.IsCompleted)
                continue;
            underWay[(rollout.Id, host.Host)] = Task.Run(() => WorkAsync(rollout, host, ct), CancellationToken.None);
        }
    }

    // Ready, with the version wanted; built anew it is another Node, in place the same.
    private bool IsBack(Rollout rollout, RolloutHost host) =>
        state.Snapshot.NodeOf(host.Host) is { State: NodeState.Ready, LastKnownAt: null } node && KubernetesVersions.Matches(node.Version, rollout.Version)
        && (rollout.Method == RolloutMethod.InPlace || node.Uid != host.OldUid);

    private async Task WorkAsync(Rollout rollout, RolloutHost host, CancellationToken ct)
    {
        try
        {
            if (host.Stage == RolloutStage.Draining)
                await BeginAsync(rollout, host, ct);
            else if (IsBack(rollout, host))
                await EndAsync(rollout, host, ct);
            else
                await ReachAsync(rollout, host.Host, RolloutStage.Failed, $"it has not come back with {rollout.Version} within {Values.Format(rollout.Timeout)}", ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // It goes on from the record at the next start.
        }
        catch (StoreException e)
        {
            Log.RolloutHeld(logger, e);
        }
        catch (Exception e) when (e is DrainException or HttpOperationException or ChangeRefusedException || ClusterWatch.IsTrouble(e))
        {
            var why = e switch { HttpOperationException http => Drain.Say(http), DrainException or ChangeRefusedException => e.Message, _ => ClusterWatch.Say(e) };
            await ReachAsync(rollout, host.Host, RolloutStage.Failed, why, ct);
        }
    }

    private async Task BeginAsync(Rollout rollout, RolloutHost host, CancellationToken ct)
    {
        var cluster = state.Snapshot.Clusters.GetValueOrDefault(rollout.Cluster) ?? throw new ClusterAccessException($"there is no Cluster {rollout.Cluster} any more");
        var name = state.Snapshot.Nodes.GetValueOrDefault(host.Host)?.Name ?? host.Host;
        using var way = new ClusterConnection(await AccessAsync(cluster, ct), token => AccessAsync(cluster, token));
        var drain = new Drain(way.Client, time);
        if (rollout.Method == RolloutMethod.Reprovision)
        {
            // What would be refused after the Node is deleted is refused before.
            if (HostChanges.WhyNotInstallable(state.Snapshot, state.Snapshot.Hosts.GetValueOrDefault(host.Host) ?? throw new DrainException("the host was deleted"), out _, out _) is { Count: > 0 } whyNot)
                throw new ChangeRefusedException(RefusalKind.Conflict, whyNot);
            await writer.ChangeAsync(editor =>
            {
                if (editor.Snapshot.Nodes.GetValueOrDefault(host.Host)?.Uid == host.OldUid)
                    NodeChanges.Leaving(editor, host.Host, true);
                return 0;
            }, ct);
        }
        if (await drain.CordonAsync(name, ct))
        {
            var isSilent = state.Snapshot.Nodes.GetValueOrDefault(host.Host)?.State == NodeState.Unknown;
            await drain.EmptyAsync(name, rollout.Force, isSilent, rollout.DrainTimeout, _ => Task.CompletedTask, ct);
            if (rollout.Method == RolloutMethod.Reprovision)
                await drain.DeleteNodeAsync(name, ct);
        }
        await writer.ChangeAsync(editor =>
        {
            editor.Put(new DesiredVersion(host.Host, rollout.Version, editor.Now));
            if (rollout.Method == RolloutMethod.Reprovision)
                HostChanges.Provision(editor, host.Host, rollout.Timeout < HostChanges.LongestWindow ? rollout.Timeout : HostChanges.LongestWindow, rollout.Actor);
            RolloutChanges.Reached(editor, rollout.Id, host.Host, RolloutStage.Upgrading,
                rollout.Method == RolloutMethod.InPlace ? "it upgrades itself when it asks next" : "its Installation is open: let it boot from the network");
            return 0;
        }, ct);
    }

    private async Task EndAsync(Rollout rollout, RolloutHost host, CancellationToken ct)
    {
        if (rollout.Method == RolloutMethod.InPlace)
        {
            var cluster = state.Snapshot.Clusters.GetValueOrDefault(rollout.Cluster) ?? throw new ClusterAccessException($"there is no Cluster {rollout.Cluster} any more");
            using var way = new ClusterConnection(await AccessAsync(cluster, ct), token => AccessAsync(cluster, token));
            await new Drain(way.Client, time).UncordonAsync(state.Snapshot.Nodes.GetValueOrDefault(host.Host)?.Name ?? host.Host, ct);
        }
        await ReachAsync(rollout, host.Host, RolloutStage.Done, null, ct);
    }

    private ValueTask<ClusterAccess> AccessAsync(Cluster cluster, CancellationToken ct) =>
        access?.GetAsync(cluster, ct) ?? throw new ClusterAccessException("this appliance has no access to clusters");

    private Task<int> ReachAsync(Rollout rollout, string host, RolloutStage stage, string? message, CancellationToken ct) => writer.ChangeAsync(editor =>
    {
        RolloutChanges.Reached(editor, rollout.Id, host, stage, message);
        return 0;
    }, ct);

    private void OnChanged(Snapshot snapshot)
    {
        if (wake.CurrentCount > 0 || !snapshot.Rollouts.Values.Any(r => r.IsOpen || r.Hosts.Any(h => h.IsUnderWay)))
            return;
        try
        {
            wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // Somebody else did.
        }
    }
}

internal static partial class Log
{
    [LoggerMessage(8010, LogLevel.Error, "how far an upgrade is could not be stored; it is tried again")]
    public static partial void RolloutHeld(ILogger logger, Exception cause);
}
