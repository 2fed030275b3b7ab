using Provisioner.Networks;
using Provisioner.Protocols;

namespace Provisioner.Boot;

/// <summary>Which question of the boot is asked.</summary>
public enum BootStep
{
    /// <summary>"What do I load?": DHCP on 67, proxyDHCP, PXE on 4011, UEFI HTTP Boot.</summary>
    BootFile,

    /// <summary>"What does iPXE do?": <c>boot.ipxe</c> of this host.</summary>
    IpxeScript,

    /// <summary>"What does GRUB do?": <c>grub.cfg</c> of this host.</summary>
    GrubScript,
}

/// <summary>Where the asking host reaches the appliance.</summary>
/// <param name="Address">The address advertised on the host's Network.</param>
/// <param name="HttpPort">TCP port of the boot plane.</param>
public readonly record struct BootEndpoint(Ipv4Address Address, int HttpPort)
{
    /// <summary>An IP literal on purpose: names need option 6, and a UEFI device path may lose it (ipxe#1316).</summary>
    public string HttpRoot => HttpPort == 80 ? $"http://{Address}" : $"http://{Address}:{HttpPort}";
}

/// <summary>One boot question, whoever asked it: DHCP, TFTP, HTTP or <c>provisioner explain</c>.</summary>
public sealed record BootRequest
{
    public required BootStep Step { get; init; }

    public required MacAddress MacAddress { get; init; }

    public required Architecture Architecture { get; init; }

    public required ClientKind Client { get; init; }

    public required BootEndpoint Endpoint { get; init; }

    /// <summary>How addresses are given where the host asks; <see cref="DhcpMode.Off"/> when not known.</summary>
    public DhcpMode DhcpMode { get; init; }

    /// <summary>False when iPXE's feature list (option 175) is there and lacks HTTP.</summary>
    public bool IpxeHasHttp { get; init; } = true;
}
