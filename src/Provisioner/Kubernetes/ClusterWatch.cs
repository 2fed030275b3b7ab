using System.Text.Json;
using Provisioner.Clusters;
using Provisioner.Networks;
using Provisioner.Storage;

namespace Provisioner.Kubernetes;

/// <summary>A pending request for a kubelet's serving certificate: until it is approved, logs and exec do not work on that node.</summary>
internal sealed record PendingRequest(string Name, string? Node, DateTimeOffset CreatedAt);

/// <summary>
/// Follows one cluster: a list, then a watch from there, and on from where it broke. What it sees is kept here; what changes of our hosts'
/// nodes goes into the record.
/// </summary>
internal sealed class ClusterWatch : IAsyncDisposable
{
    /// <summary>After so many failures in a row the version to go on from is not believed any more: behind the endpoint may be another cluster.</summary>
    private const int FailuresBeforeList = 6;

    /// <summary>A server that ends watches at once is not asked again at once.</summary>
    private static readonly TimeSpan ShortestWatch = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, NodeFacts> nodes = new(StringComparer.Ordinal);
    private readonly HashSet<string> changed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> idleSince = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim wake = new(0, 1);
    private readonly CancellationTokenSource stop = new();
    private readonly IClusterAccess access;
    private readonly CurrentState state;
    private readonly StateWriter writer;
    private readonly AddressBook addresses;
    private readonly TrackingOptions options;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Task[] loops;
    private IReadOnlyList<PendingRequest> pending = [];
    private string? requestsProblem;
    private ClusterConnection? connection;
    private bool isWhole;
    private bool allChanged;
    private bool podsKnown;
    private bool connected;
    private DateTimeOffset since;
    private DateTimeOffset heardAt;
    private string? reason;

    public ClusterWatch(Cluster cluster, IClusterAccess access, CurrentState state, StateWriter writer, AddressBook addresses, TrackingOptions options, TimeProvider time, ILogger logger)
    {
        Cluster = cluster;
        (this.access, this.state, this.writer, this.addresses, this.options, this.time, this.logger) = (access, state, writer, addresses, options, time, logger);
        since = time.GetUtcNow();
        heardAt = state.Snapshot.Contacts.GetValueOrDefault(cluster.Name)?.HeardAt ?? default;
        loops = [Task.Run(FollowAsync), Task.Run(RecordAsync), Task.Run(() => AskAsync(options.RequestsEvery, LookAtRequestsAsync)), Task.Run(() => AskAsync(options.PodsEvery, LookAtPodsAsync))];
    }

    public Cluster Cluster { get; }

    /// <summary>The nodes as they were last seen.</summary>
    public IReadOnlyList<NodeFacts> Nodes
    {
        get
        {
            lock (gate)
                return [.. nodes.Values];
        }
    }

    public IReadOnlyList<PendingRequest> Pending => Volatile.Read(ref pending);

    /// <summary>Why pending requests are not known; null when they are.</summary>
    public string? RequestsProblem => Volatile.Read(ref requestsProblem);

    public ClusterContact Contact
    {
        get
        {
            lock (gate)
                return new ClusterContact { Cluster = Cluster.Name, Connected = connected, HeardAt = heardAt == default ? null : heardAt, Since = since, Reason = connected ? null : reason };
        }
    }

    /// <summary>Since when the node is seen without work; null when it has some, or nobody has looked yet.</summary>
    public DateTimeOffset? IdleSince(string node)
    {
        lock (gate)
            return idleSince.TryGetValue(node, out var at) ? at : null;
    }

    /// <summary>Hosts have changed: who is who is asked anew.</summary>
    public void LookAgain()
    {
        lock (gate)
            allChanged = true;
        Wake();
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await Task.WhenAll(loops);
        connection?.Dispose();
        wake.Dispose();
        stop.Dispose();
    }

    private async Task FollowAsync()
    {
        var ct = stop.Token;
        var delay = new RetryDelay();
        string? version = null;
        while (!ct.IsCancellationRequested)
        {
            var started = time.GetUtcNow();
            TimeSpan? wanted = null;
            try
            {
                var api = new ClusterApi((await ConnectAsync(ct)).Http, time);
                version ??= await ListAsync(api, ct);
                await foreach (var step in api.WatchNodesAsync(version, ct))
                {
                    Heard();
                    delay.Reset();
                    Take(step);
                    if (step.ResourceVersion.Length > 0)
                        version = step.ResourceVersion;
                }
                // Ended by the server, as it does now and then: on from there.
                if (time.GetUtcNow() - started < ShortestWatch)
                    await Task.Delay(ShortestWatch, time, ct);
                continue;
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                return;
            }
            catch (ClusterRefusedException expired) when (expired.IsExpired)
            {
                // Its history was compacted: what happened meanwhile, only a list tells.
                Log.Expired(logger, Cluster.Name);
                version = null;
                if (delay.Count == 0)
                {
                    delay.Next();
                    continue;
                }
            }
            catch (ClusterRefusedException refused)
            {
                wanted = refused.RetryAfter;
                Missed(refused.Status is System.Net.HttpStatusCode.Unauthorized or System.Net.HttpStatusCode.Forbidden
                    ? $"{refused.Message}; the appliance's principal needs an access entry that may list and watch nodes" : refused.Message, delay.Count);
            }
            catch (Exception e)
            {
                // Also what nobody thought of: a cluster that is not followed any more would look like a quiet one.
                if (!IsTrouble(e))
                    Log.TrackingFailed(logger, e);
                Missed(Say(e), delay.Count);
            }
            try
            {
                await Task.Delay(delay.Next(wanted), time, ct);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            if (delay.Count >= FailuresBeforeList)
                version = null;
        }
    }

    private async Task<string> ListAsync(ClusterApi api, CancellationToken ct)
    {
        var found = new Dictionary<string, NodeFacts>(StringComparer.Ordinal);
        var version = await api.ListNodesAsync(node => found[node.Name] = node, ct);
        lock (gate)
        {
            nodes.Clear();
            foreach (var (name, node) in found)
                nodes[name] = node;
            foreach (var name in idleSince.Keys.Where(name => !found.ContainsKey(name)).ToList())
                idleSince.Remove(name);
            isWhole = allChanged = true;
        }
        Heard();
        Wake();
        return version;
    }

    private void Take(NodeStep step)
    {
        if (step.Node is not { } node)
            return;
        lock (gate)
        {
            if (step.IsDeleted)
            {
                nodes.Remove(node.Name);
                idleSince.Remove(node.Name);
            }
            else
            {
                nodes[node.Name] = node;
            }
            changed.Add(node.Name);
        }
        Wake();
    }

    private async Task RecordAsync()
    {
        var ct = stop.Token;
        var lastContact = default(DateTimeOffset);
        try
        {
            while (true)
            {
                var woken = await wake.WaitAsync(options.LookEvery, ct);
                if (woken)
                    await Task.Delay(options.Linger, time, ct);
                try
                {
                    lastContact = await WriteAsync(woken, lastContact, ct);
                }
                catch (StoreException e)
                {
                    Log.NotRecorded(logger, Cluster.Name, e);
                    lock (gate)
                        allChanged = true;
                }
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // The nodes are last known at the time of this.
        }
    }

    private async Task<DateTimeOffset> WriteAsync(bool woken, DateTimeOffset lastContact, CancellationToken ct)
    {
        var (now, snapshot, contact) = (time.GetUtcNow(), state.Snapshot, Contact);
        var (seen, gone) = Look(snapshot, everything: !woken, now);
        var stored = snapshot.Contacts.GetValueOrDefault(Cluster.Name);
        var tell = stored?.Connected != contact.Connected || (stored?.Connected == false && stored.Reason != contact.Reason) || now - lastContact >= options.ContactEvery;
        var away = !contact.Connected && now - contact.Since >= options.UnreachableFor && !snapshot.Alerts.ContainsKey(NodeChanges.UnreachableAlert(Cluster.Name));
        var late = contact.Connected ? snapshot.Nodes.Values.Where(n => n.Cluster == Cluster.Name && n is { State: NodeState.NotReady, ReadyAt: not null }
            && now - n.Since >= NodeChanges.NotReadyFor && !snapshot.Alerts.ContainsKey(NodeChanges.LostAlert(n.Host))).ToList() : [];
        if (seen.Count == 0 && gone.Count == 0 && !tell && !away && late.Count == 0)
            return lastContact;
        // A change that a power failure undoes, the next list brings again.
        await writer.NoteAsync(editor =>
        {
            // First, so that a state that comes with the contact is not shown as an old one.
            if (tell)
                NodeChanges.Contact(editor, contact);
            if (away)
                NodeChanges.Unreachable(editor, contact);
            foreach (var node in seen)
            {
                // Retire and upgrade mark a node on this lane, perhaps after it was looked at.
                var leaving = editor.Snapshot.Nodes.GetValueOrDefault(node.Host) is { } present && present.Uid == node.Uid ? present.LeavingAt : null;
                NodeChanges.Observe(editor, node with { LeavingAt = leaving });
            }
            foreach (var host in gone)
            {
                if (editor.Snapshot.Nodes.TryGetValue(host, out var before))
                    NodeChanges.Gone(editor, before);
            }
            foreach (var node in late)
            {
                if (editor.Snapshot.Hosts.TryGetValue(node.Host, out var host) && editor.Snapshot.Nodes.TryGetValue(node.Host, out var present))
                    NodeChanges.Warn(editor, host, present);
            }
            return 0;
        }, ct);
        return tell ? now : lastContact;
    }

    private (List<HostNode> Seen, List<string> Gone) Look(Snapshot snapshot, bool everything, DateTimeOffset now)
    {
        List<NodeFacts> look;
        List<string> absent;
        HashSet<string> there;
        lock (gate)
        {
            // Time passes for what is known, not for what was known.
            if (!isWhole || !connected)
                return ([], []);
            everything |= allChanged;
            look = everything ? [.. nodes.Values] : [.. changed.Select(name => nodes.GetValueOrDefault(name)).OfType<NodeFacts>()];
            absent = everything ? [] : [.. changed.Where(name => !nodes.ContainsKey(name))];
            there = everything ? [.. nodes.Keys] : [];
            allChanged = false;
            changed.Clear();
        }
        var match = new NodeMatch(snapshot, addresses);
        var seen = new List<HostNode>();
        foreach (var node in look)
        {
            if (match.HostOf(node, Cluster.Name) is not { } host)
                continue;
            var before = snapshot.Nodes.GetValueOrDefault(host);
            var next = NodeChanges.Next(before, host, node, Cluster, podsKnown ? IdleSince(node.Name) : before?.IdleSince, now);
            if (!ReferenceEquals(next, before))
                seen.Add(next);
        }
        var gone = snapshot.Nodes.Values.Where(n => n.Cluster == Cluster.Name && n.IsThere && (everything ? !there.Contains(n.Name) : absent.Contains(n.Name))).Select(n => n.Host).ToList();
        return (seen, gone);
    }

    // What a watch would be too much for.
    private async Task AskAsync(TimeSpan every, Func<ClusterApi, CancellationToken, Task> look)
    {
        var ct = stop.Token;
        try
        {
            while (true)
            {
                var there = false;
                lock (gate)
                    there = connected;
                if (there && Volatile.Read(ref connection) is { } way)
                {
                    try
                    {
                        await look(new ClusterApi(way.Http, time), ct);
                    }
                    catch (Exception e) when (!ct.IsCancellationRequested && (e is ClusterRefusedException or ObjectDisposedException || IsTrouble(e)))
                    {
                        Log.NotAnswered(logger, Cluster.Name, e is ClusterRefusedException ? e.Message : Say(e));
                    }
                }
                await Task.Delay(there ? every : TimeSpan.FromSeconds(1) < every ? TimeSpan.FromSeconds(1) : every, time, ct);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // The service stops, or the cluster is not followed any more.
        }
    }

    private async Task LookAtRequestsAsync(ClusterApi api, CancellationToken ct)
    {
        var found = new List<PendingRequest>();
        try
        {
            await api.ListSigningRequestsAsync(request =>
            {
                if (request is { Spec.SignerName: "kubernetes.io/kubelet-serving", Status: null or { Certificate: null or "", Conditions: null or { Count: 0 } } })
                {
                    found.Add(new(request.Metadata.Name ?? "", request.Spec.Username is { } user && user.StartsWith("system:node:", StringComparison.Ordinal) ? user["system:node:".Length..] : null,
                        request.Metadata.CreationTimestamp ?? default));
                }
            }, ct);
        }
        catch (ClusterRefusedException refused)
        {
            Volatile.Write(ref requestsProblem, refused.Message);
            throw;
        }
        Volatile.Write(ref requestsProblem, null);
        Volatile.Write(ref pending, found);
    }

    private async Task LookAtPodsAsync(ClusterApi api, CancellationToken ct)
    {
        var busy = new HashSet<string>(StringComparer.Ordinal);
        await api.ListPodsAsync(pod =>
        {
            if (pod is { Spec.NodeName: { Length: > 0 } node, Status.Phase: not ("Succeeded" or "Failed") } && !IsPartOfTheNode(pod))
                busy.Add(node);
        }, ct);
        var (now, snapshot) = (time.GetUtcNow(), state.Snapshot);
        lock (gate)
        {
            foreach (var name in nodes.Keys)
            {
                if (busy.Contains(name))
                    idleSince.Remove(name);
                else if (!idleSince.ContainsKey(name))
                    idleSince[name] = snapshot.Nodes.Values.FirstOrDefault(n => n.Cluster == Cluster.Name && n.Name == name)?.IdleSince ?? now;
            }
            podsKnown = allChanged = true;
        }
        Wake();
    }

    // A DaemonSet's pod is on every node; a static pod's mirror belongs to the Node itself.
    private static bool IsPartOfTheNode(ApiPod pod) => pod.Metadata.OwnerReferences?.Exists(o => o.Controller == true && o.Kind is "DaemonSet" or "Node") == true;

    private async Task<ClusterConnection> ConnectAsync(CancellationToken ct)
    {
        var given = await access.GetAsync(Cluster, ct);
        if (connection is { } present && present.IsFor(given))
            return present;
        var next = new ClusterConnection(given, token => access.GetAsync(Cluster, token));
        Interlocked.Exchange(ref connection, next)?.Dispose();
        return next;
    }

    private void Heard()
    {
        lock (gate)
        {
            heardAt = time.GetUtcNow();
            if (connected)
                return;
            (connected, since, reason) = (true, heardAt, null);
        }
        Log.Followed(logger, Cluster.Name);
        Wake();
    }

    // One broken watch is an everyday thing; that the next try fails as well is not.
    private void Missed(string why, int failures)
    {
        lock (gate)
        {
            if (connected && failures == 0)
                return;
            if (connected || reason is null)
                Log.Missed(logger, Cluster.Name, why);
            if (connected)
                since = time.GetUtcNow();
            (connected, reason) = (false, Resources.Texts.OneLine(why, 400));
        }
        Wake();
    }

    private void Wake()
    {
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

    internal static bool IsTrouble(Exception e) =>
        e is ClusterAccessException or HttpRequestException or IOException or JsonException or OperationCanceledException or System.Net.Sockets.SocketException;

    internal static string Say(Exception e) => e switch
    {
        ClusterAccessException => e.Message,
        OperationCanceledException => "it did not answer in time",
        JsonException => "its answer is not what a Kubernetes API server answers",
        _ => $"{e.GetBaseException().Message.TrimEnd('.')}",
    };
}

internal static partial class Log
{
    [LoggerMessage(8001, LogLevel.Information, "cluster {Cluster} is followed")]
    public static partial void Followed(ILogger logger, string cluster);

    [LoggerMessage(8002, LogLevel.Warning, "cluster {Cluster} cannot be reached: {Reason}")]
    public static partial void Missed(ILogger logger, string cluster, string reason);

    [LoggerMessage(8003, LogLevel.Information, "cluster {Cluster} keeps no history from where its watch broke: its nodes are listed anew")]
    public static partial void Expired(ILogger logger, string cluster);

    [LoggerMessage(8004, LogLevel.Warning, "what cluster {Cluster} shows could not be stored; it is tried again")]
    public static partial void NotRecorded(ILogger logger, string cluster, Exception cause);

    [LoggerMessage(8005, LogLevel.Debug, "cluster {Cluster} did not answer: {Reason}")]
    public static partial void NotAnswered(ILogger logger, string cluster, string reason);

    [LoggerMessage(8006, LogLevel.Error, "clusters are not followed as they should be")]
    public static partial void TrackingFailed(ILogger logger, Exception cause);
}
