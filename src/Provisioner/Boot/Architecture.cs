namespace Provisioner.Boot;

/// <summary>The processor an operating system or boot loader is made for.</summary>
public enum CpuArchitecture
{
    X64,
    Arm64,

    /// <summary>32-bit x86: recognised so that it can be refused by name.</summary>
    X86,

    /// <summary>32-bit Arm: recognised so that it can be refused by name.</summary>
    Arm,
}

/// <summary>What to boot: the firmware's own kind, from DHCP option 93 (RFC 4578, IANA "Processor Architecture Types").</summary>
public enum Architecture
{
    Unknown,

    /// <summary>Legacy BIOS, type 0.</summary>
    Bios,

    /// <summary>32-bit x86 UEFI, types 6 and 15.</summary>
    X86,

    /// <summary>x86-64 UEFI, types 7, 9 and 16. RFC 4578's erratum swaps 7 and 9: both are in the field.</summary>
    X64,

    /// <summary>32-bit Arm UEFI, types 10 and 18.</summary>
    Arm32,

    /// <summary>64-bit Arm UEFI, types 11 and 19.</summary>
    Arm64,

    /// <summary>Raspberry Pi's boot ROM, type 41, or type 0 from a Raspberry Pi's MAC address.</summary>
    RaspberryPi,
}

/// <summary>How to talk to the program that asks.</summary>
public enum ClientKind
{
    /// <summary>Not booting: an installer or operating system that wants an address.</summary>
    Plain,

    /// <summary>A firmware's PXE stack: option 60 starts with <c>PXEClient</c>.</summary>
    Pxe,

    /// <summary>UEFI HTTP Boot: option 60 starts with <c>HTTPClient</c>.</summary>
    HttpClient,

    /// <summary>Stock iPXE: option 77 is <c>iPXE</c>.</summary>
    Ipxe,

    /// <summary>iPXE started by us: option 77 is <c>Provisioner</c>.</summary>
    OwnIpxe,
}

/// <summary>The way from firmware to kernel.</summary>
public enum BootChain
{
    /// <summary>iPXE where there is one for the architecture, otherwise shim + GRUB.</summary>
    Auto,

    Ipxe,

    /// <summary>shim + GRUB, for Secure Boot.</summary>
    Shim,
}

/// <summary>How a host that is not being installed is sent to its own disk.</summary>
public enum LocalBoot
{
    /// <summary>The loader starts and returns to the firmware, which goes on with its boot order.</summary>
    Exit,

    /// <summary>The script (or, for HTTP Boot, the loader) is answered with 404.</summary>
    Http404,

    /// <summary>iPXE boots the first disk itself.</summary>
    Sanboot,

    /// <summary>DHCP names no boot file at all.</summary>
    NoFile,
}

/// <summary>What a host or profile may say of its boot beyond the rules.</summary>
public sealed record BootOptions
{
    /// <summary>The boot loader to hand out instead of the one the rules choose, by catalogue name.</summary>
    public string? File { get; init; }

    public LocalBoot? Local { get; init; }

    public System.Collections.Immutable.ImmutableArray<string> KernelArguments { get; init; } = [];
}
