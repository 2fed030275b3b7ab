using System.Collections.Immutable;
using System.Security.Cryptography;
using Provisioner.Images;
using Provisioner.Protocols.Pe;

namespace Provisioner.Boot;

/// <summary>A boot loader from a loader directory, such as the distribution's <c>/usr/lib/ipxe</c>.</summary>
/// <param name="Name">What it is asked by: its file name.</param>
/// <param name="Path">Absolute path.</param>
/// <param name="Length">In bytes.</param>
/// <param name="Sha256">Lower-case hexadecimal.</param>
/// <param name="Machine">From its PE header (Microsoft PE format, "Machine Types"); null for BIOS loaders, which have none.</param>
public sealed record Loader(string Name, string Path, long Length, string Sha256, CpuArchitecture? Machine);

/// <summary>
/// The boot loaders found in the loader directories at the start, each hashed and its architecture read from its header:
/// a file's name is a claim, its header is what the firmware will believe.
/// </summary>
public sealed class LoaderCatalogue
{
    /// <summary>Where the distributions' iPXE packages put their files.</summary>
    public static ImmutableArray<string> DistributionDirectories { get; } =
        ["/usr/lib/ipxe", "/usr/share/ipxe", "/usr/share/ipxe/arm64-efi", "/usr/lib/ipxe/arm64-efi"];

    private const long LargestLoader = 16 << 20;

    // By preference. snponly drives the card through the firmware's own driver, which works on cards that iPXE's
    // drivers do not (ipxe#937, sidero#447); over HTTP Boot the firmware may have shut that driver down, so the full one leads.
    private static readonly string[] IpxeByPxe = ["snponly", "ipxe-snponly", "snponly-x86_64", "ipxe-snponly-x86_64", "snponly-arm64", "ipxe-snponly-aarch64", "ipxe", "ipxe-x86_64", "ipxe-arm64", "ipxe-aarch64"];
    private static readonly string[] IpxeByHttp = ["ipxe", "ipxe-x86_64", "ipxe-arm64", "ipxe-aarch64", "snponly", "ipxe-snponly", "snponly-x86_64", "ipxe-snponly-x86_64", "snponly-arm64", "ipxe-snponly-aarch64"];
    private static readonly string[] IpxeForBios = ["undionly.kpxe", "ipxe.pxe", "undionly.kkpxe"];

    private readonly ImmutableDictionary<string, Loader> byName;

    public LoaderCatalogue(IEnumerable<Loader> loaders)
    {
        var names = ImmutableDictionary.CreateBuilder<string, Loader>(StringComparer.OrdinalIgnoreCase);
        foreach (var loader in loaders)
            names.TryAdd(loader.Name, loader);
        byName = names.ToImmutable();
    }

    public static LoaderCatalogue Empty { get; } = new([]);

    public IEnumerable<Loader> Loaders => byName.Values.OrderBy(l => l.Name, StringComparer.Ordinal);

    /// <summary>
    /// Reads the directories, the first winning where two have the same name. A directory that is not there is passed over;
    /// files that are no boot loader are, too.
    /// </summary>
    public static LoaderCatalogue Read(IEnumerable<string> directories)
    {
        var found = new List<Loader>();
        foreach (var directory in directories.Where(Directory.Exists))
        {
            foreach (var path in Directory.EnumerateFiles(directory).Order(StringComparer.Ordinal))
            {
                if (Path.GetExtension(path) is ".efi" or ".kpxe" or ".kkpxe" or ".pxe" && new FileInfo(path).Length is > 0 and <= LargestLoader)
                    found.Add(ReadOne(path));
            }
        }
        return new LoaderCatalogue(found);
    }

    /// <summary>The loader of that name, whatever the case, or null.</summary>
    public Loader? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>The iPXE for a firmware, or null when there is none of its architecture.</summary>
    public Loader? Ipxe(Architecture architecture, ClientKind client)
    {
        if (architecture == Architecture.Bios)
            return First(IpxeForBios, "", machine: null);
        CpuArchitecture? wanted = architecture switch
        {
            Architecture.X64 => CpuArchitecture.X64,
            Architecture.Arm64 => CpuArchitecture.Arm64,
            _ => null,
        };
        return wanted is null ? null : First(client == ClientKind.HttpClient ? IpxeByHttp : IpxeByPxe, ".efi", wanted);
    }

    private Loader? First(string[] names, string extension, CpuArchitecture? machine) =>
        names.Select(name => Find(name + extension)).FirstOrDefault(loader => loader is not null && loader.Machine == machine);

    private static Loader ReadOne(string path)
    {
        var bytes = File.ReadAllBytes(path);
        return new Loader(
            Path.GetFileName(path),
            path,
            bytes.Length,
            Convert.ToHexStringLower(SHA256.HashData(bytes)),
            MachineOf(bytes));
    }

    private static CpuArchitecture? MachineOf(ReadOnlySpan<byte> file) =>
        PeHeader.TryRead(file, out var header, out _) ? StagedFile.CpuOf(header.Machine) : null;
}
