using System.Collections.Immutable;
using Provisioner.Protocols.Dhcp;

namespace Provisioner.Boot.Dhcp;

/// <summary>What is done differently for some clients.</summary>
[Flags]
internal enum ClientQuirks
{
    None = 0,

    /// <summary>Take it for a Raspberry Pi's boot ROM, whatever architecture it names.</summary>
    RaspberryPiRom = 1,

    /// <summary>Take it for a PXE client although option 60 is missing.</summary>
    PxeWithoutVendorClass = 2,

    /// <summary>Take it for a legacy BIOS although option 93 is missing.</summary>
    BiosWithoutArchitecture = 4,

    /// <summary>Tell it in option 43 to load the boot file and ask nobody.</summary>
    DiscoveryControl = 8,

    /// <summary>Never send option 43.</summary>
    NoVendorOptions = 16,

    /// <summary>Send a boot menu of one entry in option 43.</summary>
    RaspberryPiMenu = 32,

    /// <summary>Name the TFTP server in option 66 too, without a NUL.</summary>
    TftpServerName = 64,
}

/// <summary>One row: whom it concerns, what is done, and where it was seen.</summary>
internal sealed record ClientQuirk(ClientQuirks Effect, string Why, string SeenAt, ClientQuirk.Test Applies)
{
    public delegate bool Test(in DhcpPacket packet);

    /// <summary>Every firmware quirk there is; the code elsewhere knows effects only.</summary>
    public static ImmutableArray<ClientQuirk> Rows { get; } =
    [
        new(ClientQuirks.RaspberryPiRom, "A Raspberry Pi's ROM names architecture 0, legacy BIOS, which it is not; its MAC address gives it away.",
            "https://github.com/raspberrypi/rpi-eeprom/issues/182", static (in DhcpPacket p) => IsRaspberryPiRom(p)),
        new(ClientQuirks.RaspberryPiMenu, "It takes an offer only with a boot menu entry called \"Raspberry Pi Boot\".",
            "https://github.com/raspberrypi/firmware/issues/801", static (in DhcpPacket p) => IsRaspberryPiRom(p)),
        new(ClientQuirks.TftpServerName, "Its newer ROM takes the server from option 66, and takes a NUL there for part of the name.",
            "https://github.com/raspberrypi/firmware/issues/871", static (in DhcpPacket p) => IsRaspberryPiRom(p)),
        new(ClientQuirks.PxeWithoutVendorClass, "Some ROMs leave option 60 out of the REQUEST; options 93, 94 and 97 are sent by boot firmware alone (RFC 4578).",
            "https://github.com/raspberrypi/rpi-eeprom/issues/82", static (in DhcpPacket p) =>
                !p.Has(DhcpOption.VendorClass) && p.Has(DhcpOption.ClientArchitecture)
                && (p.Has(DhcpOption.ClientNetworkInterface) || p.Has(DhcpOption.ClientMachineIdentifier))),
        new(ClientQuirks.BiosWithoutArchitecture, "PXE ROMs from before RFC 4578 name no architecture: there was only one.",
            "https://www.rfc-editor.org/rfc/rfc4578#section-2.1", static (in DhcpPacket p) =>
                !p.Has(DhcpOption.ClientArchitecture) && p.VendorClassStartsWith("PXEClient"u8) && !p.Option(DhcpOption.VendorClass).StartsWith("PXEClient:Arch:"u8)),
        new(ClientQuirks.DiscoveryControl, "A BIOS ROM looks for boot servers and shows a menu unless it is told to load the boot file at once.",
            "https://github.com/danderson/netboot/blob/main/pixiecore/dhcp.go", static (in DhcpPacket p) => DhcpClient.ArchitectureOf(p) is Architecture.Bios or Architecture.Unknown),
        new(ClientQuirks.NoVendorOptions, "An inverted test in EDK2 drops every proxy offer that has a PXE suboption (Dell T130, T430).",
            "https://github.com/tianocore/edk2/issues/6944", static (in DhcpPacket p) =>
                DhcpClient.ArchitectureOf(p) is Architecture.X86 or Architecture.X64 or Architecture.Arm32 or Architecture.Arm64),
        new(ClientQuirks.NoVendorOptions, "UEFI HTTP Boot and iPXE have no use for PXE suboptions; iPXE would look at a menu in them before its script.",
            "https://github.com/ipxe/ipxe/blob/master/src/net/udp/dhcp.c", static (in DhcpPacket p) =>
                p.VendorClassStartsWith("HTTPClient"u8) || p.HasUserClass("iPXE"u8) || p.HasUserClass(DhcpClient.OwnUserClass)),
    ];

    public static ClientQuirks Of(in DhcpPacket packet)
    {
        var all = ClientQuirks.None;
        foreach (var row in Rows)
        {
            if (!all.HasFlag(row.Effect) && row.Applies(packet))
                all |= row.Effect;
        }
        return all;
    }

    private static bool IsRaspberryPiRom(in DhcpPacket packet)
    {
        if (packet.ListsArchitecture(41))
            return true;
        return packet.Chaddr.Oui is 0xB827EB or 0xDCA632 or 0xE45F01 or 0x28CDC1 or 0xD83ADD or 0x2CCF67
            && packet.ClientArchitecture is 0 or null
            // Its operating system, or iPXE on it, has the same MAC address.
            && (packet.VendorClassStartsWith("PXEClient"u8) || !packet.Has(DhcpOption.VendorClass) && packet.Has(DhcpOption.ClientMachineIdentifier))
            && !packet.Has(DhcpOption.UserClass);
    }
}
