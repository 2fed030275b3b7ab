using System.Security.Cryptography;
using System.Text;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>An ISO image is imported, and a server boots from what was in it.</summary>
public sealed class DiscTests
{
    private const string Mac = "52:54:00:77:00:09";

    [Fact]
    public async Task A_server_boots_as_far_as_the_kernel_of_an_imported_ISO_image()
    {
        Prerequisites.SkipWithout(Firmware.UefiX64, "xorriso", "bsdtar", "implantisomd5");
        await using var site = await Site.CreateAsync(Firmware.UefiX64, SiteResources.Reserve);
        var iso = await MakeAsync(site.Network.Directory);
        var said = await site.Service.DoAsync("image", "import", iso, "--name", "rhel-9");
        Assert.Contains("checked against the checksum implanted into it, 2 sums of its .treeinfo", said, StringComparison.Ordinal);
        await site.Service.ApplyAsync(SiteResources.Profile(Firmware.UefiX64, "rhel-9"));
        await site.RegisterAsync("server-1", Mac);
        await site.Service.DoAsync("provision", "server-1");
        var server = site.AddServer(Mac);

        await server.PowerOnAsync();
        await site.WaitForAsync(server, Site.KernelStarted);

        Assert.Contains($"inst.repo=http://{LabNetwork.Address}:8080/images/rhel-9", server.Serial(), StringComparison.Ordinal);
        Timeline.AssertInOrder(await site.Service.EventsAsync("server-1"),
            new("tftp", "snponly.efi"), new("http", "boot.ipxe"), new("http", "images/rhel-9/images/pxeboot/vmlinuz"), new("http", "images/rhel-9/images/pxeboot/initrd.img"));
    }

    /// <summary>A disc in RHEL's shape, with Debian's kernel and initial RAM disk.</summary>
    private static async Task<string> MakeAsync(string directory)
    {
        var tree = Path.Combine(directory, "disc");
        var boot = Path.Combine(tree, "images", "pxeboot");
        Directory.CreateDirectory(boot);
        Directory.CreateDirectory(Path.Combine(tree, "isolinux"));
        var (kernel, initrd) = (Path.Combine(boot, "vmlinuz"), Path.Combine(boot, "initrd.img"));
        File.Copy(Path.Combine(Prerequisites.ImageAmd64, "linux"), kernel);
        File.Copy(Path.Combine(Prerequisites.ImageAmd64, "initrd.gz"), initrd);
        // As on the real disc, the kernel is there by a second name as well.
        (await LabProcess.RunAsync("ln", [kernel, Path.Combine(tree, "isolinux", "vmlinuz")])).OrThrow();
        await File.WriteAllTextAsync(Path.Combine(tree, ".discinfo"), "1713453213.123456\nRed Hat Enterprise Linux 9.4\nx86_64\nALL\n");
        await File.WriteAllTextAsync(Path.Combine(tree, ".treeinfo"), $"""
            [checksums]
            images/pxeboot/initrd.img = sha256:{Sum(initrd)}
            images/pxeboot/vmlinuz = sha256:{Sum(kernel)}

            [images-x86_64]
            initrd = images/pxeboot/initrd.img
            kernel = images/pxeboot/vmlinuz

            [release]
            name = Red Hat Enterprise Linux
            version = 9.4

            [tree]
            arch = x86_64

            """, new UTF8Encoding(false));
        var iso = Path.Combine(directory, "disc.iso");
        (await LabProcess.RunAsync("xorriso", ["-as", "mkisofs", "-quiet", "-r", "-J", "-V", "RHEL-9-4-0-BaseOS-x86_64", "-o", iso, tree])).OrThrow();
        (await LabProcess.RunAsync("implantisomd5", [iso])).OrThrow();
        return iso;
    }

    private static string Sum(string file)
    {
        using var stream = File.OpenRead(file);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
