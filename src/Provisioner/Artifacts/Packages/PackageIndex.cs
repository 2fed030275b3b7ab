namespace Provisioner.Artifacts.Packages;

/// <summary>What is to be fetched so that packages can be installed.</summary>
/// <param name="Unresolved">What no archive has, each with what needs it; null for what was asked for itself.</param>
internal sealed record Resolution(IReadOnlyList<Package> Packages, IReadOnlyList<(string Name, string? NeededBy)> Unresolved);

/// <summary>
/// The packages of some archives, of each the newest. It finds what they need by name alone, and takes of alternatives the first that
/// exists: what a package manager that starts with nothing would take, give or take a version.
/// </summary>
internal sealed class PackageIndex
{
    private readonly Dictionary<string, Package> newest = new(StringComparer.Ordinal);
    private Dictionary<string, Package>? providers;

    public int Count => newest.Count;

    public void Add(Package package)
    {
        providers = null;
        if (!newest.TryGetValue(package.Name, out var known) || package.Archive.CompareVersions(package.Version, known.Version) > 0)
            newest[package.Name] = package;
    }

    public Resolution Resolve(IEnumerable<string> names)
    {
        var chosen = new Dictionary<string, Package>(StringComparer.Ordinal);
        var unresolved = new Dictionary<string, string?>(StringComparer.Ordinal);
        var waiting = new Queue<(string[] Names, string? NeededBy, bool Recommended)>(names.Select(name => (new[] { name }, (string?)null, false)));
        while (waiting.TryDequeue(out var wanted))
        {
            if (wanted.Names.Select(Find).FirstOrDefault(found => found is not null) is not { } package)
            {
                if (!wanted.Recommended)
                    unresolved.TryAdd(string.Join(" | ", wanted.Names), wanted.NeededBy);
                continue;
            }
            if (!chosen.TryAdd(package.Name, package))
                continue;
            foreach (var relation in package.Archive.Relations(package.Requires))
                waiting.Enqueue((relation, package.Name, false));
            foreach (var relation in package.Archive.Relations(package.Recommends))
                waiting.Enqueue((relation, package.Name, true));
        }
        return new Resolution([.. chosen.Values], [.. unresolved.Select(u => (u.Key, u.Value))]);
    }

    private Package? Find(string name) => newest.TryGetValue(name, out var package) ? package : (providers ??= Providers()).GetValueOrDefault(name);

    // Of several that provide it, the same each time.
    private Dictionary<string, Package> Providers()
    {
        var found = new Dictionary<string, Package>(StringComparer.Ordinal);
        foreach (var package in newest.Values.OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            foreach (var provided in package.Provides)
                found.TryAdd(provided, package);
        }
        return found;
    }
}
