using System.Xml;
using System.Xml.Linq;

namespace Provisioner.Artifacts.Packages;

/// <summary>A repository of RPM packages, as createrepo_c writes them.</summary>
/// <param name="Architecture">Such as <c>x86_64</c>.</param>
internal sealed record DnfArchive(string Root, string Architecture) : PackageArchive(Root)
{
    private static readonly XNamespace Repository = "http://linux.duke.edu/metadata/repo";

    private static readonly XNamespace Common = "http://linux.duke.edu/metadata/common";

    private static readonly XNamespace Rpm = "http://linux.duke.edu/metadata/rpm";

    // No document type: nothing outside is looked up, and nothing grows.
    private static readonly XmlReaderSettings Strict = new() { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null };

    public override string Head => $"{Root}/repodata/repomd.xml";

    public override IReadOnlyList<ArchiveIndex> Indexes(Stream head)
    {
        try
        {
            using var reader = XmlReader.Create(head, Strict);
            var indexes = new List<ArchiveIndex>();
            foreach (var data in XDocument.Load(reader).Root!.Elements(Repository + "data"))
            {
                var (type, path) = ((string?)data.Attribute("type") ?? "", (string?)data.Element(Repository + "location")?.Attribute("href") ?? "");
                // Databases are yum's, and change logs are asked for by people alone.
                if (path.Length == 0 || type.EndsWith("_db", StringComparison.Ordinal) || type.StartsWith("other", StringComparison.Ordinal))
                    continue;
                var packed = path.EndsWith(".xml", StringComparison.Ordinal) ? "" : Path.GetExtension(path);
                if (type == "primary" && packed is not ("" or ".gz"))
                    throw new InvalidDataException($"its list of packages is packed as {packed}, and .gz is read here");
                indexes.Add(new ArchiveIndex($"{Root}/{path}", type == "primary" ? packed : null));
            }
            return indexes.Exists(index => index.Reads is not null) ? indexes : throw new InvalidDataException("it names no list of packages: it is no repomd.xml");
        }
        catch (XmlException e)
        {
            throw new InvalidDataException($"it is not XML: {e.Message}", e);
        }
    }

    protected override IEnumerable<Package> Read(Stream index)
    {
        using var reader = XmlReader.Create(index, Strict);
        while (Next(reader) is { } package)
        {
            var (name, version) = ((string?)package.Element(Common + "name") ?? "", package.Element(Common + "version"));
            // The other word size's packages are in the same list.
            if ((string?)package.Element(Common + "arch") is not { } architecture || architecture != Architecture && architecture != "noarch"
                || (string?)package.Element(Common + "location")?.Attribute("href") is not { } file || package.Element(Common + "format") is not { } format)
                continue;
            yield return new Package(this, name, $"{(string?)version?.Attribute("epoch") ?? "0"}:{(string?)version?.Attribute("ver")}-{(string?)version?.Attribute("rel")}", $"{Root}/{file}",
                [.. Names(format, "provides"), .. format.Elements(Common + "file").Select(f => f.Value)], string.Join('\n', Names(format, "requires")), string.Join('\n', Names(format, "recommends")));
        }
    }

    // By name alone. Of a rich dependency (rpm "Boolean Dependencies") the first name; what rpm itself is able to do is no package.
    public override IEnumerable<string[]> Relations(string written) =>
        written.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(name => !name.StartsWith("rpmlib(", StringComparison.Ordinal))
            .Select(name => name.StartsWith('(') ? name.TrimStart('(').Split(' ', ')')[0] : name).Distinct(StringComparer.Ordinal).Select(name => new[] { name });

    public override int CompareVersions(string a, string b) => PackageVersion.CompareRpm(a, b);

    private static IEnumerable<string> Names(XElement format, string relation) =>
        format.Element(Rpm + relation)?.Elements(Rpm + "entry").Select(entry => (string?)entry.Attribute("name") ?? "") ?? [];

    private static XElement? Next(XmlReader reader)
    {
        try
        {
            // ReadFrom leaves the reader behind the element, which may be at the next one.
            while (reader.NodeType != XmlNodeType.Element || reader.LocalName != "package")
            {
                if (!reader.Read())
                    return null;
            }
            return (XElement)XNode.ReadFrom(reader);
        }
        catch (XmlException e)
        {
            throw new InvalidDataException($"it is not XML: {e.Message}", e);
        }
    }
}
