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

    /// <summary>It holds a good certificate.</summary>
    Enrolled,

    /// <summary>It left the fleet: nothing is done for it any more.</summary>
    Retired,
}

public static class HostStates
{
    /// <summary>The state of a host.</summary>
    /// <param name="installation">Its latest Installation, open or not.</param>
    /// <param name="isEnrolled">It has a certificate that is neither revoked nor over.</param>
    /// <param name="lastAnswered">When a boot question of the host was last answered (<see cref="Events.EventLog.LastAnswered"/>).</param>
    public static HostState Of(Host host, Installation? installation, DateTimeOffset? lastAnswered, bool isEnrolled, DateTimeOffset now) =>
        host.RetiredAt is not null ? HostState.Retired
        : installation is null || !installation.BuildsAt(now) ? isEnrolled ? HostState.Enrolled : HostState.Registered
        : lastAnswered >= installation.OpenedAt ? HostState.Booting
        : HostState.Waiting;
}
