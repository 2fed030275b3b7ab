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
        return status;
    }

    private static Shape<ImageSpec> Declare()
    {
        var shape = new Shape<ImageSpec>("an Image's spec", () => new ImageSpec { Architecture = default, Kernel = "" });
        shape.Optional("distribution", Values.Text, i => i.Distribution, (i, v) => i with { Distribution = v }, "Such as debian.");
        shape.Optional("version", Values.Text, i => i.Version, (i, v) => i with { Version = v }, "Such as \"12\".");
        shape.Required("architecture", Values.CpuArchitecture, i => i.Architecture, (i, v) => i with { Architecture = v }, "The processor it is made for.");
        shape.Required("kernel", Values.ImagePath, i => i.Kernel, (i, v) => i with { Kernel = v }, "Path of the kernel inside the image.");
        shape.Optional("initrd", new ListKind<string>(Values.ImagePath, maximum: 16, single: true), i => i.Initrd, (i, v) => i with { Initrd = v },
            "Paths of the initial RAM disks inside the image, in order.");
        shape.Optional("kernelArguments", new ListKind<string>(Values.KernelArgument), i => i.KernelArguments, (i, v) => i with { KernelArguments = v },
            "The kernel command line, one argument an item.");
        shape.Optional("bootLoaders", Loaders(), i => i.BootLoaders == new BootLoaders() ? null : i.BootLoaders, (i, v) => i with { BootLoaders = v },
            "Boot loaders that come with the image, by path inside it.");
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
