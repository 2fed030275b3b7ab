using System.Text.Json.Nodes;

namespace Provisioner.Resources;

/// <summary>Writes resources as people write them: <c>apiVersion</c>, <c>kind</c>, <c>metadata</c>, <c>spec</c>, <c>status</c>.</summary>
public static class ResourceWriter
{
    public static JsonObject ToJson(IResource resource) => throw new NotSupportedException("Not there yet");

    /// <summary>YAML that any YAML 1.1 or 1.2 reader reads back as the same values.</summary>
    public static string ToYaml(IResource resource) => throw new NotSupportedException("Not there yet");

    /// <summary>Several documents, parted by <c>---</c>.</summary>
    public static string ToYaml(IEnumerable<IResource> resources) => string.Join("---\n", resources.Select(ToYaml));
}
