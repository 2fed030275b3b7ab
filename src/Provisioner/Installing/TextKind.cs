using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Installing;

/// <summary>A text of several lines: shell, or a key. Line feeds and tabs are right in it, other control characters are not.</summary>
internal sealed class TextKind(string name, string expected, Func<string, string?> wrongWith) : ValueKind<string>
{
    public override string Expected => expected;

    public override string JsonType => "string";

    public override bool IsLines => true;

    public override bool TryRead(TextNode node, string path, Reading reading, out string value)
    {
        value = "";
        if (!TryScalar(node, path, name, reading, out var scalar))
            return false;
        value = scalar.Text;
        var wrong = value.Trim().Length == 0 ? "is empty"
            : Encoding.UTF8.GetByteCount(value) > InstallTexts.MaximumScript ? $"has more than {InstallTexts.MaximumScript} bytes"
            : value.Contains('\r', StringComparison.Ordinal) ? "holds a carriage return: its lines end as on Windows"
            : value.Split('\n').Select(line => Texts.Printable(line.Replace('\t', ' '))).FirstOrDefault(w => w is not null) ?? wrongWith(value);
        if (wrong is null)
            return true;
        reading.Add(scalar.Position, path, $"'{Reading.Shorten(value)}' {wrong}", value, expected);
        return false;
    }

    public override JsonNode Write(string value) => value;
}
