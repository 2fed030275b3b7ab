using System.Runtime.CompilerServices;
using System.Threading.Channels;
using k8s.Autorest;
using Provisioner.Certificates;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Kubernetes;

/// <summary>Where a managed instance of Systems Manager is deregistered: AWS outside of tests.</summary>
internal interface INodeDeregistration
{
    /// <summary>Takes the host's registrations back: it gets no more credentials. Again, it finds nothing to do.</summary>
    /// <returns>What was deregistered, as in <c>mi-0123456789abcdef0</c>.</returns>
    /// <exception cref="ClusterAccessException">AWS does not do it now; says why and what to do.</exception>
    Task<IReadOnlyList<string>> DeregisterAsync(string host, Cluster cluster, CancellationToken cancellation);
}

internal enum StepState
{
    /// <summary>Something to tell of a step under way.</summary>
    Doing,

    Done,

    /// <summary>There was nothing to do.</summary>
    Skipped,

    /// <summary>Not done, and left to a person or to the next time.</summary>
    Left,

    /// <summary>It failed, and what comes after it was not begun.</summary>
    Failed,
}

/// <summary>One step of taking a host out of service, as it is told.</summary>
internal sealed record RetireStep(string Name, StepState State, string Message);

/// <param name="Force">Pods without a controller are deleted, and a cluster that cannot be reached does not stop it.</param>
/// <param name="Timeout">For emptying the node.</param>
internal sealed record RetireRequest(RevocationReason Reason, bool Force, TimeSpan Timeout, string? Actor);

/// <summary>
/// Takes a host out of service: out of its cluster, then its certificate, its lease and its activation. Each step can be repeated, so a
/// retirement that stopped is begun again by the same command.
/// </summary>
internal sealed class Retirement(
    CurrentState state, StateWriter writer, RevocationLists lists, LeaseTable leases, TimeProvider time, IClusterAccess? access = null, INodeDeregistration? deregistration = null)
{
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromMinutes(10);

    /// <summary>Tells each step as it is reached; the last is failed when it did not come to its end.</summary>
    public async IAsyncEnumerable<RetireStep> RunAsync(string host, RetireRequest request, [EnumeratorCancellation] CancellationToken ct)
    {
        var steps = Channel.CreateUnbounded<RetireStep>(new UnboundedChannelOptions { SingleReader = true });
        var work = Task.Run(async () =>
        {
            try
            {
                await RunAsync(host, request, steps.Writer, ct);
            }
            catch (Exception e) when (e is StoreException or ChangeRefusedException)
            {
                steps.Writer.TryWrite(new("store", StepState.Failed, e.Message));
            }
            finally
            {
                steps.Writer.Complete();
            }
        }, CancellationToken.None);
        await foreach (var step in steps.Reader.ReadAllAsync(ct))
            yield return step;
        await work;
    }

    private async Task RunAsync(string host, RetireRequest request, ChannelWriter<RetireStep> steps, CancellationToken ct)
    {
        // Stolen, it must not get another session while its pods are moved: AWS looks at the revocation list first.
        var stolen = request.Reason is RevocationReason.KeyCompromise;
        if (stolen)
            await RevokeAsync(host, request, steps, ct);
        var outcome = await LeaveClusterAsync(host, request, steps, ct);
        if (outcome == StepState.Failed)
            return;
        if (!stolen)
            await RevokeAsync(host, request, steps, ct);
        await ForgetLeaseAsync(host, request, steps, ct);
        await DeregisterAsync(host, request, steps, ct);
    }

    private async Task<StepState> LeaveClusterAsync(string host, RetireRequest request, ChannelWriter<RetireStep> steps, CancellationToken ct)
    {
        var snapshot = state.Snapshot;
        var node = snapshot.Nodes.GetValueOrDefault(host);
        var cluster = node is not null ? snapshot.Clusters.GetValueOrDefault(node.Cluster) : snapshot.ClusterOf(host);
        // A host of no cluster has only a certificate to lose; where clusters cannot be spoken to at all, none was ever followed.
        if (cluster is null || access is null)
            return StepState.Skipped;
        var name = node?.Name ?? host;
        var step = "cordon";
        try
        {
            using var way = new ClusterConnection(await access.GetAsync(cluster, ct), token => access.GetAsync(cluster, token));
            var drain = new Drain(way.Client, time);
            await MarkLeavingAsync(host, true);
            if (!await drain.CordonAsync(name, ct))
            {
                await TellAsync(host, request, steps, new(step, StepState.Skipped, $"there is no Node {name} in cluster {cluster.Name}"));
                return StepState.Skipped;
            }
            await TellAsync(host, request, steps, new(step, StepState.Done, $"Node {name} of cluster {cluster.Name} takes no new pods"));
            step = "drain";
            var found = await drain.FindAsync(name, ct);
            var isSilent = found?.Status?.Conditions?.FirstOrDefault(c => c.Type == "Ready") is not { Status: "True" or "False" };
            await drain.EmptyAsync(name, request.Force, isSilent, request.Timeout, said => TellAsync(host, request, steps, new(step, StepState.Doing, said)), ct);
            await TellAsync(host, request, steps, new(step, StepState.Done, isSilent ? "its pods are given away; its kubelet does not report, so that they ended is not known" : "its pods are gone"));
            step = "delete-node";
            var deleted = await drain.DeleteNodeAsync(name, ct);
            await TellAsync(host, request, steps, new(step, deleted ? StepState.Done : StepState.Skipped, deleted ? $"Node {name} deleted: charging ends here" : "it was gone already"));
            return StepState.Done;
        }
        catch (DrainException e)
        {
            await MarkLeavingAsync(host, false);
            await TellAsync(host, request, steps, new(step, StepState.Failed, $"{e.Message}. The node stays cordoned; 'kubectl uncordon {name}' gives it back"));
            return StepState.Failed;
        }
        catch (HttpOperationException e)
        {
            return await AwayAsync(host, request, steps, step, Drain.Say(e), name);
        }
        catch (Exception e) when (ClusterWatch.IsTrouble(e) && !ct.IsCancellationRequested)
        {
            return await AwayAsync(host, request, steps, step, ClusterWatch.Say(e), name);
        }
    }

    private async Task<StepState> AwayAsync(string host, RetireRequest request, ChannelWriter<RetireStep> steps, string step, string why, string node)
    {
        if (request.Force)
        {
            await TellAsync(host, request, steps, new(step, StepState.Left,
                $"the cluster cannot be asked: {why}. Left to do: 'kubectl drain {node} --ignore-daemonsets --delete-emptydir-data' and 'kubectl delete node {node}', or retire it again later; it is charged for until then"));
            return StepState.Left;
        }
        await MarkLeavingAsync(host, false);
        await TellAsync(host, request, steps, new(step, StepState.Failed,
            $"the cluster cannot be asked: {why}. Nothing else was done; with --force the certificate is revoked now and the Node is left"));
        return StepState.Failed;
    }

    private Task<int> MarkLeavingAsync(string host, bool isLeaving) => writer.ChangeAsync(editor =>
    {
        NodeChanges.Leaving(editor, host, isLeaving);
        return 0;
    });

    private async Task RevokeAsync(string host, RetireRequest request, ChannelWriter<RetireStep> steps, CancellationToken ct)
    {
        var before = state.Snapshot.Hosts.GetValueOrDefault(host)?.RetiredAt;
        var retired = await writer.ChangeAsync(editor => CertificateChanges.Retire(editor, host, request.Reason, request.Actor), ct);
        await lists.RefreshAsync(force: false, CancellationToken.None);
        var revoked = state.Snapshot.CertificatesOf(host).Count(c => c.RevokedAt == retired.RetiredAt);
        // Its own events are written with the change.
        await steps.WriteAsync(new("revoke", before is null ? StepState.Done : StepState.Skipped, before is not null ? $"it was retired at {before:u}"
            : revoked == 0 ? "it had no good certificate" : $"{revoked} of its certificates revoked, and in the revocation list"), ct);
    }

    private async Task ForgetLeaseAsync(string host, RetireRequest request, ChannelWriter<RetireStep> steps, CancellationToken ct)
    {
        if (!state.Snapshot.Hosts.TryGetValue(host, out var known))
            return;
        var forgotten = 0;
        foreach (var lease in leases.Active(time.GetUtcNow()).Where(l => !l.Declined && known.Spec.MacAddresses.Contains(l.MacAddress)))
        {
            if (leases.Release(lease.MacAddress, lease.Address, time.GetUtcNow()))
                forgotten++;
        }
        if (forgotten > 0)
            await TellAsync(host, request, steps, new("lease", StepState.Done, $"{forgotten} {(forgotten == 1 ? "address is" : "addresses are")} free again"));
    }

    private async Task DeregisterAsync(string host, RetireRequest request, ChannelWriter<RetireStep> steps, CancellationToken ct)
    {
        if (state.Snapshot.Nodes.GetValueOrDefault(host) is not { } node || !node.Name.StartsWith("mi-", StringComparison.Ordinal) || state.Snapshot.Clusters.GetValueOrDefault(node.Cluster) is not { } cluster)
            return;
        var byHand = $"aws ssm deregister-managed-instance --instance-id {node.Name} --region {cluster.Spec.Region}";
        if (deregistration is null)
        {
            await TellAsync(host, request, steps, new("deregister", StepState.Left, $"this appliance may not do that here: '{byHand}'"));
            return;
        }
        try
        {
            var gone = await deregistration.DeregisterAsync(host, cluster, ct);
            await TellAsync(host, request, steps, gone.Count == 0
                ? new("deregister", StepState.Skipped, "Systems Manager knows no managed instance of it")
                : new("deregister", StepState.Done, $"{string.Join(", ", gone)} is no managed instance of Systems Manager any more"));
        }
        catch (ClusterAccessException e)
        {
            await TellAsync(host, request, steps, new("deregister", StepState.Left, $"{e.Message}. Left to do: '{byHand}'"));
        }
    }

    private async Task TellAsync(string host, RetireRequest request, ChannelWriter<RetireStep> steps, RetireStep step)
    {
        await writer.ChangeAsync(editor =>
        {
            editor.Record(new Event
            {
                At = editor.Now,
                Source = EventSource.Api,
                Outcome = step.State is StepState.Failed or StepState.Left ? EventOutcome.Failed : EventOutcome.Changed,
                Host = host,
                What = $"Retiring: {step.Name}{(step.State == StepState.Doing ? "" : $" {Api.Json.Word(step.State)}")}",
                Reason = Texts.OneLine(step.Message, 1_000)!,
                Actor = request.Actor,
                Subject = $"Host/{host}",
            });
            return 0;
        });
        await steps.WriteAsync(step);
    }
}
