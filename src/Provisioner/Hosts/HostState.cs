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
}

public static class HostStates
{
    /// <summary>The state of a host.</summary>
    /// <param name="installation">Its latest Installation, open or not.</param>
    /// <param name="lastAnswered">When a boot question of the host was last answered (<see cref="Events.EventLog.LastAnswered"/>).</param>
    public static HostState Of(Installation? installation, DateTimeOffset? lastAnswered, DateTimeOffset now) =>
        installation is null || !installation.IsOpenAt(now) ? HostState.Registered
        : lastAnswered >= installation.OpenedAt ? HostState.Booting
        : HostState.Waiting;
}
