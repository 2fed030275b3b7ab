using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Provisioner.Kubernetes;

public enum RolloutState
{
    Running,

    /// <summary>No further host is begun until it is resumed.</summary>
    Paused,

    Done,

    /// <summary>A host failed: no further one is begun until it is resumed.</summary>
    Failed,

    Cancelled,
}

public enum RolloutMethod
{
    /// <summary>The node is emptied and deleted, and its host built anew: AWS's own preference.</summary>
    Reprovision,

    /// <summary>The node is emptied, and its host upgrades itself by <c>nodeadm upgrade</c>.</summary>
    InPlace,
}

public enum RolloutStage
{
    Waiting,

    /// <summary>Its node is being emptied.</summary>
    Draining,

    /// <summary>It is for the host now to come back with the wanted version.</summary>
    Upgrading,

    Done,

    Failed,
}

/// <summary>One host of a rollout.</summary>
/// <param name="Wave">Counted from 0.</param>
public sealed record RolloutHost(string Host, int Wave)
{
    public RolloutStage Stage { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public string? Message { get; init; }

    /// <summary>The Node it had before: another one is the host that came back.</summary>
    public string? OldUid { get; init; }

    [JsonIgnore]
    public bool IsUnderWay => Stage is RolloutStage.Draining or RolloutStage.Upgrading;
}

/// <summary>Hosts that are brought to another version of Kubernetes, wave by wave. Survives restarts of the appliance.</summary>
public sealed record Rollout
{
    public required string Id { get; init; }

    public required string Cluster { get; init; }

    /// <summary><c>1.34</c> or <c>1.34.2</c>.</summary>
    public required string Version { get; init; }

    public RolloutMethod Method { get; init; }

    /// <summary>Between the end of a wave and the begin of the next.</summary>
    public TimeSpan Pause { get; init; }

    /// <summary>Pods that no controller makes again are deleted.</summary>
    public bool Force { get; init; }

    /// <summary>For emptying one node.</summary>
    public TimeSpan DrainTimeout { get; init; }

    /// <summary>For one host to come back.</summary>
    public TimeSpan Timeout { get; init; }

    public RolloutState State { get; init; }

    public string? Reason { get; init; }

    public DateTimeOffset StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public string? Actor { get; init; }

    public ImmutableArray<RolloutHost> Hosts { get; init; } = [];

    /// <summary>It may go on.</summary>
    [JsonIgnore]
    public bool IsOpen => State is RolloutState.Running or RolloutState.Paused or RolloutState.Failed;

    /// <summary>The hosts to begin with now: those of the first wave that is not done, once the pause after the one before is over. Pure.</summary>
    public IReadOnlyList<RolloutHost> Next(DateTimeOffset now)
    {
        if (State != RolloutState.Running || Hosts.Any(h => h.Stage == RolloutStage.Failed))
            return [];
        var open = Hosts.Where(h => h.Stage != RolloutStage.Done).ToList();
        if (open.Count == 0)
            return [];
        var wave = open.Min(h => h.Wave);
        var before = Hosts.Where(h => h.Wave < wave).Select(h => h.EndedAt).Max();
        return before is { } ended && now < ended + Pause ? [] : [.. open.Where(h => h.Wave == wave && h.Stage == RolloutStage.Waiting)];
    }

    /// <summary>The rollout with that host as it is now.</summary>
    public Rollout With(RolloutHost host) => this with { Hosts = [.. Hosts.Select(h => h.Host == host.Host ? host : h)] };
}

/// <summary>The version of Kubernetes a host is to run, where it is not its cluster's.</summary>
public sealed record DesiredVersion(string Host, string Version, DateTimeOffset At);

/// <summary>Versions as nodeadm takes them and kubelets say them.</summary>
internal static class KubernetesVersions
{
    /// <summary>Whether a kubelet's <c>v1.34.2-eks-1234567</c> is the wanted <c>1.34</c> or <c>1.34.2</c>.</summary>
    public static bool Matches(string? kubelet, string wanted)
    {
        var numbers = Numbers(kubelet);
        return numbers == wanted || wanted.Count(c => c == '.') == 1 && numbers.StartsWith(wanted + ".", StringComparison.Ordinal);
    }

    /// <summary>Major and minor, to compare; null when it is no version.</summary>
    public static (int Major, int Minor)? MinorOf(string? version)
    {
        var parts = Numbers(version).Split('.');
        return parts.Length >= 2 && int.TryParse(parts[0], out var major) && int.TryParse(parts[1], out var minor) ? (major, minor) : null;
    }

    private static string Numbers(string? version) => version is null ? "" : version.TrimStart('v').Split('-', '+')[0];
}
