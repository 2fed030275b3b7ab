using System.Collections.Immutable;
using Provisioner.Boot;
using Provisioner.Protocols.Pe;
using Provisioner.Resources;

namespace Provisioner.Images;

/// <summary>What a person says of an image they import; what is not said is found in the files.</summary>
internal sealed record ImageRequest(string Name)
{
    public CpuArchitecture? Architecture { get; init; }

    public string? Kernel { get; init; }

    public ImmutableArray<string> Initrd { get; init; } = [];

    public string? Distribution { get; init; }

    public string? Version { get; init; }
}

/// <summary>
/// Finds kernel, initial RAM disk and boot loaders among the files of an import, and refuses by name what another processor
/// would be needed for: on the server a wrong loader fails without a word (sidero#1295).
/// </summary>
internal static class ImageContents
{
    private enum LoaderRole
    {
        Shim,
        Grub,
        Ipxe,
    }

    /// <summary>
    /// Names that say what a loader is, best first. <c>bootnet*.efi</c> is Debian's name for shim among its netboot files, and
    /// <c>grubx64.efi</c> the name built into shim; <c>.signed</c> is how Debian's packages end.
    /// </summary>
    private static readonly (LoaderRole Role, string Name)[] LoaderNames =
    [
        (LoaderRole.Shim, "bootnetx64.efi"), (LoaderRole.Shim, "bootnetaa64.efi"),
        (LoaderRole.Shim, "shimx64.efi"), (LoaderRole.Shim, "shimaa64.efi"),
        (LoaderRole.Shim, "shimx64.efi.signed"), (LoaderRole.Shim, "shimaa64.efi.signed"),
        (LoaderRole.Shim, "bootx64.efi"), (LoaderRole.Shim, "bootaa64.efi"),
        (LoaderRole.Grub, "grubx64.efi"), (LoaderRole.Grub, "grubaa64.efi"),
        (LoaderRole.Grub, "grubnetx64.efi"), (LoaderRole.Grub, "grubnetaa64.efi"),
        (LoaderRole.Grub, "grubx64.efi.signed"), (LoaderRole.Grub, "grubaa64.efi.signed"),
        (LoaderRole.Grub, "grubnetx64.efi.signed"), (LoaderRole.Grub, "grubnetaa64.efi.signed"),
        (LoaderRole.Ipxe, "snponly*.efi"), (LoaderRole.Ipxe, "ipxe*.efi"),
    ];

    /// <summary>Puts together the image's spec.</summary>
    /// <param name="files">All files of the import.</param>
    /// <param name="request">What the person says; it goes before what was declared, and that before what is found.</param>
    /// <param name="declared">The image as it is registered, or null.</param>
    /// <exception cref="ChangeRefusedException">Every mistake there is.</exception>
    public static ImageSpec Describe(ImmutableArray<StagedFile> files, ImageRequest request, ImageSpec? declared)
    {
        var mistakes = new List<Mistake>();
        var byPath = files.ToDictionary(f => f.Path, StringComparer.Ordinal);
        var kernel = FindKernel(files, byPath, request.Kernel ?? declared?.Kernel, request.Kernel is null, mistakes);
        var architecture = request.Architecture ?? declared?.Architecture ?? (kernel?.Machine is { } machine ? StagedFile.CpuOf(machine) : null);
        if (architecture is null && kernel is not null)
            mistakes.Add(new Mistake($"'{kernel.Path}' is made for {kernel.Machine}, which the appliance does not boot")
            {
                Path = "kernel", Value = kernel.Path, Expected = "a kernel for x86_64 or aarch64",
            });
        if (architecture is CpuArchitecture.X86 or CpuArchitecture.Arm)
            mistakes.Add(new Mistake($"The image is for {Name(architecture.Value)}, which the appliance does not boot")
            {
                Path = "architecture", Value = Name(architecture.Value), Expected = "x86_64 or aarch64",
            });
        else if (architecture is { } wanted)
            RefuseOtherArchitectures(files, kernel, wanted, mistakes);
        var initrd = FindInitrd(files, byPath, kernel, request.Initrd.IsEmpty ? declared?.Initrd ?? [] : request.Initrd, mistakes);
        if (mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, mistakes);
        return (declared ?? new ImageSpec { Architecture = architecture!.Value, Kernel = kernel!.Path }) with
        {
            Architecture = architecture!.Value,
            Kernel = kernel!.Path,
            Initrd = initrd,
            Distribution = request.Distribution ?? declared?.Distribution,
            Version = request.Version ?? declared?.Version,
            BootLoaders = new BootLoaders
            {
                Shim = Declared(declared?.BootLoaders.Shim, byPath) ?? FindLoader(files, LoaderRole.Shim),
                Grub = Declared(declared?.BootLoaders.Grub, byPath) ?? FindLoader(files, LoaderRole.Grub),
                Ipxe = Declared(declared?.BootLoaders.Ipxe, byPath) ?? FindLoader(files, LoaderRole.Ipxe),
            },
        };
    }

    private static string? Declared(string? path, Dictionary<string, StagedFile> byPath) =>
        path is not null && byPath.ContainsKey(path) ? path : null;

    private static StagedFile? FindKernel(
        ImmutableArray<StagedFile> files, Dictionary<string, StagedFile> byPath, string? named, bool namedByImage, List<Mistake> mistakes)
    {
        if (named is not null)
        {
            var expected = "the path of one of " + List(files.Where(f => f.Kernel is not null));
            if (!byPath.TryGetValue(named, out var file))
            {
                var who = namedByImage ? "The image says its kernel is" : "There is no";
                mistakes.Add(new Mistake($"{who} '{named}'{(namedByImage ? ", which is not" : "")} among the {files.Length} imported files")
                {
                    Path = "kernel", Value = named, Expected = expected,
                });
                return null;
            }
            if (file.Kernel is null)
            {
                mistakes.Add(new Mistake($"'{named}' is not a Linux kernel: it is neither an x86 bzImage nor an arm64 Image")
                {
                    Path = "kernel", Value = named, Expected = expected,
                });
                return null;
            }
            return file;
        }
        var kernels = files.Where(f => f.Kernel is not null).ToList();
        if (kernels.Count == 0)
        {
            mistakes.Add(new Mistake($"None of the {files.Length} files is a Linux kernel (x86 bzImage or arm64 Image)")
            {
                Path = "kernel", Expected = "the directory that holds the distribution's netboot kernel and initrd",
            });
            return null;
        }
        // A distribution's tree repeats its kernel deeper down for other installers: the one nearest to the top is meant.
        var nearest = kernels.Where(k => k.Depth == kernels.Min(other => other.Depth)).ToList();
        if (nearest.Count == 1)
            return nearest[0];
        mistakes.Add(new Mistake($"There are {nearest.Count} kernels: {List(nearest)}")
        {
            Path = "kernel", Expected = "one of them, by --kernel FILE",
        });
        return null;
    }

    private static ImmutableArray<string> FindInitrd(
        ImmutableArray<StagedFile> files, Dictionary<string, StagedFile> byPath, StagedFile? kernel, ImmutableArray<string> named, List<Mistake> mistakes)
    {
        foreach (var path in named)
        {
            if (!byPath.TryGetValue(path, out var file))
                mistakes.Add(new Mistake($"There is no '{path}' among the {files.Length} imported files")
                {
                    Path = "initrd", Value = path, Expected = "the path of one of " + List(files.Where(f => f.IsArchive)),
                });
            else if (!file.IsArchive)
                mistakes.Add(new Mistake($"'{path}' is not an initial RAM disk: it is neither a cpio archive nor a compressed one")
                {
                    Path = "initrd", Value = path,
                });
        }
        if (named.Length > 0 || kernel is null)
            return named;
        var beside = files.Where(f => f.IsArchive && f.Folder == kernel.Folder
            && (f.Name.StartsWith("initrd", StringComparison.OrdinalIgnoreCase) || f.Name.StartsWith("initramfs", StringComparison.OrdinalIgnoreCase))).ToList();
        if (beside.Count > 1)
        {
            var version = kernel.Name.IndexOf('-', StringComparison.Ordinal) is var dash and >= 0 ? kernel.Name[dash..] : null;
            if (version is not null && beside.Where(f => f.Name.Contains(version, StringComparison.Ordinal)).ToList() is [var match])
                return [match.Path];
            mistakes.Add(new Mistake($"There are {beside.Count} initial RAM disks beside the kernel: {List(beside)}")
            {
                Path = "initrd", Expected = "one of them, by --initrd FILE",
            });
        }
        return [.. beside.Select(f => f.Path)];
    }

    private static void RefuseOtherArchitectures(ImmutableArray<StagedFile> files, StagedFile? kernel, CpuArchitecture wanted, List<Mistake> mistakes)
    {
        if (kernel?.Machine is { } kernelMachine && StagedFile.CpuOf(kernelMachine) != wanted)
            mistakes.Add(new Mistake($"'{kernel.Path}' is a kernel for {Name(kernelMachine)}, and the image is for {Name(wanted)}")
            {
                Path = "kernel", Value = kernel.Path, Expected = $"a kernel for {Name(wanted)}, or --architecture {Name(kernelMachine)}",
            });
        foreach (var file in files.Where(f => RoleOf(f) is not null))
        {
            if (file.Pe is not { } pe)
                mistakes.Add(new Mistake($"'{file.Path}' has a boot loader's name and is no UEFI program: {file.NoPeBecause}") { Path = "file", Value = file.Path });
            else if (StagedFile.CpuOf(pe.Machine) != wanted)
                mistakes.Add(new Mistake($"'{file.Path}' is a boot loader for {Name(pe.Machine)}, and the image is for {Name(wanted)}")
                {
                    Path = "file", Value = file.Path, Expected = $"boot loaders for {Name(wanted)} only: leave this one out, or import it as an image of its own",
                });
            else if (!pe.IsEfi)
                mistakes.Add(new Mistake($"'{file.Path}' has a boot loader's name and is a PE program of subsystem {pe.Subsystem}, not one for UEFI") { Path = "file", Value = file.Path });
        }
    }

    private static string? FindLoader(ImmutableArray<StagedFile> files, LoaderRole role) => files
        .Select(file => (File: file, Role: RoleOf(file)))
        .Where(found => found.Role?.Role == role)
        .OrderBy(found => found.Role!.Value.Rank).ThenBy(found => found.File.Depth).ThenBy(found => found.File.Path, StringComparer.Ordinal)
        .Select(found => found.File.Path)
        .FirstOrDefault();

    private static (LoaderRole Role, int Rank)? RoleOf(StagedFile file)
    {
        for (var rank = 0; rank < LoaderNames.Length; rank++)
        {
            if (System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(LoaderNames[rank].Name, file.Name, ignoreCase: true))
                return (LoaderNames[rank].Role, rank);
        }
        return null;
    }

    private static string List(IEnumerable<StagedFile> files)
    {
        var paths = files.Select(f => $"'{f.Path}'").Take(9).ToList();
        return paths.Count switch
        {
            0 => "the imported files",
            9 => string.Join(", ", paths.Take(8)) + " and more",
            _ => string.Join(", ", paths),
        };
    }

    private static string Name(CpuArchitecture architecture) => Values.NameOf(architecture);

    private static string Name(PeMachine machine) => StagedFile.CpuOf(machine) is { } cpu ? Name(cpu) : $"{machine} (0x{(ushort)machine:x4})";
}
