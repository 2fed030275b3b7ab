using System.Collections.Immutable;
using Provisioner.Progress;
using Provisioner.Protocols;

namespace Provisioner.Joining;

/// <summary>How far a host is, or was, on its way into its cluster: its latest attempt.</summary>
public sealed record HostJoin
{
    public required string Host { get; init; }

    /// <summary>When the attempt began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Counted from 1; the first after a success begins anew.</summary>
    public int Attempt { get; init; } = 1;

    /// <summary>What the host reported, in order.</summary>
    public ImmutableArray<InstallationStage> Stages { get; init; } = [];

    public DateTimeOffset? HeardAt { get; init; }

    /// <summary>When <c>nodeadm init</c> was done. Whether its node is Ready, the cluster says.</summary>
    public DateTimeOffset? JoinedAt { get; init; }

    /// <summary>The address in the NodeConfig it was last given.</summary>
    public Ipv4Address? NodeIp { get; init; }

    /// <summary>The version of Kubernetes it was to be installed with when it was last given a NodeConfig.</summary>
    public string? KubernetesVersion { get; init; }

    /// <summary>The Systems Manager activation made for it last. Its code is nowhere stored.</summary>
    public string? ActivationId { get; init; }

    public DateTimeOffset? ActivationEndsAt { get; init; }
}

/// <summary>What was found on a host, or from the appliance towards it, before and after it joined.</summary>
public sealed record HostFindings
{
    public required string Host { get; init; }

    /// <summary>When the host last reported.</summary>
    public required DateTimeOffset At { get; init; }

    public ImmutableArray<Finding> Findings { get; init; } = [];
}

public enum Verdict
{
    Pass,

    /// <summary>It may do, and may not.</summary>
    Warn,

    /// <summary>It stops the join.</summary>
    Fail,

    /// <summary>It does not concern this host, or could not be tried.</summary>
    Skip,
}

/// <summary>One thing that was looked at. All texts are one line, cleaned: a host's text is anybody's text.</summary>
/// <param name="Code">What was looked at, such as <c>dns-endpoint</c>.</param>
/// <param name="Found">What there is.</param>
/// <param name="Breaks">What does not work because of it; empty when nothing.</param>
/// <param name="Ask">What to do, or to ask the network's people for; empty when nothing.</param>
public sealed record Finding(string Code, Verdict Verdict, string Found, string Breaks, string Ask)
{
    /// <summary>Set for what the appliance looked at itself.</summary>
    public DateTimeOffset? ProbedAt { get; init; }
}
