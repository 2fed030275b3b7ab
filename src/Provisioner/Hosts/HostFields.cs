using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Hosts;

/// <summary>The keys of a Host's <c>spec</c>.</summary>
internal static class HostFields
{
    public static readonly Shape<HostSpec> Spec = Declare();

    private static Shape<HostSpec> Declare()
    {
        var shape = new Shape<HostSpec>("a Host's spec", () => new HostSpec { MacAddresses = [], Architecture = default });
        shape.Required("macAddresses", new ListKind<MacAddress>(Values.MacAddress, minimum: 1, maximum: 32), h => h.MacAddresses, (h, v) => h with { MacAddresses = v },
            "All its network cards that may ask.");
        shape.Optional("bootMacAddress", Values.MacAddress, h => h.BootMacAddress, (h, v) => h with { BootMacAddress = v },
            "The network card it boots from; the first of macAddresses when not given.");
        shape.Required("architecture", Values.CpuArchitecture, h => h.Architecture, (h, v) => h with { Architecture = v }, "Its processor.");
        shape.Optional("profile", Values.NameOf("Profile"), h => h.Profile, (h, v) => h with { Profile = v }, "The Profile it is built by.");
        shape.Optional("address", Values.Ipv4Address, h => h.Address, (h, v) => h with { Address = v }, "A fixed address, handed out on a Network with dhcp: reserve.");
        shape.Optional("zone", Values.LabelValue, h => h.Zone, (h, v) => h with { Zone = v }, "Its failure zone, as topology.kubernetes.io/zone says it.");
        shape.Optional("location", Location(), h => h.Location, (h, v) => h with { Location = v }, "Where it stands.");
        shape.Optional("lane", Values.LabelValue, h => h.Lane, (h, v) => h with { Lane = v }, "Its lane, a label of its node: provisioner/lane.");
        shape.Optional("serial", Values.Text, h => h.Serial, (h, v) => h with { Serial = v }, "Its serial number.");
        shape.Optional("boot", BootOptionsFields.Options, h => h.Boot, (h, v) => h with { Boot = v }, "How it boots, where that differs from its profile.");
        shape.Optional("install", InstallFields.Host, h => h.Install, (h, v) => h with { Install = v }, "What is its own in its installation.");
        shape.Optional("node", Joining.NodeFields.Host, h => h.Node, (h, v) => h with { Node = v }, "What is its own as a node of its profile's cluster.");
        shape.Optional("bmc", Bmc(), h => h.Bmc, (h, v) => h with { Bmc = v }, "Its management controller.");
        shape.Check((host, report) =>
        {
            for (var i = 0; i < host.MacAddresses.Length; i++)
            {
                if (host.MacAddresses.IndexOf(host.MacAddresses[i]) < i)
                    report($"macAddresses[{i}]", $"{host.MacAddresses[i]} is there twice", host.MacAddresses[i].ToString(), "each MAC address once");
            }
            var members = host.Install?.Network?.BondMembers ?? [];
            for (var i = 0; i < members.Length; i++)
            {
                if (!host.MacAddresses.Contains(members[i]))
                    report($"install.network.bondMembers[{i}]", $"{members[i]} is not among the host's macAddresses", members[i].ToString(), $"one of {string.Join(", ", host.MacAddresses)}");
            }
            if (host.BootMacAddress is { } boot && !host.MacAddresses.Contains(boot))
                report("bootMacAddress", $"{boot} is not among the host's macAddresses", boot.ToString(), $"one of {string.Join(", ", host.MacAddresses)}");
        });
        return shape;
    }

    private static Shape<HostLocation> Location()
    {
        var shape = new Shape<HostLocation>("location", () => new HostLocation());
        shape.Optional("site", Values.Text, l => l.Site, (l, v) => l with { Site = v }, "The site.");
        shape.Optional("rack", Values.Text, l => l.Rack, (l, v) => l with { Rack = v }, "The rack.");
        shape.Optional("unit", Values.Integer(1, 100), l => l.Unit, (l, v) => l with { Unit = v }, "The lowest rack unit it fills, counted from 1 at the bottom.");
        return shape;
    }

    private static Shape<ManagementController> Bmc()
    {
        var shape = new Shape<ManagementController>("bmc", () => new ManagementController { Address = "", Protocol = "" });
        shape.Required("address", Values.HostAddress, b => b.Address, (b, v) => b with { Address = v }, "Where it is reached.");
        shape.Required("protocol", Values.OneOf("a protocol", ("redfish", "redfish"), ("ipmi", "ipmi")), b => b.Protocol, (b, v) => b with { Protocol = v }, "How it is spoken to.");
        return shape;
    }
}
