using System.Text.Json.Nodes;
using Provisioner.Api;
using Provisioner.Resources;

namespace Provisioner.Cli;

/// <summary>What programs read instead of what people do: <c>-o json</c> and <c>-o yaml</c>, of the same tree.</summary>
internal static class DataFormat
{
    private const string Yaml = "yaml", JsonText = "json";

    public static bool IsData(this string? format) => format is JsonText or Yaml;

    public static void WriteData(this Screen screen, JsonNode data, string format)
    {
        if (format == Yaml)
            screen.Output.Write(YamlWriter.Write(data));
        else
            screen.Output.WriteLine(data.ToJsonString(Json.Indented));
    }

    /// <summary>One of a stream that goes on: a line of JSON, or a document of YAML.</summary>
    public static void WriteItem(this Screen screen, JsonObject item, string format)
    {
        if (format == Yaml)
            screen.Output.Write($"---\n{YamlWriter.Write(item)}");
        else
            screen.Output.WriteLine(item.ToJsonString(Json.Options));
    }
}
