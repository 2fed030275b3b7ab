using Provisioner.Protocols;

namespace Provisioner.Boot.Tftp;

/// <summary>How the TFTP service runs.</summary>
public sealed record TftpOptions
{
    /// <summary>The address to listen at. Other than 0.0.0.0, requests sent to the broadcast address are not heard.</summary>
    public Ipv4Address Address { get; init; } = Ipv4Address.Any;

    /// <summary>The one UDP port: requests and transfers, so that NAT and firewalls need no helper. 0 lets the kernel choose.</summary>
    public int Port { get; init; } = 69;

    /// <summary>The largest block agreed to, in octets, 8 to 65464 (RFC 2348). A Network's own limit applies, too.</summary>
    public int MaxBlockSize { get; init; } = 1468;

    /// <summary>The largest window agreed to, in blocks (RFC 7440).</summary>
    public int MaxWindowSize { get; init; } = 64;

    /// <summary>Transfers at one time; each holds at most 128 KiB. Further requests get ERROR 0.</summary>
    public int MaxSessions { get; init; } = 256;

    /// <summary>After this time without an acknowledgment packets are sent again, unless the client names its own (RFC 2349).</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often packets are sent again before the transfer is given up.</summary>
    public int Retries { get; init; } = 5;

    /// <summary>The block number after 65535: 0 as nearly all clients count, or 1.</summary>
    public int BlockRollover { get; init; }

    /// <summary>The boot plane's HTTP port, for the links in scripts that are served by TFTP.</summary>
    public int HttpPort { get; init; } = 8080;
}
