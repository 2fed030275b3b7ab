using System.Collections.Immutable;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Networks;

/// <summary>A subnet that hosts boot on.</summary>
public sealed record Network(Metadata Metadata, NetworkSpec Spec) : IResource
{
    public string Kind => "Network";

    public string Name => Metadata.Name;
}

public enum DhcpMode
{
    /// <summary>Not a word: the default, so that starting the service never disturbs a LAN.</summary>
    Off,

    /// <summary>Another server gives the addresses; we name the boot file (PXE 2.1 proxyDHCP, ports 67 and 4011).</summary>
    Proxy,

    /// <summary>We lease addresses, to registered hosts.</summary>
    Reserve,
}

public sealed record NetworkSpec
{
    public required Ipv4Cidr Subnet { get; init; }

    /// <summary>The interface it is attached to; null when it is behind a relay (RFC 1542).</summary>
    public string? Interface { get; init; }

    public DhcpMode Dhcp { get; init; } = DhcpMode.Off;

    /// <summary>The address hosts reach the appliance at; without one, the interface's own in this subnet.</summary>
    public Ipv4Address? Advertise { get; init; }

    public Ipv4Range? Range { get; init; }

    public Ipv4Address? Gateway { get; init; }

    public ImmutableArray<Ipv4Address> Dns { get; init; } = [];

    public ImmutableArray<Ipv4Address> Ntp { get; init; } = [];

    public string? Domain { get; init; }

    /// <summary>Lease unregistered machines an address, too.</summary>
    public bool AllowUnknown { get; init; }

    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Ask the wire whether an address is taken before it is offered for the first time.</summary>
    public bool ProbeConflicts { get; init; } = true;

    /// <summary>The largest TFTP block offered here, in bytes (RFC 2348).</summary>
    public int TftpBlockSize { get; init; } = 1468;
}

/// <summary>Addresses from <paramref name="From"/> to <paramref name="To"/>, both included.</summary>
public readonly record struct Ipv4Range(Ipv4Address From, Ipv4Address To)
{
    public long Count => (long)To.Bits - From.Bits + 1;

    public bool Contains(Ipv4Address address) => address >= From && address <= To;

    public override string ToString() => $"{From}-{To}";
}
