using System.Collections.Concurrent;
using Provisioner.Clusters;
using Provisioner.Networks;
using Provisioner.Storage;

namespace Provisioner.Kubernetes;

/// <summary>Follows the clusters that hosts join or that have an endpoint, as Clusters, Profiles and Hosts come and go.</summary>
internal sealed class NodeTracking(
    CurrentState state, StateWriter writer, AddressBook addresses, TrackingOptions options, TimeProvider time, ILogger<NodeTracking> logger, IClusterAccess? access = null) : BackgroundService
{
    private readonly ConcurrentDictionary<string, ClusterWatch> watches = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim wake = new(0, 1);
    private (object, object, object) seen;

    /// <summary>Each cluster that is followed.</summary>
    public IEnumerable<ClusterWatch> Watches => watches.Values.OrderBy(w => w.Cluster.Name, StringComparer.Ordinal);

    public ClusterWatch? Find(string cluster) => watches.GetValueOrDefault(cluster);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        // Until it is heard again, what is stored is what was last known.
        if (state.Snapshot.Contacts.Values.Any(c => c.Connected))
        {
            await writer.NoteAsync(editor =>
            {
                foreach (var contact in editor.Snapshot.Contacts.Values.Where(c => c.Connected))
                    editor.Put(contact with { Connected = false, Since = editor.Now, Reason = "the appliance has just started" });
                return 0;
            }, cancellationToken);
        }
        state.Changed += OnChanged;
        await base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        state.Changed -= OnChanged;
        await base.StopAsync(cancellationToken);
        await Task.WhenAll(watches.Values.Select(w => w.DisposeAsync().AsTask()));
        watches.Clear();
    }

    public override void Dispose()
    {
        wake.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (access is null)
            return;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(access);
                await wake.WaitAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (StoreException e)
            {
                Log.TrackingFailed(logger, e);
                await Task.Delay(options.LookEvery, time, stoppingToken);
            }
        }
    }

    private async Task FollowAsync(IClusterAccess with)
    {
        var snapshot = state.Snapshot;
        var wanted = snapshot.Clusters.Values.Where(c => c.Spec.Endpoint is not null || snapshot.Hosts.Values.Any(h => snapshot.ClusterOf(h.Name)?.Name == c.Name)).ToDictionary(c => c.Name);
        foreach (var watch in Watches)
        {
            // Another endpoint, region or name is another cluster.
            if (!wanted.TryGetValue(watch.Cluster.Name, out var cluster) || cluster.Spec != watch.Cluster.Spec)
            {
                watches.TryRemove(watch.Cluster.Name, out _);
                await watch.DisposeAsync();
            }
            else
            {
                watch.LookAgain();
            }
        }
        foreach (var cluster in wanted.Values.Where(c => !watches.ContainsKey(c.Name)))
            watches[cluster.Name] = new ClusterWatch(cluster, with, state, writer, addresses, options, time, logger);
    }

    private void OnChanged(Snapshot snapshot)
    {
        var now = ((object)snapshot.Clusters, (object)snapshot.Profiles, (object)snapshot.Hosts);
        if (ReferenceEquals(now.Item1, seen.Item1) && ReferenceEquals(now.Item2, seen.Item2) && ReferenceEquals(now.Item3, seen.Item3))
            return;
        seen = now;
        if (wake.CurrentCount > 0)
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
