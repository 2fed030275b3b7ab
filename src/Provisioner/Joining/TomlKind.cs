using System.Text.Json.Nodes;
using Provisioner.Installing;
using Provisioner.Resources;
using Tomlyn;
using Tomlyn.Model;

namespace Provisioner.Joining;

/// <summary>A text in TOML (https://toml.io/en/v1.0.0), well formed: containerd does not start with another.</summary>
internal sealed class TomlKind : ValueKind<string>
{
    private static readonly TextKind Lines = new("a TOML text", "TOML such as containerd's config.toml", WhyNot);

    public override string Expected => Lines.Expected;

    public override string JsonType => Lines.JsonType;

    public override bool IsLines => true;

    public override bool TryRead(TextNode node, string path, Reading reading, out string value) => Lines.TryRead(node, path, reading, out value);

    public override JsonNode Write(string value) => Lines.Write(value);

    private static string? WhyNot(string text)
    {
        try
        {
            _ = TomlSerializer.Deserialize<TomlTable>(text);
            return null;
        }
        catch (TomlException e)
        {
            return $"is not TOML: {(e.Line is { } line ? $"line {line}: " : "")}{Texts.OneLine(e.Message, 200)}";
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException or InvalidOperationException)
        {
            // The parser's own slips on odd input.
            return "is not TOML";
        }
    }
}
