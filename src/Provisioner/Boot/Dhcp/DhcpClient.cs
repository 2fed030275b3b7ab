using System.Globalization;
using System.Text;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;

namespace Provisioner.Boot.Dhcp;

/// <summary>Who asks, as far as a message tells: parsed once, asked often.</summary>
internal readonly record struct DhcpClient(MacAddress MacAddress, Architecture Architecture, ClientKind Kind, ClientQuirks Quirks)
{
    /// <summary>The user class that iPXE sends when it was started with our script or options.</summary>
    public static ReadOnlySpan<byte> OwnUserClass => "Provisioner"u8;

    public bool IsBooting => Kind != ClientKind.Plain;

    public static DhcpClient From(in DhcpPacket packet)
    {
        var quirks = ClientQuirk.Of(packet);
        var architecture = quirks.HasFlag(ClientQuirks.RaspberryPiRom) ? Architecture.RaspberryPi : ArchitectureOf(packet);
        if (architecture == Architecture.Unknown && quirks.HasFlag(ClientQuirks.BiosWithoutArchitecture))
            architecture = Architecture.Bios;
        return new DhcpClient(packet.Chaddr, architecture, KindOf(packet, quirks), quirks);
    }

    /// <summary>
    /// The order matters: a program that says more of itself comes first. Stock iPXE inside a card's ROM says PXEClient too, and
    /// would be given iPXE for ever (smee: "order matters"; netboot#77).
    /// </summary>
    private static ClientKind KindOf(in DhcpPacket packet, ClientQuirks quirks) =>
        packet.HasUserClass(OwnUserClass) ? ClientKind.OwnIpxe
        : packet.VendorClassStartsWith("HTTPClient"u8) ? ClientKind.HttpClient
        : packet.HasUserClass("iPXE"u8) ? ClientKind.Ipxe
        : packet.VendorClassStartsWith("PXEClient"u8) || quirks.HasFlag(ClientQuirks.PxeWithoutVendorClass) ? ClientKind.Pxe
        : ClientKind.Plain;

    /// <summary>The first architecture of option 93's list that means something here; without the option, the one in option 60's text.</summary>
    public static Architecture ArchitectureOf(in DhcpPacket packet)
    {
        var list = packet.Option(DhcpOption.ClientArchitecture);
        for (; list.Length >= 2; list = list[2..])
        {
            if (FromType(list[0] << 8 | list[1]) is var known and not Architecture.Unknown)
                return known;
        }
        // "PXEClient:Arch:00007:UNDI:003000"
        var vendorClass = packet.Option(DhcpOption.VendorClass);
        var at = vendorClass.IndexOf(":Arch:"u8);
        return at >= 0 && vendorClass.Length >= at + 11
            && int.TryParse(vendorClass.Slice(at + 6, 5), NumberStyles.None, CultureInfo.InvariantCulture, out var type)
            ? FromType(type) : Architecture.Unknown;
    }

    /// <summary>
    /// IANA "Processor Architecture Types". 7 is x64 by the registry and EBC by RFC 4578's text, 9 the other way round: firmware says
    /// either and means x64 (LP#1768034, xcat#7645).
    /// </summary>
    private static Architecture FromType(int type) => type switch
    {
        0 or 20 => Architecture.Bios,
        6 or 15 => Architecture.X86,
        7 or 9 or 16 => Architecture.X64,
        10 or 18 => Architecture.Arm32,
        11 or 19 => Architecture.Arm64,
        41 => Architecture.RaspberryPi,
        _ => Architecture.Unknown,
    };

    /// <summary>As people say it, such as <c>UEFI x64 (PXE)</c>.</summary>
    public string Describe(in DhcpPacket packet)
    {
        if (Kind == ClientKind.Plain)
            return packet.Text(DhcpOption.VendorClass) is { Length: > 0 } vendor ? $"a client that does not boot ({vendor})" : "a client that does not boot";
        var kind = Kind switch
        {
            ClientKind.Pxe => "PXE",
            ClientKind.HttpClient => "HTTP Boot",
            ClientKind.Ipxe => "iPXE",
            _ => "our iPXE",
        };
        return new StringBuilder(BootDecider.Name(Architecture)).Append(" (").Append(kind).Append(')').ToString();
    }
}
