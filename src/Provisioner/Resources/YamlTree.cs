using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Provisioner.Resources;

/// <summary>
/// Reads YAML that was written here, before it is served: one document, no key twice, and no plain word that two readers take
/// differently (<c>no</c>, <c>012</c>, <c>12:30</c>).
/// </summary>
internal static partial class YamlTree
{
    /// <returns>The tree, or null when there are mistakes.</returns>
    public static JsonNode? Read(string text, out IReadOnlyList<Mistake> mistakes) => Read(text, outline: null, out mistakes);

    /// <summary>The same, sooner where the text is as expected.</summary>
    public static JsonNode? Read(string text, JsonNode expected, out IReadOnlyList<Mistake> mistakes)
    {
        // Nine tenths of an answer file are scripts in literal blocks, which a YAML parser reads character by character.
        if (YamlOutline.Of(text, expected) is { } outline && Read(outline.Text, outline, out mistakes) is { } tree && outline.IsFilled)
            return tree;
        return Read(text, out mistakes);
    }

    private static JsonNode? Read(string text, YamlOutline? outline, out IReadOnlyList<Mistake> mistakes)
    {
        var reading = new Reading();
        var documents = new List<TextNode>();
        YamlText.Read(text, reading, documents.Add);
        if (documents.Count != 1 && reading.MistakesSoFar == 0)
            reading.Add(new TextPosition(1, 1), "", $"holds {documents.Count} documents", null, "one document");
        var tree = documents.Count > 0 ? Tree(documents[0], "", reading, outline) : null;
        mistakes = reading.Mistakes;
        return mistakes.Count == 0 ? tree : null;
    }

    private static JsonNode? Tree(TextNode node, string path, Reading reading, YamlOutline? outline)
    {
        switch (node)
        {
            case TextNode.Mapping mapping:
                var tree = new JsonObject();
                foreach (var (key, value) in mapping.Entries)
                {
                    var at = path.Length == 0 ? key.Text : $"{path}.{key.Text}";
                    if (key.Plain && !IsText(key.Text))
                        reading.Add(key.Position, at, $"the key '{key.Text}' without quotes is not text to every reader", key.Text, "the key in quotes");
                    else if (tree.ContainsKey(key.Text))
                        reading.Add(key.Position, at, $"the key '{key.Text}' is there twice", key.Text, "each key once");
                    else
                        tree[key.Text] = Tree(value, at, reading, outline);
                }
                return tree;
            case TextNode.Sequence sequence:
                var list = new JsonArray();
                foreach (var item in sequence.Items)
                    list.Add(Tree(item, $"{path}[{list.Count}]", reading, outline));
                return list;
            case TextNode.Scalar scalar:
                return Scalar(scalar, path, reading, outline);
            default:
                return null;
        }
    }

    private static JsonValue? Scalar(TextNode.Scalar scalar, string path, Reading reading, YamlOutline? outline)
    {
        if (!scalar.Plain)
            return JsonValue.Create(outline?.Fill(scalar.Text) ?? scalar.Text);
        if (scalar.IsNull)
            return null;
        if (scalar.Text is "true" or "false")
            return JsonValue.Create(scalar.Text == "true");
        if (WholeNumber().IsMatch(scalar.Text))
            return JsonValue.Create(long.Parse(scalar.Text, CultureInfo.InvariantCulture));
        if (!IsText(scalar.Text))
            reading.Add(scalar.Position, path, $"'{Reading.Shorten(scalar.Text)}' without quotes is not the same to every reader", scalar.Text, "the value in quotes");
        return JsonValue.Create(scalar.Text);
    }

    // Numbers, dates and times of any kind begin with a digit, a sign or a dot; the other words are YAML 1.1's.
    private static bool IsText(string text) =>
        text.Length > 0 && !char.IsAsciiDigit(text[0]) && text[0] is not ('+' or '-' or '.' or '=' or '~' or '<')
        && text.ToLowerInvariant() is not ("true" or "false" or "yes" or "no" or "on" or "off" or "y" or "n" or "null");

    [GeneratedRegex(@"\A(0|-?[1-9][0-9]{0,17})\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex WholeNumber();
}
