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

    [Fact]
    public async Task A_server_boots_as_far_as_the_kernel_of_an_imported_Ubuntu_disc()
    {
        Prerequisites.SkipWithout(Firmware.UefiX64, "xorriso", "bsdtar");
        await using var site = await Site.CreateAsync(Firmware.UefiX64, SiteResources.Reserve);
        var iso = await MakeUbuntuAsync(site.Network.Directory);
        await site.Service.DoAsync("image", "import", iso, "--name", "ubuntu-24.04");
        await site.Service.ApplyAsync(SiteResources.Profile(Firmware.UefiX64, "ubuntu-24.04").TrimEnd() + """

              install:
                users:
                  - { name: ops, sudo: true, sshKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqdzPWmuzLQx1mhXkNVmDm1Ol9hO4Jq3W5pJmHq2F5T ops@example.com"] }

            """);
        await site.RegisterAsync("server-1", Mac);
        await site.Service.DoAsync("provision", "server-1");
        var server = site.AddServer(Mac);

        await server.PowerOnAsync();
        await site.WaitForAsync(server, Site.KernelStarted);

        // casper gets its image and subiquity its answers by these.
        var told = server.Serial().Split('\n').First(line => line.Contains("Command line: ", StringComparison.Ordinal));
        Assert.Contains($" url=http://{LabNetwork.Address}:8080/images/ubuntu-24.04/ubuntu-24.04.iso ", told, StringComparison.Ordinal);
        Assert.Contains($" autoinstall ds=nocloud;s=http://{LabNetwork.Address}:8080/seed/", told, StringComparison.Ordinal);
        Assert.Contains(" cloud-config-url=/dev/null ", told, StringComparison.Ordinal);
        Timeline.AssertInOrder(await site.Service.EventsAsync("server-1"),
            new("tftp", "snponly.efi"), new("http", "boot.ipxe"), new("http", "images/ubuntu-24.04/casper/vmlinuz"), new("http", "images/ubuntu-24.04/casper/initrd"));
    }

    /// <summary>A disc in Ubuntu Server's shape, with Debian's kernel and initial RAM disk.</summary>
    private static async Task<string> MakeUbuntuAsync(string directory)
    {
        var tree = Path.Combine(directory, "disc");
        foreach (var name in (string[])["casper", ".disk", "boot/grub"])
            Directory.CreateDirectory(Path.Combine(tree, name));
        File.Copy(Path.Combine(Prerequisites.ImageAmd64, "linux"), Path.Combine(tree, "casper", "vmlinuz"));
        File.Copy(Path.Combine(Prerequisites.ImageAmd64, "initrd.gz"), Path.Combine(tree, "casper", "initrd"));
        await File.WriteAllTextAsync(Path.Combine(tree, "casper", "install-sources.yaml"), "- id: ubuntu-server\n");
        await File.WriteAllTextAsync(Path.Combine(tree, ".disk", "info"), "Ubuntu-Server 24.04.3 LTS \"Noble Numbat\" - Release amd64 (20250805.1)");
        await File.WriteAllTextAsync(Path.Combine(tree, "boot", "grub", "grub.cfg"), "set timeout=30\n");
        var sums = new StringBuilder();
        foreach (var file in (string[])["casper/vmlinuz", "casper/initrd", "casper/install-sources.yaml", ".disk/info", "boot/grub/grub.cfg"])
        {
#pragma warning disable CA5351 // What is on the disc.
            sums.Append(Convert.ToHexStringLower(MD5.HashData(await File.ReadAllBytesAsync(Path.Combine(tree, file))))).Append("  ./").Append(file).Append('\n');
#pragma warning restore CA5351
        }
        await File.WriteAllTextAsync(Path.Combine(tree, "md5sum.txt"), sums.ToString());
        var iso = Path.Combine(directory, "ubuntu.iso");
        (await LabProcess.RunAsync("xorriso", ["-as", "mkisofs", "-quiet", "-r", "-J", "-V", "Ubuntu-Server 24.04.3 LTS amd64", "-o", iso, tree])).OrThrow();
        return iso;
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
