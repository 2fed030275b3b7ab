using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Kubernetes;

/// <summary>Which host a node is.</summary>
internal sealed class NodeMatch
{
    private readonly Snapshot snapshot;
    private readonly AddressBook addresses;
    private readonly Dictionary<Ipv4Address, string> hostByAddress = [];

    public NodeMatch(Snapshot snapshot, AddressBook addresses)
    {
        this.snapshot = snapshot;
        this.addresses = addresses;
        foreach (var host in snapshot.Hosts.Values)
        {
            if (host.Spec.Address is { } fixedAddress)
                hostByAddress[fixedAddress] = host.Name;
            if (host.Spec.Install?.Network?.Address is { } production)
                hostByAddress[production] = host.Name;
        }
    }

    /// <summary>
    /// The host's name, or null when nobody here knows the node. By its name; a managed instance of Systems Manager, which is named by AWS, by
    /// its address. A host that is to be in another cluster is not this one's.
    /// </summary>
    public string? HostOf(NodeFacts node, string cluster)
    {
        var name = snapshot.Hosts.ContainsKey(node.Name) ? node.Name
            : !node.IsManagedInstance || node.Address is not { } address ? null
            : hostByAddress.GetValueOrDefault(address) ?? (addresses.Find(address) is { } mac ? snapshot.FindHost(mac)?.Name : null);
        return name is not null && (snapshot.ClusterOf(name) is not { } wanted || wanted.Name == cluster) ? name : null;
    }
}

/// <summary>What a look at a cluster's nodes changes in the record. Pure but for the editor.</summary>
internal static class NodeChanges
{
    /// <summary>A node that says it is not ready for so long is told of.</summary>
    public static readonly TimeSpan NotReadyFor = TimeSpan.FromMinutes(5);

    public static string LostAlert(string host) => $"node:{host}";

    public static string RetiredAlert(string host) => $"retired-node:{host}";

    public static string UnreachableAlert(string cluster) => $"cluster:{cluster}";

    /// <summary>The record as this look makes it; the one there is when nothing worth writing has changed.</summary>
    public static HostNode Next(HostNode? before, string host, NodeFacts node, Cluster cluster, DateTimeOffset? idleSince, DateTimeOffset now)
    {
        var standing = NodeStanding.Of(node, now);
        var isSame = before is not null && before.Uid == node.Uid && before.Cluster == cluster.Name;
        // The condition says itself since when; what was missed while the cluster could not be reached shows in that.
        DateTimeOffset? said = node.Ready?.ChangedAt is { } changed && changed <= now && changed >= node.CreatedAt ? changed : null;
        var newer = said is { } at && (!isSame || at > before!.Since) ? said : null;
        var since = newer ?? (isSame && before!.State == standing.State ? before.Since : now);
        var next = new HostNode
        {
            Host = host,
            Cluster = cluster.Name,
            Name = node.Name,
            Uid = node.Uid,
            State = standing.State,
            Cause = standing.Cause,
            Reason = standing.Reason,
            Since = since,
            LastSeenAt = now,
            ReadyAt = standing.State == NodeState.Ready ? isSame && before!.State == NodeState.Ready ? before.ReadyAt ?? now : now : isSame ? before!.ReadyAt : null,
            LeavingAt = isSame ? before!.LeavingAt : null,
            Version = node.KubeletVersion,
            Address = node.Address,
            ProviderId = node.ProviderId,
            CredentialProvider = node.CredentialProvider,
            Cpus = node.Cpus,
            MemoryMiB = node.MemoryMiB,
            Software = node.Software,
            Conditions = node.Conditions,
            Unschedulable = node.Unschedulable,
            Problem = NodeStanding.WrongProviderId(node, cluster),
            IdleSince = idleSince,
        };
        // Reason is a text that may carry a time or a count; its change alone is not worth a write.
        return before is not null && next with { LastSeenAt = before.LastSeenAt, Reason = before.Reason, LastKnownAt = before.LastKnownAt } == before ? before : next;
    }

    /// <summary>Writes it, says what happened, raises and lowers the host's alert.</summary>
    public static void Observe(StateEditor editor, HostNode node)
    {
        if (!editor.Snapshot.Hosts.TryGetValue(node.Host, out var host))
            return;
        var before = editor.Snapshot.Nodes.GetValueOrDefault(node.Host);
        editor.Put(node);
        var isNew = before is null || before.Uid != node.Uid || !before.IsThere;
        if (isNew || before!.State != node.State)
            Record(editor, node, $"Node {node.Name} of cluster {node.Cluster}: {(isNew && node.State != NodeState.Ready ? "registered, " : "")}{Words(node.State)}", node.Reason ?? $"kubelet {node.Version ?? "of unknown version"}, {node.Address?.ToString() ?? "no address"}");
        else if (before.Version != node.Version)
            Record(editor, node, $"Node {node.Name} runs kubelet {node.Version}", $"it ran {before.Version ?? "another"} before");
        if (node.Problem is { } problem && before?.Problem != problem)
            Record(editor, node, $"Node {node.Name} is not as nodeadm makes them", problem);
        Warn(editor, host, node);
    }

    /// <summary>The node is in the cluster no more.</summary>
    public static void Gone(StateEditor editor, HostNode before)
    {
        if (!before.IsThere || !editor.Snapshot.Hosts.TryGetValue(before.Host, out var host))
            return;
        var wanted = before.LeavingAt is not null || host.RetiredAt is not null || before.ReadyAt is null;
        var node = before with
        {
            State = wanted ? NodeState.Deleted : NodeState.Lost,
            Cause = "Deleted",
            Reason = wanted ? "its Node was deleted" : "its Node was deleted from the cluster, and not from here",
            Since = editor.Now,
            LastSeenAt = editor.Now,
            IdleSince = null,
        };
        editor.Put(node);
        Record(editor, node, $"Node {node.Name} of cluster {node.Cluster}: {Words(node.State)}", node.Reason!);
        Warn(editor, host, node);
    }

    /// <summary>What time alone does: a node that stays NotReady.</summary>
    public static void Warn(StateEditor editor, Host host, HostNode node)
    {
        if (host.RetiredAt is { } retired && node.IsThere)
        {
            RaiseOnce(editor, new Alert
            {
                Id = RetiredAlert(host.Name),
                Severity = AlertSeverity.Warning,
                Host = host.Name,
                Message = $"{host.Name} was retired on {retired:u}, and its node {node.Name} is in cluster {node.Cluster}, which is charged for.",
                Remedy = $"Its kubelet runs still: switch the host off, then 'kubectl delete node {node.Name}'.",
            });
            return;
        }
        editor.Lower(RetiredAlert(host.Name));
        var isBuilding = editor.Snapshot.Installations.GetValueOrDefault(host.Name)?.BuildsAt(editor.Now) == true;
        if (host.RetiredAt is not null || isBuilding || node.ReadyAt is null || node.LeavingAt is not null || node.State is NodeState.Ready or NodeState.Joined or NodeState.WaitingForCni or NodeState.Deleted)
        {
            editor.Lower(LostAlert(host.Name));
            return;
        }
        if (node.State == NodeState.NotReady && editor.Now - node.Since < NotReadyFor)
            return;
        RaiseOnce(editor, new Alert
        {
            Id = LostAlert(host.Name),
            Severity = node.State == NodeState.NotReady ? AlertSeverity.Warning : AlertSeverity.Critical,
            Host = host.Name,
            Message = $"{host.Name} was Ready in cluster {node.Cluster} and is {(node.State == NodeState.NotReady ? "NotReady" : "lost")} since {node.Since:u}: {node.Reason ?? "no reason was given"}.",
            Remedy = node.State switch
            {
                NodeState.Lost => "If its kubelet runs, restart it and it registers again: 'systemctl restart kubelet'. 'provisioner retire' if it is to stay away.",
                NodeState.NotReady => "On the host: 'journalctl -u kubelet' and 'nodeadm debug -c file:///etc/eks/nodeconfig.yaml'.",
                _ => "Is the host on, and does it reach the cluster's endpoint? 'journalctl -u kubelet' on it.",
            },
        });
    }

    /// <summary>It is about to be taken out on purpose; or that came to nothing, and it is looked after as before.</summary>
    public static void Leaving(StateEditor editor, string host, bool isLeaving)
    {
        if (editor.Snapshot.Nodes.TryGetValue(host, out var node) && node.IsThere && node.LeavingAt is null == isLeaving)
            editor.Put(node with { LeavingAt = isLeaving ? editor.Now : null });
    }

    /// <summary>Keeps how the cluster is reached.</summary>
    public static void Contact(StateEditor editor, ClusterContact contact)
    {
        if (!editor.Snapshot.Clusters.ContainsKey(contact.Cluster))
            return;
        var before = editor.Snapshot.Contacts.GetValueOrDefault(contact.Cluster);
        editor.Put(contact);
        if (contact.Connected)
            editor.Lower(UnreachableAlert(contact.Cluster));
        // Its first words, and each time it comes back or goes; not the reminder in between.
        if (before?.Connected == contact.Connected || before is null && !contact.Connected)
            return;
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Cluster,
            Outcome = contact.Connected ? EventOutcome.Changed : EventOutcome.Failed,
            What = contact.Connected ? $"Cluster {contact.Cluster} is followed" : $"Cluster {contact.Cluster} cannot be reached",
            Reason = contact.Connected ? "its nodes are known as they are now" : $"{contact.Reason}; nodes are shown as last known at {contact.HeardAt:u}",
            Subject = $"Cluster/{contact.Cluster}",
        });
    }

    public static void Unreachable(StateEditor editor, ClusterContact contact)
    {
        if (!editor.Snapshot.Clusters.ContainsKey(contact.Cluster))
            return;
        RaiseOnce(editor, new Alert
        {
            Id = UnreachableAlert(contact.Cluster),
            Severity = AlertSeverity.Critical,
            Message = $"Cluster {contact.Cluster} cannot be reached since {contact.Since:u}: {contact.Reason}.",
            Remedy = $"Its nodes are shown as they were at {(contact.HeardAt is { } at ? $"{at:u}" : "no time yet")}. Check the way to its endpoint from here, and this appliance's credentials.",
        });
    }

    /// <summary>In words people use.</summary>
    public static string Words(NodeState state) => state switch
    {
        NodeState.Joined => "waiting for its kubelet",
        NodeState.WaitingForCni => "waiting for the CNI",
        NodeState.Ready => "Ready",
        NodeState.NotReady => "NotReady",
        NodeState.Unknown => "not heard of any more",
        NodeState.Lost => "lost",
        _ => "deleted",
    };

    private static void RaiseOnce(StateEditor editor, Alert alert)
    {
        if (editor.Snapshot.Alerts.TryGetValue(alert.Id, out var raised) && raised.Severity == alert.Severity)
            return;
        editor.Raise(alert);
    }

    private static void Record(StateEditor editor, HostNode node, string what, string reason) => editor.Record(new Event
    {
        At = editor.Now,
        Source = EventSource.Cluster,
        Outcome = node.State is NodeState.NotReady or NodeState.Unknown or NodeState.Lost ? EventOutcome.Failed : EventOutcome.Changed,
        Host = node.Host,
        What = Texts.OneLine(what, 400)!,
        Reason = Texts.OneLine(reason, 1_000)!,
    });
}
