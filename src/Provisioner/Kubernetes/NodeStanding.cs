using Provisioner.Clusters;

namespace Provisioner.Kubernetes;

/// <summary>How a node stands in its cluster.</summary>
public enum NodeState
{
    /// <summary>It is there, and its kubelet has not reported yet.</summary>
    Joined,

    /// <summary>Its kubelet reports and has no pod network yet: normal for minutes after a join, because a CNI is the cluster's to bring.</summary>
    WaitingForCni,

    Ready,

    /// <summary>Its kubelet reports, and says that it is not.</summary>
    NotReady,

    /// <summary>Its kubelet stopped reporting.</summary>
    Unknown,

    /// <summary>It was Ready, and is gone from the cluster though nobody here took it out.</summary>
    Lost,

    /// <summary>It was taken out of the cluster, or never got far.</summary>
    Deleted,
}

/// <summary>How a node stands and why.</summary>
/// <param name="Cause">One word, for telling whether it is still the same; null when the state says it all.</param>
/// <param name="Reason">As a sentence.</param>
public sealed record NodeStanding(NodeState State, string? Cause = null, string? Reason = null)
{
    /// <summary>
    /// A kubelet posts its status at least every five minutes (nodeStatusReportFrequency), and the cluster says Unknown after one without a
    /// lease. That it did not is for clusters whose controller manager does not run.
    /// </summary>
    public static readonly TimeSpan SilentAfter = TimeSpan.FromMinutes(15);

    /// <summary>Derives it. Pure.</summary>
    public static NodeStanding Of(NodeFacts node, DateTimeOffset now)
    {
        if (node.Ready is not { } ready)
            return new(NodeState.Joined, "NoStatus", "its kubelet has not reported yet");
        switch (ready.Status)
        {
            // The node controller writes these two itself: NodeStatusNeverUpdated until a first report, NodeStatusUnknown when they stop.
            case "Unknown" when ready.Reason == "NodeStatusNeverUpdated":
                return new(NodeState.Joined, ready.Reason, "its kubelet has not reported yet");
            case "Unknown":
                return new(NodeState.Unknown, ready.Reason, $"its kubelet stopped reporting{(ready.HeardAt is { } last ? $"; last heard at {last:u}" : "")}");
            case "True" when ready.HeardAt is { } heard && now - heard > SilentAfter:
                return new(NodeState.Unknown, "Silent", $"its kubelet has not reported since {heard:u}");
            case "True" when node.NetworkUnavailable:
                return new(NodeState.WaitingForCni, "NetworkUnavailable", "the pod network is not set up on it yet");
            case "True" when node.Address is null:
                return new(NodeState.Joined, "NoAddress", "it has no InternalIP yet");
            case "True":
                return new(NodeState.Ready);
            default:
                return IsWaitingForCni(ready)
                    ? new(NodeState.WaitingForCni, "NetworkPluginNotReady", $"waiting for the CNI, which the cluster brings: {Say(ready)}")
                    : new(NodeState.NotReady, ready.Reason, Say(ready));
        }
    }

    /// <summary>What in its providerID is not what nodeadm writes for this cluster; null when nothing is.</summary>
    /// <remarks><c>eks-hybrid:///REGION/CLUSTER/NODE</c>: by it the node is told from EC2's, and is charged.</remarks>
    public static string? WrongProviderId(NodeFacts node, Cluster cluster)
    {
        var right = $"eks-hybrid:///{cluster.Spec.Region}/{cluster.EksName}/{node.Name}";
        return node.ProviderId is not { Length: > 0 } id ? $"it has no providerID; nodeadm writes {right}"
            : id != right ? $"its providerID is {id}, nodeadm writes {right}" : null;
    }

    // The kubelet of each version and each container runtime words it anew; these parts have stayed (kubelet/runtimeState, containerd's CRI).
    private static bool IsWaitingForCni(ReadyCondition ready) =>
        ready.Message is { } said && (said.Contains("NetworkPluginNotReady", StringComparison.OrdinalIgnoreCase) || said.Contains("NetworkReady=false", StringComparison.OrdinalIgnoreCase)
            || said.Contains("network plugin is not ready", StringComparison.OrdinalIgnoreCase) || said.Contains("cni plugin not initialized", StringComparison.OrdinalIgnoreCase)
            || said.Contains("cni config uninitialized", StringComparison.OrdinalIgnoreCase));

    private static string Say(ReadyCondition ready) =>
        ready.Message is { Length: > 0 } message ? ready.Reason is { Length: > 0 } reason ? $"{reason}: {message}" : message : ready.Reason ?? "its kubelet gave no reason";
}
