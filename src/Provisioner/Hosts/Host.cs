using System.Collections.Immutable;
using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Hosts;

/// <summary>One server. Its name is its node name, certificate CN and hostname.</summary>
public sealed record Host(Metadata Metadata, HostSpec Spec) : IResource
{
    /// <summary>Set when it was retired: it is not built, enrolled or renewed any more, and boots its own disk.</summary>
    public DateTimeOffset? RetiredAt { get; init; }

    public string Kind => "Host";

    public string Name => Metadata.Name;
}

public sealed record HostSpec
{
    /// <summary>All the server's network cards that may ask; at least one.</summary>
    public required ImmutableArray<MacAddress> MacAddresses { get; init; }

    /// <summary>The one it boots from; the first of <see cref="MacAddresses"/> when not given.</summary>
    public MacAddress? BootMacAddress { get; init; }

    public required CpuArchitecture Architecture { get; init; }

    /// <summary>The profile it is built by; without one it can be registered but not provisioned.</summary>
    public string? Profile { get; init; }

    /// <summary>A fixed address, handed out on a Network in mode <c>reserve</c>.</summary>
    public Ipv4Address? Address { get; init; }

    public string? Zone { get; init; }

    public HostLocation? Location { get; init; }

    /// <summary>The lane it stands in, for whoever rolls things out lane by lane.</summary>
    public string? Lane { get; init; }

    /// <summary>What is its own as a node of its profile's cluster.</summary>
    public Joining.HostNodeOptions? Node { get; init; }

    public string? Serial { get; init; }

    /// <summary>Overrides of what the profile says.</summary>
    public BootOptions? Boot { get; init; }

    /// <summary>What is its own in its installation.</summary>
    public HostInstall? Install { get; init; }

    public ManagementController? Bmc { get; init; }
}

/// <summary>Where the server stands.</summary>
public sealed record HostLocation
{
    public string? Site { get; init; }

    public string? Rack { get; init; }

    /// <summary>The lowest rack unit it fills, counted from 1 at the bottom.</summary>
    public int? Unit { get; init; }
}

/// <summary>The server's management controller. Credentials are not kept here.</summary>
public sealed record ManagementController
{
    public required string Address { get; init; }

    /// <summary><c>redfish</c> or <c>ipmi</c>.</summary>
    public required string Protocol { get; init; }
}
