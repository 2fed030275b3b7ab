using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Images;

/// <summary>The keys of an Image's <c>spec</c>, and its <c>status</c> as it is written.</summary>
internal static class ImageFields
{
    public static readonly Shape<ImageSpec> Spec = Declare();

    /// <summary>What an import found; never read back.</summary>
    public static JsonObject? WriteStatus(Image image)
    {
        if (image.Status.Files.IsDefaultOrEmpty && image.Status.ImportedAt is null)
            return null;
        var status = new JsonObject();
        if (image.Status.ImportedAt is { } at)
            status["importedAt"] = MetadataFields.At(at);
        status["files"] = new JsonArray([.. image.Status.Files.Select(JsonNode? (file) =>
        {
            var written = new JsonObject { ["path"] = file.Path, ["size"] = file.Size, ["sha256"] = file.Sha256 };
            if (file.Machine is { } machine)
                written["machine"] = Values.NameOf(machine);
            return written;
        })]);
        if (!image.Status.Verified.IsDefaultOrEmpty)
            status["verified"] = new JsonArray([.. image.Status.Verified.Select(v => (JsonNode)v)]);
        return status;
    }

    private static Shape<ImageSpec> Declare()
    {
        var shape = new Shape<ImageSpec>("an Image's spec", () => new ImageSpec { Architecture = default, Kernel = "" });
        shape.Optional("family", Values.OneOf("a family", ("rhel", DistributionFamily.Rhel), ("ubuntu", DistributionFamily.Ubuntu), ("debian", DistributionFamily.Debian)),
            i => i.Family, (i, v) => i with { Family = v }, "How its installer is fetched and told what to do; rhel for its rebuilds and Fedora as well.");
        shape.Optional("distribution", Values.Text, i => i.Distribution, (i, v) => i with { Distribution = v }, "Such as debian.");
        shape.Optional("version", Values.Text, i => i.Version, (i, v) => i with { Version = v }, "Such as \"12\".");
        shape.Required("architecture", Values.CpuArchitecture, i => i.Architecture, (i, v) => i with { Architecture = v }, "The processor it is made for.");
        shape.Required("kernel", Values.ImagePath, i => i.Kernel, (i, v) => i with { Kernel = v }, "Path of the kernel inside the image.");
        shape.Optional("initrd", new ListKind<string>(Values.ImagePath, maximum: 16, single: true), i => i.Initrd, (i, v) => i with { Initrd = v },
            "Paths of the initial RAM disks inside the image, in order.");
        shape.Optional("kernelArguments", new ListKind<string>(Values.KernelArgument), i => i.KernelArguments, (i, v) => i with { KernelArguments = v },
            "The kernel command line, one argument an item.");
        shape.Optional("installSource", Values.InstallSource, i => i.InstallSource, (i, v) => i with { InstallSource = v },
            "Where the installer finds what it installs. The kernel is told by inst.repo= (rhel) or url= (ubuntu).");
        shape.Optional("bootLoaders", Loaders(), i => i.BootLoaders == new BootLoaders() ? null : i.BootLoaders, (i, v) => i with { BootLoaders = v },
            "Boot loaders that come with the image, by path inside it.");
        shape.Optional("source", Source(), i => i.Source, (i, v) => i with { Source = v }, "Where its disc comes from.");
        shape.Optional("minimumMemory", Values.Memory, i => i.MinimumMemory, (i, v) => i with { MinimumMemory = v }, "What a server needs to install it.");
        shape.Optional("traps", new ListKind<string>(Values.Sentence), i => i.Traps, (i, v) => i with { Traps = v }, "What is known to go wrong with it, for people.");
        return shape;
    }

    private static Shape<ImageSource> Source()
    {
        var shape = new Shape<ImageSource>("source", () => new ImageSource());
        shape.Optional("url", Values.Url, s => s.Url, (s, v) => s with { Url = v }, "Where 'provisioner image pull' downloads it.");
        shape.Optional("sha256", Values.Sha256, s => s.Sha256, (s, v) => s with { Sha256 = v }, "The disc's checksum; without one it is given at the import.");
        shape.Optional("iso", Values.OneOf("a word", ("bring", IsoOrigin.Bring)), s => s.Iso, (s, v) => s with { Iso = v },
            "bring: it is not to be had without an account, so a person brings the file.");
        shape.Check((source, report) =>
        {
            if (source.Iso is not null && source.Url is not null)
                report("iso", "there is a url as well", "bring", "one of url and iso: bring");
        });
        return shape;
    }

    private static Shape<BootLoaders> Loaders()
    {
        var shape = new Shape<BootLoaders>("bootLoaders", () => new BootLoaders());
        shape.Optional("shim", Values.ImagePath, l => l.Shim, (l, v) => l with { Shim = v }, "The shim that firmware loads under Secure Boot.");
        shape.Optional("grub", Values.ImagePath, l => l.Grub, (l, v) => l with { Grub = v }, "The GRUB that this shim loads, by the name built into shim.");
        shape.Optional("ipxe", Values.ImagePath, l => l.Ipxe, (l, v) => l with { Ipxe = v }, "iPXE for the image's architecture.");
        return shape;
    }
}
