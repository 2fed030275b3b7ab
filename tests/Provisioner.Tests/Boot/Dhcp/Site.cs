using Provisioner.Boot;
using Provisioner.Boot.Dhcp;
using Provisioner.Hosts;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Tests.Boot.Dhcp;

/// <summary>
/// One appliance at 10.77.0.1 on br0 (interface 3), with a Network there and one behind a relay. Its responder is the real one; what
/// is booted is decided by <see cref="Decide"/>, so that these tests speak of DHCP alone.
/// </summary>
internal sealed class Site
{
    public static readonly DateTimeOffset Noon = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    /// <summary>A registered host without an address of its own.</summary>
    public const string Known = "52:54:00:77:00:01";

    /// <summary>A registered host with the address 10.77.0.21.</summary>
    public const string Fixed = "52:54:00:77:00:02";

    public const string Unknown = "52:54:00:77:00:99";

    public Site(DhcpMode mode, Func<NetworkSpec, NetworkSpec>? change = null)
    {
        var lan = new NetworkSpec
        {
            Subnet = Ipv4Cidr.Parse("10.77.0.0/24"),
            Interface = "br0",
            Dhcp = mode,
            Range = new Ipv4Range(Ipv4Address.Parse("10.77.0.100"), Ipv4Address.Parse("10.77.0.109")),
            Gateway = Ipv4Address.Parse("10.77.0.254"),
            Dns = [Ipv4Address.Parse("10.77.0.53"), Ipv4Address.Parse("10.77.0.54")],
            Ntp = [Ipv4Address.Parse("10.77.0.123")],
            Domain = "rack.example",
            LeaseTime = TimeSpan.FromHours(2),
            ProbeConflicts = false,
        };
        var routed = lan with
        {
            Subnet = Ipv4Cidr.Parse("10.78.0.0/24"),
            Interface = null,
            Range = new Ipv4Range(Ipv4Address.Parse("10.78.0.100"), Ipv4Address.Parse("10.78.0.109")),
            Gateway = Ipv4Address.Parse("10.78.0.254"),
        };
        Snapshot = Snapshot.Empty with
        {
            Networks = Snapshot.Empty.Networks
                .Add("lan", new Network(new Metadata("lan"), change?.Invoke(lan) ?? lan))
                .Add("routed", new Network(new Metadata("routed"), change?.Invoke(routed) ?? routed))
                .Add("silent", new Network(new Metadata("silent"), lan with { Subnet = Ipv4Cidr.Parse("10.79.0.0/24"), Interface = "br1", Dhcp = DhcpMode.Off })),
        };
        Register("alpha", Known);
        Register("beta", Fixed, "10.77.0.21");
        Leases = new LeaseTable(lease => Stored[lease.Address] = lease);
        Responder = new DhcpResponder(new DhcpSettings(), Leases, AddressBook, Decide, (address, _) => Probe(address));
    }

    public Snapshot Snapshot { get; set; }

    public LeaseTable Leases { get; private set; }

    public Dictionary<Ipv4Address, Lease> Stored { get; } = [];

    public AddressBook AddressBook { get; } = new();

    public DhcpResponder Responder { get; private set; }

    public DateTimeOffset Now { get; set; } = Noon;

    public byte[] Buffer { get; } = new byte[DhcpPacket.MaximumLength];

    public Func<Ipv4Address, ProbeResult> Probe { get; set; } = _ => ProbeResult.Free;

    public Func<BootRequest, BootDecision>? Decision { get; set; }

    public List<BootRequest> Asked { get; } = [];

    public void Register(string name, string mac, string? address = null) => Snapshot = Snapshot with
    {
        Hosts = Snapshot.Hosts.SetItem(name, new Host(new Metadata(name), new HostSpec
        {
            MacAddresses = [MacAddress.Parse(mac)],
            Architecture = CpuArchitecture.X64,
            Address = address is null ? null : Ipv4Address.Parse(address),
        })),
        HostByMacAddress = Snapshot.HostByMacAddress.SetItem(MacAddress.Parse(mac), name),
    };

    /// <summary>The process ends, and another starts on the same store.</summary>
    public void Restart()
    {
        Leases = new LeaseTable(lease => Stored[lease.Address] = lease);
        Leases.Load(Stored.Values);
        Responder = new DhcpResponder(new DhcpSettings(), Leases, AddressBook, Decide, (address, _) => Probe(address));
    }

    public DhcpResponse Ask(Message message, string from = "0.0.0.0", bool port4011 = false, string @interface = "br0", bool proxyPortIsOpen = true) =>
        Ask(message.ToBytes(), from, port4011, @interface, proxyPortIsOpen);

    public DhcpResponse Ask(byte[] datagram, string from = "0.0.0.0", bool port4011 = false, string @interface = "br0", bool proxyPortIsOpen = true)
    {
        Assert.True(DhcpPacket.TryParse(datagram, out var packet, out var reason), reason);
        var local = @interface == "br0" ? "10.77.0.1" : "192.0.2.1";
        return Responder.Respond(packet, new DhcpIngress
        {
            InterfaceIndex = @interface == "br0" ? 3 : 4,
            InterfaceName = @interface,
            InterfaceAddresses = [Ipv4Address.Parse(local)],
            LocalAddress = Ipv4Address.Parse(local),
            RemoteAddress = Ipv4Address.Parse(from),
            RemotePort = 68,
            IsProxyPort = port4011,
            ProxyPortIsOpen = proxyPortIsOpen,
        }, Snapshot, Now, Buffer);
    }

    /// <summary>The answer's options as they lie in the buffer.</summary>
    public DhcpPacket Reply(DhcpResponse response)
    {
        var length = response switch
        {
            DhcpResponse.Offer o => o.Length,
            DhcpResponse.Ack a => a.Length,
            DhcpResponse.Nak n => n.Length,
            _ => throw new InvalidOperationException($"no answer: {response}"),
        };
        Assert.True(DhcpPacket.TryParse(Buffer.AsSpan(0, length), out var packet, out var reason), reason);
        return packet;
    }

    private BootDecision Decide(BootRequest request, Snapshot snapshot, DateTimeOffset now)
    {
        Asked.Add(request);
        if (Decision is not null)
            return Decision(request);
        return (request.Client, request.Architecture) switch
        {
            (ClientKind.Plain, _) => new BootDecision.NoBootFile("it does not ask to boot"),
            (ClientKind.Ipxe or ClientKind.OwnIpxe, _) => request.IpxeHasHttp
                ? new BootDecision.BootFile($"{request.Endpoint.HttpRoot}/boot.ipxe", "iPXE runs already")
                : new BootDecision.BootFile("boot.ipxe", "iPXE runs already, without HTTP"),
            (_, Architecture.Unknown or Architecture.X86 or Architecture.Arm32) => new BootDecision.NoBootFile("no boot loader for it"),
            (ClientKind.HttpClient, _) => new BootDecision.BootFile($"{request.Endpoint.HttpRoot}/boot/{request.MacAddress.ToDashed()}/ipxe.efi", "HTTP Boot loads iPXE"),
            (_, Architecture.Bios) => new BootDecision.BootFile("undionly.kpxe", "BIOS loads iPXE"),
            (_, Architecture.RaspberryPi) => new BootDecision.BootFile("bootcode.bin", "a Raspberry Pi's ROM"),
            (_, Architecture.Arm64) => new BootDecision.BootFile("bootnetaa64.efi", "shim"),
            _ => new BootDecision.BootFile("snponly.efi", "UEFI loads iPXE"),
        };
    }
}
