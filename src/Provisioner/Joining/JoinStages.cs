using Provisioner.Hosts;
using Provisioner.Progress;

namespace Provisioner.Joining;

/// <summary>The steps of joining, and how long each may be silent.</summary>
internal static class JoinStages
{
    public const string Preflight = "preflight";

    public const string Init = "init";

    /// <summary>The last one: nodeadm is done.</summary>
    public const string Joined = "joined";

    private static readonly (string Name, TimeSpan Limit, string Cause)[] Known =
    [
        (Preflight, TimeSpan.FromMinutes(15), "a name server or an endpoint does not answer, or the host cannot reach the appliance"),
        ("artifacts", TimeSpan.FromMinutes(30), "the appliance's cache cannot reach where nodeadm comes from: 'provisioner cache warm' says why"),
        ("containerd", TimeSpan.FromMinutes(30), "a package repository cannot be reached or is slow"),
        // nodeadm itself gives up after 20 minutes.
        ("install", TimeSpan.FromMinutes(30), "nodeadm fetches something that does not come"),
        ("check", TimeSpan.FromMinutes(10), "nodeadm does not end"),
        // nodeadm waits up to 5 minutes for kubelet, and for AWS before that.
        (Init, TimeSpan.FromMinutes(20), "AWS or the cluster's API server does not answer, or kubelet does not start"),
        (Joined, TimeSpan.MaxValue, ""),
    ];

    public static IEnumerable<string> Names => Known.Select(k => k.Name);

    public static bool IsName(string name) => Array.Exists(Known, k => k.Name == name);

    /// <summary>Where a host stands that has begun to join.</summary>
    public static HostStanding StandingOf(HostJoin join, DateTimeOffset now)
    {
        if (join.JoinedAt is { } joined)
            return new(HostState.Joining, Joined, $"nodeadm was done at {joined:u}");
        if (join.Stages.IsEmpty)
            return new(HostState.Joining);
        var current = join.Stages[^1];
        if (current.State == StageState.Failed)
            return new(HostState.Failed, current.Name, current.Message ?? "the host said no more");
        var (_, limit, cause) = Array.Find(Known, k => k.Name == current.Name);
        var heard = join.HeardAt is { } at && at > current.StartedAt ? at : current.StartedAt;
        return now - heard > limit
            ? new(HostState.Stalled, current.Name, $"nothing was heard since {heard:u}; usually {cause}")
            : new(HostState.Joining, current.Name, current.Message);
    }
}
