using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Networks;

/// <summary>The keys of a Network's <c>spec</c>.</summary>
internal static class NetworkFields
{
    public static readonly Shape<NetworkSpec> Spec = Declare();

    private static Shape<NetworkSpec> Declare()
    {
        var mode = Values.OneOf("a DHCP mode", ("off", DhcpMode.Off), ("proxy", DhcpMode.Proxy), ("reserve", DhcpMode.Reserve));
        var addresses = new ListKind<Ipv4Address>(Values.Ipv4Address, maximum: 8);
        var shape = new Shape<NetworkSpec>("a Network's spec", () => new NetworkSpec { Subnet = default });
        shape.Required("subnet", Values.Subnet, n => n.Subnet, (n, v) => n with { Subnet = v }, "The addresses on it.");
        shape.Optional("interface", Values.InterfaceName, n => n.Interface, (n, v) => n with { Interface = v }, "The interface it is attached to; none when it is behind a relay.");
        shape.Default("dhcp", mode, n => n.Dhcp, (n, v) => n with { Dhcp = v }, "off: not a word. proxy: another server gives the addresses. reserve: addresses for registered hosts.");
        shape.Optional("advertise", Values.Ipv4Address, n => n.Advertise, (n, v) => n with { Advertise = v }, "The address hosts reach the appliance at; without one, the interface's own.");
        shape.Optional("range", Values.Range, n => n.Range, (n, v) => n with { Range = v }, "The addresses to lease.");
        shape.Optional("gateway", Values.Ipv4Address, n => n.Gateway, (n, v) => n with { Gateway = v }, "The router.");
        shape.Optional("dns", addresses, n => n.Dns, (n, v) => n with { Dns = v }, "Name servers.");
        shape.Optional("ntp", addresses, n => n.Ntp, (n, v) => n with { Ntp = v }, "Time servers.");
        shape.Optional("domain", Values.DomainName, n => n.Domain, (n, v) => n with { Domain = v }, "The domain that is searched.");
        shape.Default("allowUnknown", Values.Boolean, n => n.AllowUnknown, (n, v) => n with { AllowUnknown = v }, "Lease unregistered machines an address, too.");
        shape.Default("leaseTime", Values.Duration, n => n.LeaseTime, (n, v) => n with { LeaseTime = v }, "How long an address is lent.");
        shape.Default("probeConflicts", Values.Boolean, n => n.ProbeConflicts, (n, v) => n with { ProbeConflicts = v }, "Ask the wire whether an address is taken before it is offered for the first time.");
        shape.Default("tftpBlockSize", Values.Integer(512, 65_464), n => n.TftpBlockSize, (n, v) => n with { TftpBlockSize = v }, "The largest TFTP block offered, in bytes (RFC 2348).");
        shape.Check(Check);
        return shape;
    }

    private static void Check(NetworkSpec network, Shape<NetworkSpec>.Report report)
    {
        var subnet = network.Subnet;
        if (network.Range is { } range)
        {
            foreach (var end in new[] { range.From, range.To })
            {
                if (!subnet.IsHostAddress(end))
                    report("range", $"{end} is not a host's address in {subnet}", range.ToString(), $"a range inside {subnet}");
            }
            if (network.Gateway is { } router && range.Contains(router))
                report("range", $"the gateway {router} lies in the range and would be leased", range.ToString(), $"a range without {router}");
            if (network.Advertise is { } own && range.Contains(own))
                report("range", $"the appliance's own address {own} lies in the range and would be leased", range.ToString(), $"a range without {own}");
        }
        else if (network is { AllowUnknown: true, Dhcp: DhcpMode.Reserve })
        {
            report("allowUnknown", "there is no range to lease unknown machines an address from", "true", "a range, or allowUnknown: false");
        }
        if (network.Gateway is { } gateway && !subnet.IsHostAddress(gateway))
            report("gateway", $"{gateway} is not a host's address in {subnet}", gateway.ToString(), $"an address inside {subnet}");
    }
}
