using System.Text.Json.Serialization;
using Provisioner.Protocols;

namespace Provisioner.Kubernetes;

/// <summary>The node of a host, as its cluster last showed it. Written when something changes, not with each heartbeat.</summary>
public sealed record HostNode
{
    public required string Host { get; init; }

    public required string Cluster { get; init; }

    /// <summary>The host's name, or <c>mi-…</c> of Systems Manager.</summary>
    public required string Name { get; init; }

    public required string Uid { get; init; }

    public required NodeState State { get; init; }

    public string? Cause { get; init; }

    public string? Reason { get; init; }

    /// <summary>Since when it is in this state.</summary>
    public required DateTimeOffset Since { get; init; }

    public DateTimeOffset LastSeenAt { get; init; }

    /// <summary>Set once this Node was Ready.</summary>
    public DateTimeOffset? ReadyAt { get; init; }

    /// <summary>Set when it is taken out of the cluster on purpose: that it goes is no loss then.</summary>
    public DateTimeOffset? LeavingAt { get; init; }

    public string? Version { get; init; }

    public Ipv4Address? Address { get; init; }

    public string? ProviderId { get; init; }

    public string? CredentialProvider { get; init; }

    public int? Cpus { get; init; }

    public long? MemoryMiB { get; init; }

    /// <summary>Its operating system, kernel and container runtime, as its kubelet says them.</summary>
    public string? Software { get; init; }

    /// <summary>All its conditions with their status, such as <c>Ready True, DiskPressure False</c>.</summary>
    public string? Conditions { get; init; }

    public bool Unschedulable { get; init; }

    /// <summary>What is odd about it, such as another cluster's providerID.</summary>
    public string? Problem { get; init; }

    /// <summary>Since when it was seen without a pod that does any work; null when it has one.</summary>
    public DateTimeOffset? IdleSince { get; init; }

    /// <summary>The cluster cannot be reached: all this is as it was then.</summary>
    [JsonIgnore]
    public DateTimeOffset? LastKnownAt { get; init; }

    /// <summary>It is in the cluster.</summary>
    [JsonIgnore]
    public bool IsThere => State is not (NodeState.Lost or NodeState.Deleted);
}

/// <summary>How a cluster was last reached.</summary>
public sealed record ClusterContact
{
    public required string Cluster { get; init; }

    /// <summary>Its nodes are followed now.</summary>
    public bool Connected { get; init; }

    /// <summary>When it last said anything; null when it never has.</summary>
    public DateTimeOffset? HeardAt { get; init; }

    /// <summary>Since when it is connected, or not.</summary>
    public DateTimeOffset Since { get; init; }

    /// <summary>Why it is not connected.</summary>
    public string? Reason { get; init; }
}
