namespace Provisioner.Kubernetes;

/// <summary>A node that is charged for and does no work.</summary>
/// <param name="Why">Since when and what it lacks, as a sentence.</param>
/// <param name="MonthlyCost">Null when its processors are not known.</param>
internal sealed record IdleNode(string Name, string? Host, string Cluster, DateTimeOffset Since, string Why, int? Cpus, decimal? MonthlyCost);

/// <summary>Which nodes cost and do nothing. Hybrid nodes are charged by vCPU and hour, from their join until their Node is deleted.</summary>
internal static class Idle
{
    /// <summary>365.25 days of 24 hours by 12, as AWS reckons a month.</summary>
    public const decimal HoursPerMonth = 730;

    /// <summary>Decides. Pure.</summary>
    /// <param name="idleSince">Since when it is seen without pods but a DaemonSet's; null when it has some or it is not known.</param>
    public static IdleNode? Of(NodeFacts node, string? host, string cluster, DateTimeOffset? idleSince, TimeSpan longerThan, decimal pricePerCpuHour, DateTimeOffset now)
    {
        var standing = NodeStanding.Of(node, now);
        DateTimeOffset? notReady = standing.State == NodeState.Ready ? null : node.Ready?.ChangedAt ?? node.CreatedAt;
        var (since, why) = (notReady, idleSince) switch
        {
            ({ } bad, { } idle) when bad <= idle => (bad, $"{NodeChanges.Words(standing.State)} since {bad:u}"),
            ({ } bad, null) => (bad, $"{NodeChanges.Words(standing.State)} since {bad:u}"),
            (_, { } idle) => (idle, $"no pod but DaemonSets' since {idle:u}"),
            _ => (now, ""),
        };
        // The other reason may be the younger one, and long enough as well; the older decides.
        return why.Length == 0 || now - since < longerThan ? null
            : new(node.Name, host, cluster, since, why, node.Cpus, node.Cpus is { } cpus ? Math.Round(cpus * HoursPerMonth * pricePerCpuHour, 2) : null);
    }
}
