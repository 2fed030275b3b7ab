using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Provisioner.Protocols.Pe;

namespace Provisioner.Protocols.Kernels;

/// <summary>How a Linux kernel file is laid out.</summary>
public enum LinuxKernelFormat
{
    /// <summary>x86 bzImage: Linux <c>Documentation/arch/x86/boot.rst</c>.</summary>
    BzImage,

    /// <summary>arm64 Image: Linux <c>Documentation/arch/arm64/booting.rst</c>.</summary>
    Arm64Image,

    /// <summary>Self-decompressing UEFI kernel (CONFIG_EFI_ZBOOT): Linux <c>drivers/firmware/efi/libstub/zboot-header.S</c>.</summary>
    EfiZboot,
}

/// <summary>What the first bytes of a Linux kernel say.</summary>
/// <param name="Format">How it is laid out.</param>
/// <param name="Machine">The processor it is for.</param>
/// <param name="HasEfiStub">UEFI can start it: it is a PE image as well.</param>
public readonly record struct LinuxKernelHeader(LinuxKernelFormat Format, PeMachine Machine, bool HasEfiStub)
{
    /// <summary>Recognises a kernel by its first bytes.</summary>
    /// <param name="start">The file's beginning; <see cref="PeHeader.EnoughBytes"/> or the whole file.</param>
    /// <param name="header">What it says.</param>
    /// <param name="reason">When false is returned: why this is no kernel.</param>
    /// <remarks>Any bytes at all may be given; nothing is thrown.</remarks>
    public static bool TryRead(ReadOnlySpan<byte> start, out LinuxKernelHeader header, [NotNullWhen(false)] out string? reason)
    {
        var efi = PeHeader.TryRead(start, out var pe, out _);
        reason = null;
        if (start.Length >= 0x238 && start[0x1FE..].StartsWith((ReadOnlySpan<byte>)[0x55, 0xAA]) && start[0x202..].StartsWith("HdrS"u8))
        {
            // boot.rst, "xloadflags": bit 0 says there is a 64-bit entry point. It exists from protocol 2.12 on.
            var version = BinaryPrimitives.ReadUInt16LittleEndian(start[0x206..]);
            var is64 = version >= 0x20C && (start[0x236] & 1) != 0;
            header = new(LinuxKernelFormat.BzImage, efi ? pe.Machine : is64 ? PeMachine.Amd64 : PeMachine.I386, efi);
            return true;
        }
        if (start.Length >= 64 && start[56..].StartsWith("ARM\x64"u8))
        {
            header = new(LinuxKernelFormat.Arm64Image, PeMachine.Arm64, efi);
            return true;
        }
        if (efi && start.Length >= 8 && start[4..].StartsWith("zimg"u8))
        {
            header = new(LinuxKernelFormat.EfiZboot, pe.Machine, true);
            return true;
        }
        header = default;
        reason = "it is neither an x86 bzImage, an arm64 Image nor a UEFI zboot kernel";
        return false;
    }
}
