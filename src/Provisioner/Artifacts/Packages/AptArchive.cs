using System.Collections.Immutable;

namespace Provisioner.Artifacts.Packages;

/// <summary>A suite of a Debian or Ubuntu archive (https://wiki.debian.org/DebianRepository/Format).</summary>
/// <param name="Suite">Such as <c>noble</c>; <c>./</c> for a flat archive.</param>
/// <param name="Architecture">Such as <c>amd64</c>.</param>
internal sealed record AptArchive(string Root, string Suite, ImmutableArray<string> Components, string Architecture) : PackageArchive(Root)
{
    private static readonly string[] Needs = ["Pre-Depends", "Depends"];

    // apt takes the first of these that there is (apt.conf(5), "CompressionTypes").
    private static readonly string[] Preference = [".xz", ".bz2", ".lzma", ".gz", ""];

    private static readonly string[] Readable = [".gz", ""];

    private bool IsFlat => Suite.EndsWith('/');

    private string Directory => IsFlat ? Root : $"{Root}/dists/{Suite}";

    public override string Head => $"{Directory}/InRelease";

    public override IReadOnlyList<ArchiveIndex> Indexes(Stream head)
    {
        var digests = new Dictionary<string, string>(StringComparer.Ordinal);
        var (byHash, all, listing) = (false, false, false);
        foreach (var line in Lines(head))
        {
            if (line.StartsWith(' '))
            {
                if (listing && line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var digest, _, var name] && ChecksumFile.IsSha256(digest))
                    digests[name.StartsWith("./", StringComparison.Ordinal) ? name[2..] : name] = digest;
                continue;
            }
            listing = line.StartsWith("SHA256:", StringComparison.OrdinalIgnoreCase);
            byHash |= line.StartsWith("Acquire-By-Hash:", StringComparison.OrdinalIgnoreCase) && line.EndsWith("yes", StringComparison.OrdinalIgnoreCase);
            all |= line.StartsWith("Architectures:", StringComparison.OrdinalIgnoreCase) && line.Split(' ').Contains("all", StringComparer.Ordinal);
        }
        if (digests.Count == 0)
            throw new InvalidDataException("it lists no files with SHA-256 digests: it is no InRelease");
        var indexes = new List<ArchiveIndex>();
        string At(string name) => byHash ? $"{Directory}/{(name.LastIndexOf('/') is var slash && slash < 0 ? "" : name[..(slash + 1)])}by-hash/SHA256/{digests[name]}" : $"{Directory}/{name}";
        void Take(string name, bool reads, bool isNeeded)
        {
            if (Preference.FirstOrDefault(packed => digests.ContainsKey(name + packed)) is not { } preferred)
            {
                if (isNeeded)
                    throw new InvalidDataException($"it lists no {name}");
                return;
            }
            var readable = reads ? Readable.FirstOrDefault(packed => digests.ContainsKey(name + packed)) : preferred;
            if (readable is null)
                throw new InvalidDataException($"it lists {name} only as {preferred}, and .gz is read here");
            if (readable != preferred)
                indexes.Add(new ArchiveIndex(At(name + preferred), null));
            indexes.Add(new ArchiveIndex(At(name + readable), reads ? readable : null));
        }
        if (IsFlat)
        {
            Take("Packages", reads: true, isNeeded: true);
            return indexes;
        }
        foreach (var component in Components)
        {
            Take($"{component}/binary-{Architecture}/Packages", reads: true, isNeeded: true);
            if (all)
                Take($"{component}/binary-all/Packages", reads: true, isNeeded: false);
            // Descriptions, and what 'command not found' looks up: apt asks for them as well.
            Take($"{component}/i18n/Translation-en", reads: false, isNeeded: false);
            Take($"{component}/cnf/Commands-{Architecture}", reads: false, isNeeded: false);
        }
        return indexes;
    }

    protected override IEnumerable<Package> Read(Stream index)
    {
        var fields = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var line in Lines(index).Append(""))
        {
            if (line.Length == 0)
            {
                if (fields.TryGetValue("Package", out var name) && fields.TryGetValue("Filename", out var file))
                {
                    yield return new Package(this, name, fields.GetValueOrDefault("Version", ""), $"{Root}/{(file.StartsWith("./", StringComparison.Ordinal) ? file[2..] : file)}",
                        [.. Relations(fields.GetValueOrDefault("Provides", "")).Select(names => names[0])],
                        string.Join(", ", Needs.Where(fields.ContainsKey).Select(key => fields[key])), fields.GetValueOrDefault("Recommends", ""));
                }
                fields.Clear();
            }
            else if (line[0] is not (' ' or '\t') && line.IndexOf(':', StringComparison.Ordinal) is var colon and > 0)
            {
                fields[line[..colon]] = line[(colon + 1)..].Trim();
            }
        }
    }

    // deb-control(5): name (>= version) [architectures] | another, …; a colon begins an architecture.
    public override IEnumerable<string[]> Relations(string written) =>
        written.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(one => one.Split('|', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(name => name.Split(' ', '(', ':', '[')[0]).ToArray())
            .Where(names => names.Length > 0);

    public override int CompareVersions(string a, string b) => PackageVersion.CompareDebian(a, b);

    private static IEnumerable<string> Lines(Stream stream)
    {
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
            yield return line;
    }
}
