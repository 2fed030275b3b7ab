using Provisioner.Protocols;

namespace Provisioner.Boot.Dhcp;

internal enum ProbeResult
{
    Free,
    Taken,

    /// <summary>Not known yet.</summary>
    Pending,
}

/// <summary>Asks whether somebody else than that machine uses the address. Returns at once.</summary>
internal delegate ProbeResult AddressProbe(Ipv4Address address, MacAddress asking);
