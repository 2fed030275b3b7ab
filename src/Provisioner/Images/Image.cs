using System.Collections.Immutable;
using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Resources;

namespace Provisioner.Images;

/// <summary>An operating system to install, and the files it boots with.</summary>
public sealed record Image(Metadata Metadata, ImageSpec Spec) : IResource
{
    public string Kind => "Image";

    public string Name => Metadata.Name;

    /// <summary>Written by an import alone.</summary>
    public ImageStatus Status { get; init; } = new();

    /// <summary>The imported file of that name, or null.</summary>
    public ImageFile? File(string path) => Status.Files.FirstOrDefault(f => f.Path == path);

    /// <summary>Where an installer finds what it installs, as the image says it; null when it does not.</summary>
    /// <param name="httpRoot">Where the boot plane is reached.</param>
    public string? InstallSourceUrl(string httpRoot) => Spec.InstallSource switch
    {
        null => null,
        { } source when source.Contains("://", StringComparison.Ordinal) || PackageSource.IsCached(source) => PackageSource.AddressOf(source, httpRoot),
        "." => $"{httpRoot}/images/{Name}",
        { } path => $"{httpRoot}/images/{Name}/{path}",
    };
}

/// <summary>Distributions whose installers are fetched and told what to do in the same way.</summary>
public enum DistributionFamily
{
    /// <summary>Anaconda: RHEL and its rebuilds, Fedora.</summary>
    Rhel,

    /// <summary>casper and Subiquity, from the disc's image in memory.</summary>
    Ubuntu,

    /// <summary>debian-installer, from a mirror.</summary>
    Debian,
}

public sealed record ImageSpec
{
    public DistributionFamily? Family { get; init; }

    public string? Distribution { get; init; }

    public string? Version { get; init; }

    public required CpuArchitecture Architecture { get; init; }

    /// <summary>Path of the kernel inside the image.</summary>
    public required string Kernel { get; init; }

    /// <summary>Paths of the initial RAM disks inside the image, in order.</summary>
    public ImmutableArray<string> Initrd { get; init; } = [];

    public ImmutableArray<string> KernelArguments { get; init; } = [];

    /// <summary>
    /// Where the installer finds what it installs: a path inside the image (<c>.</c> for all of it) or a mirror's URL. Null when it
    /// needs none, or the kernel arguments say it.
    /// </summary>
    public string? InstallSource { get; init; }

    /// <summary>Boot loaders that come with the image, by path inside it.</summary>
    public BootLoaders BootLoaders { get; init; } = new();

    /// <summary>Where its disc comes from.</summary>
    public ImageSource? Source { get; init; }

    /// <summary>What a server needs to install it, in MiB.</summary>
    public int? MinimumMemory { get; init; }

    /// <summary>What is known to go wrong with it, for people.</summary>
    public ImmutableArray<string> Traps { get; init; } = [];
}

/// <summary>Where an image's disc comes from.</summary>
public sealed record ImageSource
{
    /// <summary>Where anybody may download it.</summary>
    public string? Url { get; init; }

    /// <summary>Of the disc's file, lower-case hexadecimal.</summary>
    public string? Sha256 { get; init; }

    /// <summary>How its file comes here when there is no <see cref="Url"/>.</summary>
    public IsoOrigin? Iso { get; init; }
}

/// <summary>How an ISO image comes to the appliance.</summary>
public enum IsoOrigin
{
    /// <summary>It is not to be had without an account: a person brings the file.</summary>
    Bring,
}

/// <summary>Boot loaders of an image, by path inside it. Only the last part of the path is what firmware asks for.</summary>
public sealed record BootLoaders
{
    /// <summary>The shim that firmware loads under Secure Boot.</summary>
    public string? Shim { get; init; }

    /// <summary>The GRUB that this shim loads, by the name built into shim.</summary>
    public string? Grub { get; init; }

    /// <summary>iPXE for this image's architecture, by TFTP or HTTP Boot.</summary>
    public string? Ipxe { get; init; }
}

public sealed record ImageStatus
{
    public ImmutableArray<ImageFile> Files { get; init; } = [];

    /// <summary>Names the directory of the import these files are from; each import makes a new one.</summary>
    public string? Generation { get; init; }

    public DateTimeOffset? ImportedAt { get; init; }

    /// <summary>What the files were checked against when they came from a disc's image, a phrase each.</summary>
    public ImmutableArray<string> Verified { get; init; } = [];
}

/// <summary>One imported file.</summary>
/// <param name="Path">Relative, with <c>/</c>, lower and upper case as imported.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Sha256">Lower-case hexadecimal.</param>
/// <param name="Machine">The architecture its PE or kernel header names; null for other files.</param>
public sealed record ImageFile(string Path, long Size, string Sha256, CpuArchitecture? Machine);
