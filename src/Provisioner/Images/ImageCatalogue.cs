using System.Collections.Immutable;
using System.Reflection;
using Provisioner.Boot;
using Provisioner.Resources;

namespace Provisioner.Images;

/// <summary>The operating systems of <c>images/</c>, which the program carries with it: what each boots with, where it comes from, what goes wrong.</summary>
internal static class ImageCatalogue
{
    private const string Prefix = "images/";

    private static readonly Lazy<ImmutableArray<Image>> All = new(Read);

    /// <summary>Every entry, by name.</summary>
    public static ImmutableArray<Image> Entries => All.Value;

    public static Image? Find(string name) => Entries.FirstOrDefault(e => e.Name == name);

    /// <summary>
    /// The entry for a disc, or null. One that boots another kernel is another kind of image of the same system, and a rebuild of RHEL
    /// boots like RHEL.
    /// </summary>
    public static Image? Fitting(DistributionFamily family, string version, CpuArchitecture architecture, string kernel) => Entries.FirstOrDefault(entry =>
        entry.Spec.Family == family && entry.Spec.Architecture == architecture && entry.Spec.Kernel == kernel
        && entry.Spec.Version is { } its && (version == its || version.StartsWith(its + ".", StringComparison.Ordinal)));

    private static ImmutableArray<Image> Read()
    {
        var assembly = Assembly.GetExecutingAssembly();
        var entries = ImmutableArray.CreateBuilder<Image>();
        foreach (var name in assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            var read = ResourceReader.Read(reader.ReadToEnd());
            if (read.Mistakes.Count > 0)
                throw new InvalidDataException($"{name}: {read.Mistakes[0]}");
            entries.AddRange(read.Documents.Select(d => (Image)d.Resource));
        }
        return entries.ToImmutable();
    }
}
