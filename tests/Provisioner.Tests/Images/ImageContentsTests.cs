using Provisioner.Boot;
using Provisioner.Images;
using Provisioner.Protocols.Pe;
using Provisioner.Resources;

namespace Provisioner.Tests.Images;

public sealed class ImageContentsTests
{
    [Fact]
    public void Finds_kernel_initrd_and_loaders_of_Debian()
    {
        var spec = Describe(BootFiles.Debian());
        Assert.Equal(CpuArchitecture.X64, spec.Architecture);
        Assert.Equal("debian-installer/amd64/linux", spec.Kernel);
        Assert.Equal(["debian-installer/amd64/initrd.gz"], spec.Initrd);
        Assert.Equal(new BootLoaders { Shim = "debian-installer/amd64/bootnetx64.efi", Grub = "debian-installer/amd64/grubx64.efi" }, spec.BootLoaders);
    }

    [Fact]
    public void Finds_arm64_and_tells_a_gzipped_kernel_from_a_gzipped_initrd()
    {
        var spec = Describe(("vmlinuz", BootFiles.Gzip(BootFiles.Arm64Image())), ("initrd", BootFiles.Initrd()), ("snponly.efi", BootFiles.Efi(PeMachine.Arm64)), ("ipxe.efi", BootFiles.Efi(PeMachine.Arm64)));
        Assert.Equal((CpuArchitecture.Arm64, "vmlinuz", "snponly.efi"), (spec.Architecture, spec.Kernel, spec.BootLoaders.Ipxe));
        Assert.Equal(["initrd"], spec.Initrd);
    }

    [Fact]
    public void Takes_the_kernel_nearest_to_the_top() =>
        Assert.Equal("install/vmlinuz", Describe(("install/gtk/vmlinuz", BootFiles.BzImage()), ("install/vmlinuz", BootFiles.BzImage())).Kernel);

    [Fact]
    public void Asks_which_of_several_kernels_is_meant() =>
        Assert.Equal("kernel: There are 2 kernels: 'a/vmlinuz', 'b/vmlinuz'. Expected: one of them, by --kernel FILE.",
            Refusal(("a/vmlinuz", BootFiles.BzImage()), ("b/vmlinuz", BootFiles.BzImage())));

    [Fact]
    public void Asks_which_of_several_initrds_is_meant_unless_a_version_tells()
    {
        Assert.Contains("There are 2 initial RAM disks beside the kernel", Refusal(("vmlinuz", BootFiles.BzImage()), ("initrd-a", BootFiles.Initrd()), ("initrd-b", BootFiles.Initrd())), StringComparison.Ordinal);
        Assert.Equal(["initrd.img-6.1"], Describe(("vmlinuz-6.1", BootFiles.BzImage()), ("initrd.img-6.1", BootFiles.Initrd()), ("initrd.img-5.10", BootFiles.Initrd())).Initrd);
    }

    [Fact]
    public void Refuses_loaders_and_kernels_for_another_processor_each_by_name()
    {
        var refusal = Refusal(new ImageRequest("i") { Architecture = CpuArchitecture.Arm64 }, null,
            ("linux", BootFiles.BzImage()), ("grubaa64.efi", BootFiles.Efi(PeMachine.Amd64)), ("shimx64.efi", BootFiles.Efi(PeMachine.I386)), ("snponly.efi", BootFiles.Efi(PeMachine.RiscV64)));
        Assert.Contains("'linux' is a kernel for x86_64, and the image is for aarch64", refusal, StringComparison.Ordinal);
        Assert.Contains("'grubaa64.efi' is a boot loader for x86_64, and the image is for aarch64", refusal, StringComparison.Ordinal);
        Assert.Contains($"'shimx64.efi' is a boot loader for {Values.NameOf(CpuArchitecture.X86)}", refusal, StringComparison.Ordinal);
        Assert.Contains("'snponly.efi' is a boot loader for RiscV64 (0x5064)", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void Leaves_other_programs_for_other_processors_alone() =>
        Assert.Equal(CpuArchitecture.X64, Describe([.. BootFiles.Debian(), ("efi/boot/bootia32.efi", BootFiles.Efi(PeMachine.I386))]).Architecture);

    [Fact]
    public void Refuses_a_loader_that_is_no_program() =>
        Assert.Contains("'grubx64.efi' has a boot loader's name and is no UEFI program: it does not begin with an MZ header",
            Refusal(("linux", BootFiles.BzImage()), ("grubx64.efi", "<html>404</html>"u8.ToArray())), StringComparison.Ordinal);

    [Fact]
    public void Refuses_a_directory_without_kernel() =>
        Assert.Contains("None of the 1 files is a Linux kernel", Refusal(("readme", [1])), StringComparison.Ordinal);

    [Fact]
    public void Refuses_named_files_that_are_not_there_or_not_that_both_at_once()
    {
        var refusal = Refusal(new ImageRequest("i") { Kernel = "readme", Initrd = ["nope", "linux"] }, null, ("linux", BootFiles.BzImage()), ("readme", [1]));
        Assert.Contains("'readme' is not a Linux kernel", refusal, StringComparison.Ordinal);
        Assert.Contains("There is no 'nope' among the 2 imported files", refusal, StringComparison.Ordinal);
        Assert.Contains("'linux' is not an initial RAM disk", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_declared_stays_and_has_to_be_there()
    {
        var declared = new ImageSpec { Architecture = CpuArchitecture.X64, Kernel = "b/vmlinuz", KernelArguments = ["quiet"], Distribution = "debian" };
        var spec = Describe(new ImageRequest("i"), declared, ("a/vmlinuz", BootFiles.BzImage()), ("b/vmlinuz", BootFiles.BzImage()));
        Assert.Equal(("b/vmlinuz", "debian"), (spec.Kernel, spec.Distribution));
        Assert.Equal(["quiet"], spec.KernelArguments);
        Assert.Contains("The image says its kernel is 'b/vmlinuz', which is not among the 1 imported files", Refusal(new ImageRequest("i"), declared, ("a/vmlinuz", BootFiles.BzImage())), StringComparison.Ordinal);
    }

    private static string Refusal(params (string Path, byte[] Content)[] files) => Refusal(new ImageRequest("i"), null, files);

    private static string Refusal(ImageRequest request, ImageSpec? declared, params (string Path, byte[] Content)[] files) =>
        Assert.Throws<ChangeRefusedException>(() => Describe(request, declared, files)).Message;

    private static ImageSpec Describe(params (string Path, byte[] Content)[] files) => Describe(new ImageRequest("i"), null, files);

    private static ImageSpec Describe(ImageRequest request, ImageSpec? declared, params (string Path, byte[] Content)[] files) =>
        ImageContents.Describe([.. files.Select(f => StagedFile.Inspect(f.Path, f.Content.Length, "", f.Content))], request, declared);
}
