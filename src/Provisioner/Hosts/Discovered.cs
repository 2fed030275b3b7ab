using Provisioner.Protocols;

namespace Provisioner.Hosts;

/// <summary>A MAC address that asked and is not registered: what it said of itself, waiting to be adopted.</summary>
public sealed record Discovered(MacAddress MacAddress)
{
    /// <summary>Who made the network card, from the OUI; null when the table does not know it.</summary>
    public string? Vendor { get; init; }

    /// <summary>What it would boot, from DHCP option 93 (RFC 4578), such as <c>UEFI x64</c>.</summary>
    public string? Architecture { get; init; }

    /// <summary>The SMBIOS UUID, from DHCP option 97 or iPXE.</summary>
    public string? Uuid { get; init; }

    /// <summary>DHCP option 60 as sent.</summary>
    public string? VendorClass { get; init; }

    /// <summary>From iPXE: SMBIOS serial number, product and manufacturer.</summary>
    public string? Serial { get; init; }

    public string? Product { get; init; }

    public string? Manufacturer { get; init; }

    public string? Address { get; init; }

    public string? Network { get; init; }

    public DateTimeOffset FirstSeen { get; init; }

    public DateTimeOffset LastSeen { get; init; }

    /// <summary>Set when somebody said that it is not to be adopted: a printer, another team's server. It is recorded, and not shown among those that wait.</summary>
    public DateTimeOffset? IgnoredAt { get; init; }

    /// <summary>How often it asked.</summary>
    public long Times { get; init; }
}
