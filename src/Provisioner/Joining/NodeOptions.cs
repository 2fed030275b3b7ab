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

    /// <summary>Keys of a KubeletConfiguration over nodeadm's own, as JSON with its keys in order: two that say the same are the same text.</summary>
    public string? KubeletConfig { get; init; }

    /// <summary>More of kubelet's flags, such as <c>--v=4</c>.</summary>
    public ImmutableArray<string> KubeletFlags { get; init; } = [];

    /// <summary>TOML over nodeadm's own configuration of containerd.</summary>
    public string? ContainerdConfig { get; init; }

    /// <summary>AWS credentials of the node in a file that is kept fresh, for pods that need them.</summary>
    public bool CredentialsFile { get; init; }
}

/// <summary>What is one host's own as a node.</summary>
public sealed record HostNodeOptions
{
    public ImmutableSortedDictionary<string, string> Labels { get; init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    public ImmutableArray<Taint> Taints { get; init; } = [];
}

/// <summary>What keeps pods off a node.</summary>
public sealed record Taint
{
    public required string Key { get; init; }

    public string? Value { get; init; }

    public required TaintEffect Effect { get; init; }

    /// <summary>As kubelet's <c>--register-with-taints</c> has it.</summary>
    public override string ToString() => string.IsNullOrEmpty(Value) ? $"{Key}:{Effect}" : $"{Key}={Value}:{Effect}";
}

/// <summary>https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/</summary>
public enum TaintEffect
{
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}
