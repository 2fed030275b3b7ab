using Provisioner.Joining;
using Provisioner.Kubernetes;
using Provisioner.Progress;
using Provisioner.Storage;

namespace Provisioner.Hosts;

/// <summary>Where a host stands; derived, never set by hand.</summary>
public enum HostState
{
    /// <summary>Known, and nothing is to be done: it boots from its disk.</summary>
    Registered,

    /// <summary>An Installation is open and the host has not asked yet.</summary>
    Waiting,

    /// <summary>It asked and was answered within the open Installation.</summary>
    Booting,

    /// <summary>Its installer reports.</summary>
    Installing,

    /// <summary>The operating system is in place; it has no certificate yet.</summary>
    Installed,

    /// <summary>It holds a good certificate.</summary>
    Enrolled,

    /// <summary>It is on its way into its cluster.</summary>
    Joining,

    /// <summary>Its node is in the cluster and was never Ready: it waits for its kubelet, or for the pod network.</summary>
    Joined,

    /// <summary>Its node is Ready.</summary>
    Ready,

    /// <summary>Its kubelet reports, and says that it is not ready.</summary>
    NotReady,

    /// <summary>Its node was Ready, and is gone or not heard of any more.</summary>
    Lost,

    /// <summary>A stage failed, or the window ended in the middle of one.</summary>
    Failed,

    /// <summary>Nothing was heard for longer than its stage may be silent.</summary>
    Stalled,

    /// <summary>It left the fleet: nothing is done for it any more.</summary>
    Retired,
}

/// <summary>Where a host stands and why.</summary>
/// <param name="Stage">The stage it is in, or failed or stalled in; null when it is in none.</param>
/// <param name="Reason">As a sentence; null when the state says it all.</param>
public sealed record HostStanding(HostState State, string? Stage = null, string? Reason = null)
{
    /// <summary>Derives it from all that is known of the host. Pure.</summary>
    public static HostStanding Of(Host host, Snapshot snapshot, DateTimeOffset? lastAnswered, DateTimeOffset now) => Of(
        host, snapshot.Installations.GetValueOrDefault(host.Name), lastAnswered, snapshot.GoodCertificateOf(host.Name, now)?.IssuedAt, now, snapshot.Joins.GetValueOrDefault(host.Name), snapshot.NodeOf(host.Name));

    /// <summary>Derives it. Pure.</summary>
    /// <param name="installation">Its latest Installation, open or not.</param>
    /// <param name="lastAnswered">When a boot question of the host was last answered (<see cref="Events.EventLog.LastAnswered"/>).</param>
    /// <param name="enrolledAt">When its certificate was issued; null without one that is neither revoked nor over.</param>
    /// <param name="join">How far it is on its way into its cluster.</param>
    /// <param name="node">Its node (<see cref="Snapshot.NodeOf"/>); null when none was ever seen.</param>
    public static HostStanding Of(
        Host host, Installation? installation, DateTimeOffset? lastAnswered, DateTimeOffset? enrolledAt, DateTimeOffset now, HostJoin? join = null, HostNode? node = null)
    {
        if (host.RetiredAt is { } retired)
            return new(HostState.Retired, Reason: $"since {retired:u}");
        if (installation is { EnrolOnly: false } built)
        {
            if (built.BuildsAt(now))
                return Building(built, lastAnswered, now);
            if (built.InstalledAt is null && built.ClosedAt is null && now >= built.ClosesAt && !built.Stages.IsEmpty)
            {
                return new(HostState.Failed, built.Stages[^1].Name,
                    $"the window ended at {built.ClosesAt:u} in the middle of it{(built.Stages[^1].Message is { } said ? $"; last: {said}" : "")}");
            }
        }
        if (node is not null && OfNode(node, installation) is { } inCluster)
            return inCluster;
        if (installation is { EnrolOnly: false } done)
        {
            if (done.RunsAt(now) && !done.Stages.IsEmpty)
                return InMemory(done, enrolledAt, join, now);
            // A certificate of before is that of the system which was overwritten.
            if (done.InstalledAt is { } installed && (enrolledAt is null || enrolledAt < done.OpenedAt))
            {
                return new(HostState.Installed, Reason: $"since {installed:u}; " + (done.MayEnrolAt(now) ? $"it has not enrolled yet and may until {done.ClosesAt:u}"
                    : done.ClosedBecause == Installation.Cancelled ? "its enrolment was cancelled"
                    : $"it did not enrol before its window ended at {done.ClosesAt:u}: 'provisioner token {host.Name}' gives it another chance"));
            }
        }
        return enrolledAt is null ? new(HostState.Registered) : Certified(join, installation is { EnrolOnly: false } ? installation.OpenedAt : default, now);
    }

    // It holds its certificate. What an earlier system of it joined with is over.
    private static HostStanding Certified(HostJoin? join, DateTimeOffset since, DateTimeOffset now) =>
        join is null || join.StartedAt < since ? new(HostState.Enrolled) : JoinStages.StandingOf(join, now);

    // A host without a disk, by what its latest boot reported. The key of a certificate from before that boot is gone.
    private static HostStanding InMemory(Installation installation, DateTimeOffset? enrolledAt, HostJoin? join, DateTimeOffset now)
    {
        var (first, current) = (installation.Stages[0], installation.Stages[^1]);
        if (current.State == StageState.Failed)
            return new(HostState.Failed, current.Name, current.Message ?? "its boot said no more");
        if (enrolledAt >= first.StartedAt)
            return Certified(join, first.StartedAt, now);
        if (current.Name == Stages.Installed)
        {
            return new(HostState.Installed, Reason: $"it runs from memory since {current.StartedAt:u}; " + (installation.MayEnrolAt(now) ? $"it has not enrolled yet and may until {installation.ClosesAt:u}"
                : $"it enrols when it boots inside the window that 'provisioner provision {installation.Host}' opens"));
        }
        var heard = installation.HeardAt > current.StartedAt ? installation.HeardAt.Value : current.StartedAt;
        return now - heard > Stages.LimitOf(current.Name)
            ? new(HostState.Stalled, current.Name, $"nothing was heard since {heard:u}; usually {Stages.CauseOf(current.Name)}")
            : new(HostState.Booting, current.Name, current.Message);
    }

    // Null when the cluster has nothing to say of the host as it is now: its node was taken out, or is from before the host was built anew.
    private static HostStanding? OfNode(HostNode node, Installation? installation)
    {
        if (installation is { EnrolOnly: false } built && node.Since < (built.Diskless && !built.Stages.IsEmpty ? built.Stages[0].StartedAt : built.InstalledAt))
            return null;
        HostState? state = node.State switch
        {
            NodeState.Joined or NodeState.WaitingForCni => HostState.Joined,
            NodeState.Ready => HostState.Ready,
            NodeState.NotReady => HostState.NotReady,
            NodeState.Unknown => node.ReadyAt is null ? HostState.NotReady : HostState.Lost,
            NodeState.Lost => HostState.Lost,
            _ => null,
        };
        if (state is not { } known)
            return null;
        var reason = node.Problem is { } problem ? node.Reason is null ? problem : $"{node.Reason}; {problem}" : node.Reason;
        return node.LastKnownAt is { } at
            ? new(known, Reason: $"last known at {at:u}, because its cluster cannot be reached{(reason is null ? "" : $"; then: {reason}")}")
            : new(known, Reason: reason);
    }

    private static HostStanding Building(Installation installation, DateTimeOffset? lastAnswered, DateTimeOffset now)
    {
        var current = installation.Stages.IsEmpty ? null : installation.Stages[^1];
        if (current is { State: StageState.Failed })
            return new(HostState.Failed, current.Name, current.Message ?? "the installer said no more");
        var answered = lastAnswered >= installation.OpenedAt ? lastAnswered : null;
        if (current is null && answered is null && installation.HeardAt is null)
            return new(HostState.Waiting, Reason: "it has not asked yet");
        var heard = new[] { installation.HeardAt, answered, current?.StartedAt }.Max()!.Value;
        var stage = current?.Name ?? Stages.Boot;
        if (now - heard > Stages.LimitOf(stage))
            return new(HostState.Stalled, stage, $"nothing was heard since {heard:u}; usually {Stages.CauseOf(stage)}");
        return current is null ? new(HostState.Booting, stage) : new(HostState.Installing, stage, current.Message);
    }
}
