namespace Provisioner.Resources;

/// <summary>One well-formed document of a text.</summary>
/// <param name="Index">Which document, counted from 1.</param>
public sealed record ResourceDocument(IResource Resource, int Index)
{
    internal IReadOnlyDictionary<string, TextPosition> Positions { get; init; } = System.Collections.Immutable.ImmutableDictionary<string, TextPosition>.Empty;

    /// <summary>A mistake found later at that key of the document, such as <c>spec.macAddresses[1]</c>.</summary>
    public Mistake MistakeAt(string path, string message, string? value = null, string? expected = null)
    {
        var position = Positions.TryGetValue(path, out var at) ? at : (TextPosition?)null;
        return new Mistake(message) { Document = Index, Line = position?.Line, Column = position?.Column, Path = path, Value = value, Expected = expected };
    }
}

/// <summary>What a text holds. With a mistake in any document, none of them is to be applied.</summary>
public sealed record ResourceDocuments(IReadOnlyList<ResourceDocument> Documents, IReadOnlyList<Mistake> Mistakes);

/// <summary>Reads resources from YAML, and so from JSON: one or many documents. Never throws on input.</summary>
public static class ResourceReader
{
    /// <summary>Reads every document and reports every mistake of all of them.</summary>
    public static ResourceDocuments Read(string text)
    {
        var reading = new Reading();
        var documents = new List<ResourceDocument>();
        var found = 0;
        YamlText.Read(text, reading, root =>
        {
            if (root is TextNode.Scalar { IsNull: true })
                return;
            found++;
            var resource = KindOf(root, reading)?.Read(root, reading);
            var positions = reading.TakePositions();
            if (resource is not null)
                documents.Add(new ResourceDocument(resource, reading.Document) { Positions = positions });
        });
        if (found == 0 && reading.Mistakes.Count == 0)
            reading.Add(new TextPosition(1, 1), "", "there is no document in the text", null, $"at least one with apiVersion: {ResourceKind.ApiVersion}, kind, metadata and spec");
        return new(documents, reading.Mistakes);
    }

    private static ResourceKind? KindOf(TextNode root, Reading reading)
    {
        var kinds = ResourceKind.All.Select(k => k.Name);
        var oneOf = "one of " + string.Join(", ", kinds);
        if (root is TextNode.Broken)
            return null;
        if (root is not TextNode.Mapping mapping)
        {
            reading.Add(root.Position, "", "a document is a mapping", (root as TextNode.Scalar)?.Text, "apiVersion, kind, metadata and spec");
            return null;
        }
        var (key, node) = mapping.Entries.FirstOrDefault(e => e.Key.Text == "kind");
        if (key is null)
        {
            var nearest = mapping.Entries.FirstOrDefault(e => Spelling.Nearest(e.Key.Text, ["kind"]) is not null).Key;
            reading.Add(nearest?.Position ?? mapping.Position, "kind", "the key 'kind' is missing" + (nearest is null ? "" : $"; is '{Reading.Shorten(nearest.Text)}' meant?"), null, oneOf);
            return null;
        }
        if (node is not TextNode.Scalar scalar)
        {
            if (node is not TextNode.Broken)
                reading.Add(node.Position, "kind", "is not a word", null, oneOf);
            return null;
        }
        if (ResourceKind.All.FirstOrDefault(k => k.Name == scalar.Text) is { } kind)
            return kind;
        var near = ResourceKind.Find(scalar.Text)?.Name ?? Spelling.Nearest(scalar.Text, kinds);
        reading.Add(scalar.Position, "kind", $"'{Reading.Shorten(scalar.Text)}' is not a kind of resource" + (near is null ? "" : $"; did you mean '{near}'?"), scalar.Text, oneOf);
        return null;
    }
}
