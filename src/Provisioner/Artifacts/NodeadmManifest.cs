using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Artifacts;

/// <summary>One file of nodeadm's manifest, with what decides whether a host needs it.</summary>
/// <param name="Url">Its <c>uri</c>.</param>
/// <param name="ChecksumUrl">Its <c>checksum_uri</c>.</param>
internal sealed record ManifestFile(Uri Url, Uri ChecksumUrl)
{
    public const string From = "from/";

    public string Name { get; init; } = "";

    /// <summary>As Go names processors: amd64, arm64.</summary>
    public string Architecture { get; init; } = "";

    /// <summary>Its name in the cache below the upstream's: where it comes from, so that no two are the same.</summary>
    public string Rest => $"{From}{Url.Authority}{Uri.UnescapeDataString(Url.AbsolutePath)}";
}

/// <summary>
/// The manifest by which <c>nodeadm install</c> finds kubelet and the rest, with every address in it turned to the appliance. Only what
/// has a checksum is served from the cache; an entry without one keeps its own address.
/// </summary>
internal sealed class NodeadmManifest
{
    public const string Name = "manifest.yaml";

    public const int MaximumLength = YamlText.MaximumLength;

    private readonly TextNode root;
    private readonly Dictionary<string, ManifestFile> byRest = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ManifestFile> byUri = new(StringComparer.Ordinal);

    private NodeadmManifest(TextNode root) => this.root = root;

    public IReadOnlyCollection<ManifestFile> Files => byRest.Values;

    /// <param name="mayBePlain">Whether a uri may be http: when the manifest itself came that way.</param>
    public static bool TryParse(ReadOnlySpan<byte> content, bool mayBePlain, [NotNullWhen(true)] out NodeadmManifest? manifest, [NotNullWhen(false)] out string? reason)
    {
        (manifest, reason) = (null, null);
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(content);
        }
        catch (DecoderFallbackException)
        {
            reason = "the manifest is not UTF-8 text";
            return false;
        }
        var reading = new Reading();
        TextNode? first = null;
        YamlText.Read(text, reading, node => first ??= node);
        if (reading.Mistakes.Count > 0)
        {
            reason = $"the manifest is not understood: {reading.Mistakes[0]}";
            return false;
        }
        if (first is not TextNode.Mapping top || Find(top, "supported_eks_releases") is null)
        {
            reason = "the manifest has no key 'supported_eks_releases'; nodeadm's manifest.yaml has";
            return false;
        }
        manifest = new NodeadmManifest(top);
        manifest.Collect(top, mayBePlain);
        return true;
    }

    /// <summary>The file that is served by that name; null when the manifest lists none.</summary>
    public ManifestFile? FindFile(string rest) => byRest.GetValueOrDefault(rest);

    /// <summary>The account whose registry has EKS's own images in that region, as <c>region_config</c> says; null when it does not.</summary>
    public string? RegistryOf(string region) =>
        Text(Find(Find(root, "region_config"), region), "ecr_account_id") is { Length: 12 } account && account.All(char.IsAsciiDigit) ? account : null;

    /// <summary>The manifest as hosts get it.</summary>
    /// <param name="at">What its addresses begin with, such as <c>http://10.77.0.1:8080/artifacts/nodeadm/</c>.</param>
    public string Rewrite(string at) => YamlWriter.Write(Rewrite(root, at)!);

    /// <summary>
    /// What <c>nodeadm install VERSION -p iam-ra</c> takes, by nodeadm's own choice: of a minor version its latest patch, of builds of one
    /// patch the newest, and the newest signing helper.
    /// </summary>
    /// <param name="version">Such as 1.34 or 1.34.2.</param>
    public bool TrySelect(string version, IReadOnlyCollection<string> architectures, out IReadOnlyList<ManifestFile> files, [NotNullWhen(false)] out string? reason)
    {
        files = [];
        var parts = version.Split('.');
        var releases = Items(Find(root, "supported_eks_releases")).ToList();
        var minor = releases.Find(r => Text(r, "major_minor_version") == string.Join('.', parts.Take(2)));
        if (minor is null)
        {
            reason = $"the manifest has no Kubernetes {string.Join('.', parts.Take(2))}; it has {string.Join(", ", releases.Select(r => Text(r, "major_minor_version")))}";
            return false;
        }
        var patch = parts.Length > 2 ? parts[2] : Text(minor, "latest_patch_version");
        // Dates as 2026-01-15: in order as texts.
        var release = Items(Find(minor, "patch_releases")).Where(r => Text(r, "patch_version") == patch).MaxBy(r => Text(r, "release_date"), StringComparer.Ordinal);
        if (release is null)
        {
            reason = $"the manifest has no Kubernetes {string.Join('.', parts.Take(2))}.{patch}";
            return false;
        }
        var helper = Items(Find(root, "iam_roles_anywhere_releases")).MaxBy(r => VersionOf(Text(r, "version")));
        var chosen = new List<ManifestFile>();
        foreach (var artifact in Items(Find(release, "artifacts")).Concat(Items(Find(helper, "artifacts"))))
        {
            if (Text(artifact, "os") is "linux" or "" && architectures.Contains(Text(artifact, "arch")) && byUri.TryGetValue(Text(artifact, "uri"), out var file))
                chosen.Add(file);
        }
        files = chosen;
        reason = chosen.Count == 0 ? $"the manifest has nothing of Kubernetes {version} for {string.Join(", ", architectures)}" : null;
        return reason is null;
    }

    private void Collect(TextNode node, bool mayBePlain)
    {
        if (node is TextNode.Sequence sequence)
        {
            foreach (var item in sequence.Items)
                Collect(item, mayBePlain);
            return;
        }
        if (node is not TextNode.Mapping mapping)
            return;
        if (UrlOf(Text(mapping, "uri"), mayBePlain) is { } url && UrlOf(Text(mapping, "checksum_uri"), mayBePlain) is { } checksum)
        {
            var file = new ManifestFile(url, checksum) { Name = Text(mapping, "name"), Architecture = Text(mapping, "arch") };
            // A name that could not be asked for is left where it is.
            if (ArtifactPath.TryParse($"x/{file.Rest}", out var path, out _) && path.Rest == file.Rest)
            {
                byRest[file.Rest] = file;
                byUri[Text(mapping, "uri")] = file;
            }
        }
        foreach (var (_, value) in mapping.Entries)
            Collect(value, mayBePlain);
    }

    private JsonNode? Rewrite(TextNode node, string at)
    {
        switch (node)
        {
            case TextNode.Sequence sequence:
                return new JsonArray([.. sequence.Items.Select(item => Rewrite(item, at))]);
            case TextNode.Mapping mapping:
                var served = byUri.GetValueOrDefault(Text(mapping, "uri"));
                var written = new JsonObject();
                foreach (var (key, value) in mapping.Entries)
                {
                    // gzip_uri is left out: its checksum is of the unpacked file, and uri gives that.
                    if (served is not null && key.Text == "gzip_uri")
                        continue;
                    written[key.Text] = served is null ? Rewrite(value, at) : key.Text switch
                    {
                        "uri" => at + ArtifactPath.Escape(served.Rest),
                        "checksum_uri" => at + ArtifactPath.Escape(served.Rest) + ".sha256",
                        _ => Rewrite(value, at),
                    };
                }
                return written;
            case TextNode.Scalar { IsNull: true }:
                return null;
            case TextNode.Scalar { Plain: true, Text: "true" or "True" or "TRUE" }:
                return true;
            case TextNode.Scalar { Plain: true, Text: "false" or "False" or "FALSE" }:
                return false;
            case TextNode.Scalar { Plain: true } scalar when IsNumber(scalar.Text):
                return JsonNode.Parse(scalar.Text);
            default:
                return ((TextNode.Scalar)node).Text;
        }
    }

    // A number stays as it was written: nodeadm's reader takes 1.30 and "1.30" for two things.
    private static bool IsNumber(string text)
    {
        try
        {
            return JsonNode.Parse(text) is JsonValue value && value.GetValueKind() == JsonValueKind.Number;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static Uri? UrlOf(string text, bool mayBePlain) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttps || mayBePlain && url.Scheme == Uri.UriSchemeHttp)
        && url.Query.Length == 0 && url.Fragment.Length == 0 && url.UserInfo.Length == 0 ? url : null;

    private static Version VersionOf(string text) =>
        Version.TryParse(text.TrimStart('v').Split('-')[0], out var version) ? version : new Version(0, 0);

    private static TextNode? Find(TextNode? node, string key) =>
        (node as TextNode.Mapping)?.Entries.FirstOrDefault(e => e.Key.Text == key).Value;

    private static IEnumerable<TextNode> Items(TextNode? node) => (node as TextNode.Sequence)?.Items ?? [];

    private static string Text(TextNode? node, string key) => Find(node, key) is TextNode.Scalar { IsNull: false } scalar ? scalar.Text : "";
}
