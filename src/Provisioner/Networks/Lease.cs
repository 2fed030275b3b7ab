using Provisioner.Protocols;

namespace Provisioner.Networks;

/// <summary>An address handed out. Its holder is the chaddr alone: ROM, iPXE, installer and OS send different client identifiers (RFC 6842).</summary>
public sealed record Lease(Ipv4Address Address, MacAddress MacAddress, string Network, DateTimeOffset EndsAt)
{
    /// <summary>The end of the time an address is left alone after a DECLINE or a probe that found it taken; its holder is then unknown.</summary>
    public bool Declined { get; init; }

    public string? HostName { get; init; }
}
