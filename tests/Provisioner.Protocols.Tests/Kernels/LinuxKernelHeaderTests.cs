using System.Buffers.Binary;
using CsCheck;
using Provisioner.Protocols.Kernels;
using Provisioner.Protocols.Pe;
using Provisioner.Protocols.Tests.Pe;

namespace Provisioner.Protocols.Tests.Kernels;

public sealed class LinuxKernelHeaderTests
{
    [Fact]
    public void Knows_a_bzImage_without_EFI_stub_by_its_load_flags()
    {
        Assert.Equal(new LinuxKernelHeader(LinuxKernelFormat.BzImage, PeMachine.Amd64, false), Read(BzImage(is64: true)));
        Assert.Equal(new LinuxKernelHeader(LinuxKernelFormat.BzImage, PeMachine.I386, false), Read(BzImage(is64: false)));
    }

    [Fact]
    public void Knows_an_arm64_Image()
    {
        var image = PeImages.Efi(PeMachine.Arm64);
        "ARM\x64"u8.CopyTo(image.AsSpan(56));
        Assert.Equal(new LinuxKernelHeader(LinuxKernelFormat.Arm64Image, PeMachine.Arm64, true), Read(image));
    }

    [Fact]
    public void Knows_a_zboot_kernel()
    {
        var image = PeImages.Efi(PeMachine.Arm64);
        "zimg"u8.CopyTo(image.AsSpan(4));
        Assert.Equal(new LinuxKernelHeader(LinuxKernelFormat.EfiZboot, PeMachine.Arm64, true), Read(image));
    }

    [Fact]
    public void A_boot_loader_is_not_a_kernel() =>
        Assert.False(LinuxKernelHeader.TryRead(PeImages.Efi(PeMachine.Amd64), out _, out var reason) && reason is null);

    [Fact]
    public void Any_bytes_give_a_header_or_a_reason() =>
        Gen.Byte.Array[0, 700].Sample(bytes =>
        {
            if (bytes.Length > 0x210)
                "HdrS"u8.CopyTo(bytes.AsSpan(0x202));
            var read = LinuxKernelHeader.TryRead(bytes, out _, out var reason);
            Assert.Equal(read, reason is null);
        });

    private static LinuxKernelHeader Read(byte[] bytes)
    {
        Assert.True(LinuxKernelHeader.TryRead(bytes, out var header, out var reason), reason);
        return header;
    }

    private static byte[] BzImage(bool is64)
    {
        var image = new byte[1024];
        image[0x1FE] = 0x55;
        image[0x1FF] = 0xAA;
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x206), 0x20F);
        image[0x236] = is64 ? (byte)1 : (byte)0;
        return image;
    }
}
