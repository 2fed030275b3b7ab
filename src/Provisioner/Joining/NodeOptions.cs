using System.Collections.Immutable;
using Provisioner.Clusters;

namespace Provisioner.Joining;

/// <summary>What hosts of a profile are as nodes of its cluster.</summary>
public sealed record NodeOptions
{
    /// <summary>Another than the cluster's.</summary>
    public CredentialProvider? CredentialProvider { get; init; }

    public ImmutableSortedDictionary<string, string> Labels { get; init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    public ImmutableArray<Taint> Taints { get; init; } = [];
}

/// <summary>What keeps pods off a node.</summary>
public sealed record Taint
{
    public required string Key { get; init; }

    public string? Value { get; init; }

    public required TaintEffect Effect { get; init; }
}

/// <summary>https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/</summary>
public enum TaintEffect
{
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}
