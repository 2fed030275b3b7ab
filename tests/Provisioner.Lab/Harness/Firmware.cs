namespace Provisioner.Lab.Harness;

/// <summary>The firmware a virtual server starts with, and by it the way it takes to its kernel.</summary>
internal enum Firmware
{
    /// <summary>UEFI on x86-64 by PXE: the firmware's own TFTP client, then iPXE.</summary>
    UefiX64,

    /// <summary>UEFI on x86-64 with Microsoft's keys enrolled and Secure Boot on: shim and GRUB, all by TFTP.</summary>
    SecureBoot,

    /// <summary>UEFI on arm64: shim and GRUB, all by TFTP.</summary>
    UefiArm64,

    /// <summary>UEFI HTTP Boot on x86-64.</summary>
    HttpBoot,

    /// <summary>Legacy BIOS with iPXE in the network card's ROM.</summary>
    Bios,
}

/// <summary>Where Debian and Ubuntu keep the firmware and the emulator for it.</summary>
internal static class FirmwareFiles
{
    public static string Emulator(Firmware firmware) =>
        firmware == Firmware.UefiArm64 ? "qemu-system-aarch64" : "qemu-system-x86_64";

    /// <summary>The firmware's code, mapped read-only; null for BIOS, which comes with the emulator.</summary>
    public static string? Code(Firmware firmware) => firmware switch
    {
        Firmware.UefiX64 or Firmware.HttpBoot => "/usr/share/OVMF/OVMF_CODE_4M.fd",
        Firmware.SecureBoot => "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
        Firmware.UefiArm64 => "/usr/share/AAVMF/AAVMF_CODE.fd",
        _ => null,
    };

    /// <summary>The firmware's variables as they leave the factory: each machine gets a copy of its own.</summary>
    public static string? Variables(Firmware firmware) => firmware switch
    {
        Firmware.UefiX64 or Firmware.HttpBoot => "/usr/share/OVMF/OVMF_VARS_4M.fd",
        Firmware.SecureBoot => "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
        Firmware.UefiArm64 => "/usr/share/AAVMF/AAVMF_VARS.fd",
        _ => null,
    };

    /// <summary>The kernel's name of the serial port.</summary>
    public static string Console(Firmware firmware) => firmware == Firmware.UefiArm64 ? "ttyAMA0" : "ttyS0,115200";
}
