using Provisioner.Boot;

namespace Provisioner.Benchmarks;

/// <summary>The files of a folder as a catalogue, so that a plane is measured and not what stands behind it.</summary>
internal sealed class FolderCatalogue : IBootCatalogue
{
    private readonly Dictionary<string, BootAsset> assets = new(StringComparer.Ordinal);

    public FolderCatalogue(string folder)
    {
        foreach (var file in new DirectoryInfo(folder).GetFiles())
            assets[file.Name] = new BootAsset.OnDisk(file.Name, file.FullName, file.Length, "application/octet-stream", "benchmark");
    }

    public BootLookup Find(string name, BootClient client, string? query = null) =>
        assets.TryGetValue(name.TrimStart('/'), out var asset) ? BootLookup.Found(asset) : BootLookup.Missing("not there");
}
