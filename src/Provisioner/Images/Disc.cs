using System.Collections.Immutable;
using Provisioner.Boot;
using Provisioner.Protocols.Media;
using Provisioner.Resources;

namespace Provisioner.Images;

/// <summary>What an ISO image says it is, and so what of it is taken.</summary>
/// <param name="Family">How its installer works.</param>
/// <param name="Distribution">As os-release names it: <c>rhel</c>, <c>rocky</c>, <c>ubuntu</c>.</param>
/// <param name="Version">Such as <c>9.4</c>.</param>
/// <param name="Architecture">The processor it is for.</param>
/// <param name="Kernel">Path of the kernel to boot over the network.</param>
/// <param name="Initrd">Path of its initial RAM disk.</param>
internal sealed record Disc(DistributionFamily Family, string Distribution, string Version, CpuArchitecture Architecture, string Kernel, string Initrd)
{
    /// <summary>The files a disc is known by, and its lists of sums: all that is read before the rest.</summary>
    public static ImmutableArray<string> Marks { get; } = [".treeinfo", ".discinfo", ".disk/info", ".disk/mini-info", "md5sum.txt"];

    /// <summary>Debian's largest disc lists 60,000 files.</summary>
    public const int LargestMark = 16 << 20;

    /// <summary>SHA-256 sums the disc gives of its own files, by path.</summary>
    public ImmutableSortedDictionary<string, string> Sha256 { get; private init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>MD5 sums the disc gives of its own files, by path.</summary>
    public ImmutableDictionary<string, string> Md5 { get; private init; } = ImmutableDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>The list those sums are from.</summary>
    public string? ListedIn { get; private init; }

    /// <summary>The ISO image itself is served: its installer runs from it.</summary>
    public bool ServesItself => Family == DistributionFamily.Ubuntu;

    /// <summary>Whether a file of the disc becomes one of the image.</summary>
    public bool Takes(string path, bool bootOnly)
    {
        if (Family == DistributionFamily.Rhel && !bootOnly)
            return true;
        if (path == Kernel || path == Initrd || Array.IndexOf([".treeinfo", ".discinfo", ".disk/info"], path) >= 0)
            return true;
        var (folder, name) = path.LastIndexOf('/') is var slash and >= 0 ? (path[..slash], path[(slash + 1)..]) : ("", path);
        if (!folder.Equals("EFI/BOOT", StringComparison.OrdinalIgnoreCase) || !name.EndsWith(".efi", StringComparison.OrdinalIgnoreCase))
            return false;
        // Ubuntu's and Debian's discs carry a GRUB that reads discs alone (gcdx64.efi); with it shim would end at a prompt.
        return Family == DistributionFamily.Rhel || !name.StartsWith("grub", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Recognises a disc by its marks.</summary>
    /// <param name="marks">Those of <see cref="Marks"/> that it has.</param>
    /// <exception cref="ChangeRefusedException">It is none that is known here, or contradicts itself.</exception>
    public static Disc Recognise(IReadOnlyDictionary<string, byte[]> marks)
    {
        if (marks.ContainsKey(".treeinfo") || marks.ContainsKey(".discinfo"))
            return RedHat(marks);
        if (marks.TryGetValue(".disk/info", out var info) || marks.TryGetValue(".disk/mini-info", out info))
            return DebianOrUbuntu(info, marks);
        throw Refused("This ISO image is of no distribution known here: it has neither .treeinfo nor .discinfo (RHEL and its rebuilds) nor .disk/info (Ubuntu, Debian). "
            + "Unpack its netboot files into a directory, and import that");
    }

    private static Disc RedHat(IReadOnlyDictionary<string, byte[]> marks)
    {
        DiscInfo? disc = null;
        if (marks.TryGetValue(".discinfo", out var bytes))
            disc = DiscInfo.TryParse(bytes, out var read, out var reason) ? read : throw Refused($"The ISO image is damaged: {Shown(reason)}");
        if (!marks.TryGetValue(".treeinfo", out bytes))
        {
            return new(DistributionFamily.Rhel, WordOf(disc!.Value.Name), disc.Value.Version, ArchitectureOf(disc.Value.Architecture),
                "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img");
        }
        if (!TreeInfo.TryParse(bytes, out var tree, out var wrong))
            throw Refused($"The ISO image is damaged: {Shown(wrong)}");
        // A name may differ in words between the two; the processor may not.
        if (disc is { } other && other.Architecture != tree.Architecture)
            throw Refused($"The ISO image contradicts itself: .treeinfo is for {Shown(tree.Architecture)}, .discinfo for {Shown(other.Architecture)}");
        return new(DistributionFamily.Rhel, WordOf(tree.Name), tree.Version, ArchitectureOf(tree.Architecture),
            tree.Kernel ?? "images/pxeboot/vmlinuz", tree.Initrd ?? "images/pxeboot/initrd.img")
        {
            Sha256 = tree.Sha256,
            ListedIn = tree.Sha256.IsEmpty ? null : ".treeinfo",
        };
    }

    private static Disc DebianOrUbuntu(byte[] info, IReadOnlyDictionary<string, byte[]> marks)
    {
        if (!DiskInfo.TryParse(info, out var disk, out var reason))
            throw Refused($"The ISO image is damaged: {Shown(reason)}");
        var architecture = ArchitectureOf(disk.Architecture);
        var md5 = ImmutableDictionary.Create<string, string>(StringComparer.Ordinal);
        if (marks.TryGetValue("md5sum.txt", out var list))
            md5 = ChecksumList.TryParse(list, digits: 32, out var sums, out var wrong) ? sums : throw Refused($"The ISO image is damaged: in md5sum.txt, {wrong}");
        if (disk.Name.StartsWith("Ubuntu", StringComparison.OrdinalIgnoreCase))
        {
            return new(DistributionFamily.Ubuntu, "ubuntu", disk.Version, architecture, "casper/vmlinuz", "casper/initrd")
            {
                Md5 = md5,
                ListedIn = md5.IsEmpty ? null : "md5sum.txt",
            };
        }
        if (!disk.Name.StartsWith("Debian", StringComparison.OrdinalIgnoreCase))
            throw Refused($"This ISO image is '{Shown(disk.Text)}', which is not known here. Unpack its netboot files into a directory, and import that");
        // The initrd of every other disc looks for that disc in a drive, and finds none.
        if (!marks.ContainsKey(".disk/mini-info"))
        {
            throw Refused($"This is the disc '{Shown(disk.Text)}', whose installer looks for its disc in a drive and does not start over the network. "
                + "Import Debian's netboot files instead: mini.iso, or the directory of the package debian-installer-12-netboot-amd64");
        }
        return new(DistributionFamily.Debian, "debian", disk.Version, architecture, "linux", "initrd.gz") { Md5 = md5, ListedIn = md5.IsEmpty ? null : "md5sum.txt" };
    }

    private static string WordOf(string name) => name.ToLowerInvariant() switch
    {
        "red hat enterprise linux" => "rhel",
        "centos" or "centos linux" or "centos stream" => "centos",
        "rocky" or "rocky linux" => "rocky",
        "almalinux" => "almalinux",
        "oracle linux" or "oracle linux server" => "ol",
        var other => string.Join('-', other.Split(' ', StringSplitOptions.RemoveEmptyEntries)),
    };

    private static CpuArchitecture ArchitectureOf(string word)
    {
        var reading = new Reading();
        return Values.CpuArchitecture.TryRead(new TextNode.Scalar(word, true, new TextPosition(1, 1)), "architecture", reading, out var architecture)
            ? architecture
            : throw Refused($"The ISO image is for '{Shown(word)}', which the appliance does not boot: x86_64 and aarch64 are");
    }

    /// <summary>Words of the disc's own, as they may stand in a message.</summary>
    private static string Shown(string text) => Texts.OneLine(text, 100);

    private static ChangeRefusedException Refused(string message) => new(RefusalKind.Invalid, [new Mistake(message) { Path = "iso" }]);
}
