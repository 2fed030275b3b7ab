namespace Provisioner.Protocols.Dhcp;

/// <summary>Option codes (RFC 2132 and the RFC named at each).</summary>
public enum DhcpOption : byte
{
    /// <summary>Filler without a length.</summary>
    Pad = 0,

    /// <summary>Subnet mask.</summary>
    SubnetMask = 1,

    /// <summary>Routers, best first.</summary>
    Router = 3,

    /// <summary>Domain name servers.</summary>
    DomainNameServer = 6,

    /// <summary>Syslog servers (RFC 2132 §3.9).</summary>
    LogServers = 7,

    /// <summary>The client's host name.</summary>
    HostName = 12,

    /// <summary>Size of the boot file in blocks of 512 bytes. Never sent: EDK2 takes it times 512 and skips the tsize question.</summary>
    BootFileSize = 13,

    /// <summary>The client's domain.</summary>
    DomainName = 15,

    /// <summary>The subnet's broadcast address.</summary>
    BroadcastAddress = 28,

    /// <summary>NTP servers.</summary>
    NtpServers = 42,

    /// <summary>Vendor-specific information; for PXE the suboptions of <see cref="PxeOption"/>.</summary>
    VendorSpecific = 43,

    /// <summary>The address a client asks for.</summary>
    RequestedAddress = 50,

    /// <summary>Lease time in seconds.</summary>
    LeaseTime = 51,

    /// <summary>Options continue in <c>file</c> (1), <c>sname</c> (2) or both (3).</summary>
    Overload = 52,

    /// <summary>Message type.</summary>
    MessageType = 53,

    /// <summary>The server's identifier, an address.</summary>
    ServerIdentifier = 54,

    /// <summary>The options a client wants, in order.</summary>
    ParameterRequestList = 55,

    /// <summary>Words for people, in a NAK.</summary>
    Message = 56,

    /// <summary>The largest message the sender takes, IP and UDP headers included.</summary>
    MaximumMessageSize = 57,

    /// <summary>T1: when to renew, in seconds.</summary>
    RenewalTime = 58,

    /// <summary>T2: when to rebind, in seconds.</summary>
    RebindingTime = 59,

    /// <summary>Vendor class, such as <c>PXEClient:Arch:00007:UNDI:003000</c>.</summary>
    VendorClass = 60,

    /// <summary>Client identifier, echoed by servers (RFC 6842).</summary>
    ClientIdentifier = 61,

    /// <summary>Name of the TFTP server.</summary>
    TftpServerName = 66,

    /// <summary>Boot file name, when <c>file</c> is too short or used for options.</summary>
    BootFileName = 67,

    /// <summary>User class (RFC 3004, or plain text).</summary>
    UserClass = 77,

    /// <summary>Relay agent information (RFC 3046), echoed verbatim and last.</summary>
    RelayAgentInformation = 82,

    /// <summary>Client system architectures (RFC 4578 §2.1), a list.</summary>
    ClientArchitecture = 93,

    /// <summary>Client network interface identifier (RFC 4578 §2.2).</summary>
    ClientNetworkInterface = 94,

    /// <summary>Client machine identifier (RFC 4578 §2.3), echoed.</summary>
    ClientMachineIdentifier = 97,

    /// <summary>iPXE's encapsulated options.</summary>
    Ipxe = 175,

    /// <summary>The end of the options.</summary>
    End = 255,
}

/// <summary>Suboptions of option 43 for PXE clients (PXE 2.1, table 2-1).</summary>
public enum PxeOption : byte
{
    /// <summary>How servers are found; see <see cref="PxeDiscoveryControl"/>.</summary>
    DiscoveryControl = 6,

    /// <summary>The multicast address to find servers at.</summary>
    DiscoveryMulticastAddress = 7,

    /// <summary>Boot servers by type.</summary>
    BootServers = 8,

    /// <summary>Menu entries: type, then text.</summary>
    BootMenu = 9,

    /// <summary>Seconds to wait (0: choose the first entry at once), then the prompt.</summary>
    MenuPrompt = 10,

    /// <summary>The chosen entry: type and layer; echoed on port 4011.</summary>
    BootItem = 71,
}

/// <summary>Suboption 6 of option 43.</summary>
[Flags]
public enum PxeDiscoveryControl : byte
{
    /// <summary>Every way is open.</summary>
    None = 0,

    /// <summary>Do not broadcast.</summary>
    NoBroadcast = 1,

    /// <summary>Do not multicast.</summary>
    NoMulticast = 2,

    /// <summary>Only the servers of suboption 8.</summary>
    ListedServersOnly = 4,

    /// <summary>Ask nobody: load the boot file of this offer.</summary>
    UseBootFile = 8,
}

/// <summary>Suboptions of option 82.</summary>
public enum RelayAgentOption : byte
{
    /// <summary>The subnet to give an address of, where giaddr is not on it (RFC 3527).</summary>
    LinkSelection = 5,

    /// <summary>The address to name as server identifier, so that renewals go through the relay (RFC 5107).</summary>
    ServerIdentifierOverride = 11,
}

/// <summary>Suboptions of option 175.</summary>
public enum IpxeOption : byte
{
    /// <summary>iPXE was built with HTTP.</summary>
    HasHttp = 0x13,

    /// <summary>Set to 1 by a server: do not wait for a proxyDHCP offer.</summary>
    NoProxyDhcp = 176,
}
