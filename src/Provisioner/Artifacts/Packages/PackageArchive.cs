using System.IO.Compression;

namespace Provisioner.Artifacts.Packages;

/// <summary>One package of an archive.</summary>
/// <param name="Path">Below <c>/artifacts/</c>.</param>
/// <param name="Provides">Names it stands for besides its own.</param>
/// <param name="Requires">What it needs, as the archive writes it: <see cref="PackageArchive.Relations"/> reads it when it is wanted.</param>
/// <param name="Recommends">What is installed along when it is there.</param>
internal sealed record Package(PackageArchive Archive, string Name, string Version, string Path, string[] Provides, string Requires, string Recommends);

/// <summary>A file of an archive that a package manager fetches before packages.</summary>
/// <param name="Reads">How it is packed (<c>.gz</c>, or nothing) when it lists packages and is read here; null when it is only for hosts.</param>
internal sealed record ArchiveIndex(string Path, string? Reads);

/// <summary>An archive of packages in the cache, for one processor: what a host's package manager fetches of it.</summary>
/// <param name="Root">Below <c>/artifacts/</c>: the upstream's name, and perhaps a path.</param>
internal abstract record PackageArchive(string Root)
{
    /// <summary>What names everything else: signed, and asked for again.</summary>
    public abstract string Head { get; }

    /// <exception cref="InvalidDataException">It is none, or does not list what is wanted; says why.</exception>
    public abstract IReadOnlyList<ArchiveIndex> Indexes(Stream head);

    /// <summary>The packages in an index.</summary>
    protected abstract IEnumerable<Package> Read(Stream index);

    /// <summary>Each what is needed, as names of which one is enough.</summary>
    public abstract IEnumerable<string[]> Relations(string written);

    public abstract int CompareVersions(string a, string b);

    /// <exception cref="InvalidDataException">It is not what its name says.</exception>
    public IEnumerable<Package> Read(Stream content, ArchiveIndex index) => Read(index.Reads == ".gz" ? new GZipStream(content, CompressionMode.Decompress) : content);
}
