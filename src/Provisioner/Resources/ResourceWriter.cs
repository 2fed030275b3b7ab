using System.Text.Json.Nodes;

namespace Provisioner.Resources;

/// <summary>Writes resources as people write them: <c>apiVersion</c>, <c>kind</c>, <c>metadata</c>, <c>spec</c>, <c>status</c>.</summary>
public static class ResourceWriter
{
    public static JsonObject ToJson(IResource resource) => KindOf(resource).Write(resource);

    /// <summary>YAML that any YAML 1.1 or 1.2 reader reads back as the same values.</summary>
    public static string ToYaml(IResource resource) => YamlWriter.Write(ToJson(resource));

    /// <summary>Several documents, parted by <c>---</c>.</summary>
    public static string ToYaml(IEnumerable<IResource> resources) => string.Join("---\n", resources.Select(ToYaml));

    /// <summary>Whether applying <paramref name="wanted"/> over <paramref name="stored"/> would change anything.</summary>
    internal static bool SameWish(IResource wanted, IResource stored) => JsonNode.DeepEquals(Wish(wanted), Wish(stored));

    private static JsonObject Wish(IResource resource)
    {
        var document = ToJson(resource);
        document.Remove("status");
        var metadata = document["metadata"]!.AsObject();
        metadata.Remove("resourceVersion");
        metadata.Remove("createdAt");
        metadata.Remove("updatedAt");
        return document;
    }

    private static ResourceKind KindOf(IResource resource) =>
        ResourceKind.All.First(kind => kind.Name == resource.Kind);
}
