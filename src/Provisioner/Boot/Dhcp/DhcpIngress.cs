using System.Collections.Immutable;
using Provisioner.Protocols;

namespace Provisioner.Boot.Dhcp;

/// <summary>How a message reached us.</summary>
internal readonly record struct DhcpIngress
{
    public required int InterfaceIndex { get; init; }

    public required string InterfaceName { get; init; }

    /// <summary>All IPv4 addresses of that interface.</summary>
    public required ImmutableArray<Ipv4Address> InterfaceAddresses { get; init; }

    /// <summary>Our address it was sent to; the interface's own for a broadcast.</summary>
    public required Ipv4Address LocalAddress { get; init; }

    public required Ipv4Address RemoteAddress { get; init; }

    public required int RemotePort { get; init; }

    /// <summary>It came to port 4011.</summary>
    public bool IsProxyPort { get; init; }

    /// <summary>
    /// Somebody answers on 4011. Option 60 "PXEClient" in a lease without that makes firmware stop with PXE-E55 (sidero#1212).
    /// </summary>
    public bool ProxyPortIsOpen { get; init; }
}
