using System.Security.Cryptography;
using System.Text;
using Provisioner.Protocols.Pe;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Images;

/// <summary>ISO images in the shape of distributions' discs, made by xorriso as theirs are.</summary>
internal static class Discs
{
    public static void SkipWithoutTools() => Tool.SkipWithout("/usr/bin/xorriso", "/usr/bin/bsdtar", "/usr/bin/implantisomd5");

    /// <summary>RHEL's: its kernel has two names and one body, as on the real one.</summary>
    public static Dictionary<string, byte[]> RedHat(string architecture = "x86_64", string version = "9.4", string name = "Red Hat Enterprise Linux")
    {
        var arm = architecture == "aarch64";
        var machine = arm ? PeMachine.Arm64 : PeMachine.Amd64;
        var kernel = arm ? BootFiles.Arm64Image() : BootFiles.BzImage();
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal)
        {
            [".discinfo"] = Text($"1713453213.123456\n{name} {version}\n{architecture}\nALL\n"),
            ["media.repo"] = Text("[InstallMedia]\n"),
            ["images/pxeboot/vmlinuz"] = kernel,
            ["images/pxeboot/initrd.img"] = BootFiles.Initrd(),
            ["images/install.img"] = [.. "hsqs"u8, .. new byte[5000]],
            [arm ? "EFI/BOOT/BOOTAA64.EFI" : "EFI/BOOT/BOOTX64.EFI"] = BootFiles.Efi(machine),
            [arm ? "EFI/BOOT/grubaa64.efi" : "EFI/BOOT/grubx64.efi"] = BootFiles.Efi(machine),
            ["BaseOS/repodata/repomd.xml"] = Text("<repomd/>"),
            ["BaseOS/Packages/bash-5.1.8-9.el9.x86_64.rpm"] = [.. Enumerable.Repeat((byte)7, 3000)],
            ["AppStream/repodata/repomd.xml"] = Text("<repomd>app</repomd>"),
        };
        if (!arm)
            files["isolinux/vmlinuz"] = kernel;
        files[".treeinfo"] = TreeInfo(files, architecture, version, name);
        return files;
    }

    public static byte[] TreeInfo(Dictionary<string, byte[]> files, string architecture, string version, string name) => Text($"""
        [checksums]
        images/install.img = sha256:{Sha256(files["images/install.img"])}
        images/pxeboot/initrd.img = sha256:{Sha256(files["images/pxeboot/initrd.img"])}
        images/pxeboot/vmlinuz = sha256:{Sha256(files["images/pxeboot/vmlinuz"])}

        [header]
        type = productmd.treeinfo
        version = 1.2

        [images-{architecture}]
        initrd = images/pxeboot/initrd.img
        kernel = images/pxeboot/vmlinuz

        [release]
        name = {name}
        version = {version}

        [tree]
        arch = {architecture}

        """);

    /// <summary>The live server's of Ubuntu.</summary>
    public static Dictionary<string, byte[]> Ubuntu(string architecture = "amd64", string version = "24.04.4")
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal)
        {
            [".disk/info"] = Text($"Ubuntu-Server {version} LTS \"Noble Numbat\" - Release {architecture} (20260210)"),
            ["casper/vmlinuz"] = architecture == "amd64" ? BootFiles.BzImage() : BootFiles.Gzip(BootFiles.Arm64Image()),
            ["casper/initrd"] = BootFiles.Initrd(),
            ["casper/hwe-vmlinuz"] = [.. BootFiles.BzImage(), 1],
            ["casper/hwe-initrd"] = BootFiles.Initrd(2000),
            ["casper/ubuntu-server-minimal.squashfs"] = [.. "hsqs"u8, .. new byte[9000]],
            ["EFI/boot/bootx64.efi"] = BootFiles.Efi(PeMachine.Amd64),
            ["EFI/boot/grubx64.efi"] = BootFiles.Efi(PeMachine.Amd64),
            ["boot/grub/i386-pc/eltorito.img"] = new byte[4096],
        };
        if (architecture != "amd64")
        {
            files.Remove("EFI/boot/bootx64.efi");
            files.Remove("EFI/boot/grubx64.efi");
        }
        var sums = string.Concat(files.Select(f => $"{Md5(f.Value)}  ./{f.Key}\n"));
        // As their own tools do: it is listed before the table is written into it, and once more by a link.
        files["boot/grub/i386-pc/eltorito.img"][8] = 1;
        files["md5sum.txt"] = Text(sums + $"{Md5(files["casper/initrd"])}  ./ubuntu/casper/initrd\n");
        return files;
    }

    /// <summary>Makes the ISO image.</summary>
    /// <param name="directory">Of the test.</param>
    /// <param name="files">By path.</param>
    /// <param name="prepare">Changes the tree before it is made an image of.</param>
    /// <param name="implant">Whether a checksum is implanted into it.</param>
    public static string Make(string directory, Dictionary<string, byte[]> files, Action<string>? prepare = null, bool implant = false)
    {
        var tree = Path.Combine(directory, Path.GetRandomFileName());
        BootFiles.WriteTo(tree, [.. files.Select(f => (f.Key, f.Value))]);
        // One body for equal contents, as RHEL's and Ubuntu's makers do by hard links.
        if (files.ContainsKey("isolinux/vmlinuz") && files.ContainsKey("images/pxeboot/vmlinuz"))
        {
            File.Delete(Path.Combine(tree, "isolinux/vmlinuz"));
            Tool.Run("ln", Path.Combine(tree, "images/pxeboot/vmlinuz"), Path.Combine(tree, "isolinux/vmlinuz"));
        }
        if (files.ContainsKey("casper/vmlinuz"))
            File.CreateSymbolicLink(Path.Combine(tree, "ubuntu"), ".");
        prepare?.Invoke(tree);
        var iso = tree + ".iso";
        Tool.Run("xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-V", "PROVISIONER_TEST", "-o", iso, tree);
        if (implant)
            Tool.Run("implantisomd5", "--force", iso);
        return iso;
    }

    /// <summary>Writes bytes in place of others of the same length, wherever they are.</summary>
    public static string Patch(string iso, byte[] from, byte[] to)
    {
        Assert.Equal(from.Length, to.Length);
        var bytes = File.ReadAllBytes(iso);
        var found = 0;
        for (var at = 0; bytes.AsSpan(at).IndexOf(from) is var next and >= 0; at += next + from.Length, found++)
            to.CopyTo(bytes.AsSpan(at + next));
        Assert.True(found > 0, "nothing to patch");
        File.WriteAllBytes(iso, bytes);
        return iso;
    }

    public static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    public static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

#pragma warning disable CA5351 // As Ubuntu lists its discs.
    public static string Md5(byte[] content) => Convert.ToHexStringLower(MD5.HashData(content));
#pragma warning restore CA5351
}
