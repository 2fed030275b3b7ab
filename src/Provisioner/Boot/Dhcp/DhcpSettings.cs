namespace Provisioner.Boot.Dhcp;

/// <summary>Where DHCP listens and answers. The standard ports, unless a test or an unprivileged run moves them.</summary>
public sealed record DhcpSettings
{
    /// <summary>UDP port of DHCP servers and relays.</summary>
    public int ServerPort { get; init; } = 67;

    /// <summary>UDP port of PXE boot servers and proxyDHCP (PXE 2.1 §2.2.3).</summary>
    public int ProxyPort { get; init; } = 4011;

    /// <summary>UDP port of DHCP clients.</summary>
    public int ClientPort { get; init; } = 68;

    /// <summary>TCP port of the HTTP boot plane, for URLs in answers.</summary>
    public int HttpPort { get; init; } = 8080;
}
