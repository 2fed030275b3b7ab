using System.Globalization;
using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Web.Forms;

/// <summary>What a field is filled in with.</summary>
internal enum FieldControl
{
    /// <summary>Nothing: the appliance writes it, or it has one value alone.</summary>
    Hidden,

    /// <summary>One line of text.</summary>
    Text,

    /// <summary>One line of text that is not shown again.</summary>
    Secret,

    /// <summary>A whole number.</summary>
    Number,

    /// <summary>On or off.</summary>
    Switch,

    /// <summary>One of some words or names.</summary>
    Choice,

    /// <summary>A text of several lines.</summary>
    Lines,

    /// <summary>A list of words, one a line.</summary>
    Items,

    /// <summary>Keys that are anybody's, with a word each.</summary>
    Pairs,

    /// <summary>Fields together.</summary>
    Group,

    /// <summary>A list of fields together.</summary>
    Groups,

    /// <summary>Only as YAML.</summary>
    Yaml,
}

/// <summary>
/// A document as a form: the same text, looked at field by field. Which fields there are, and how each is filled in, is said by the description of its
/// kind; what the form cannot show stays in the text as it is.
/// </summary>
internal sealed record DocumentForm
{
    private readonly TextNode? root;

    private DocumentForm(string text, TextNode? root, Mistake? whyNot) => (Text, this.root, WhyNot) = (text, root, whyNot);

    /// <summary>As YAML.</summary>
    public string Text { get; }

    /// <summary>Why it cannot be shown field by field; null when it can.</summary>
    public Mistake? WhyNot { get; }

    /// <summary>Reads a text of one document.</summary>
    public static DocumentForm Of(string text)
    {
        var (reading, documents) = (new Reading(), new List<TextNode>());
        YamlText.Read(text, reading, documents.Add);
        var whyNot = reading.Mistakes.Count > 0 ? reading.Mistakes[0]
            : documents is not [TextNode.Mapping] ? new Mistake($"There {(documents.Count == 1 ? "is a document without keys" : $"are {documents.Count} documents")}; one with keys belongs here") : null;
        return new(text, whyNot is null ? documents[0] : null, whyNot);
    }

    /// <summary>How a field is filled in.</summary>
    public static FieldControl ControlOf(FieldDescription field) => field.Type switch
    {
        _ when field.IsAppliances || field is { Required: true, Words.Count: 1 } => FieldControl.Hidden,
        "boolean" => field.Default is null ? FieldControl.Choice : FieldControl.Switch,
        "integer" => FieldControl.Number,
        "object" => field.Fields.Count > 0 ? FieldControl.Group : field.ItemType == "string" ? FieldControl.Pairs : FieldControl.Yaml,
        "array" => field.Fields.Count > 0 ? FieldControl.Groups : field.ItemType is "string" or "integer" ? FieldControl.Items : FieldControl.Yaml,
        _ when field.Words.Count > 0 || field.RefersTo is not null => FieldControl.Choice,
        _ when field.IsLines => FieldControl.Lines,
        _ when SecretKeys.IsSecret(field.Name) => FieldControl.Secret,
        _ => FieldControl.Text,
    };

    /// <summary>Whether what stands there is of the form that its control has; if not, it is left to the YAML.</summary>
    public bool CanShow(FieldDescription field, DocumentPath path) => (ControlOf(field), At(path)) switch
    {
        (FieldControl.Yaml, _) => false,
        (_, null or TextNode.Scalar { IsNull: true }) => true,
        (FieldControl.Items, TextNode.Sequence list) => list.Items.All(i => i is TextNode.Scalar),
        (FieldControl.Items, TextNode.Scalar) => true,
        (FieldControl.Pairs, TextNode.Mapping map) => map.Entries.All(e => e.Value is TextNode.Scalar) && map.Entries.DistinctBy(e => e.Key.Text).Count() == map.Entries.Count,
        (FieldControl.Group, TextNode.Mapping) => true,
        (FieldControl.Groups, TextNode.Sequence list) => list.Items.All(i => i is TextNode.Mapping or TextNode.Scalar { IsNull: true }),
        (FieldControl.Items or FieldControl.Pairs or FieldControl.Group or FieldControl.Groups, _) => false,
        (_, var node) => node is TextNode.Scalar,
    };

    /// <summary>Whether there is anything at that place.</summary>
    public bool Has(DocumentPath path) => At(path) is not (null or TextNode.Scalar { IsNull: true });

    /// <summary>The word or text there; null when there is none.</summary>
    public string? WordAt(DocumentPath path) => At(path) is TextNode.Scalar { IsNull: false } word ? word.Text : null;

    /// <summary>The words of the list there.</summary>
    public IReadOnlyList<string> ItemsAt(DocumentPath path) => At(path) switch
    {
        TextNode.Sequence list => [.. list.Items.OfType<TextNode.Scalar>().Select(i => i.Text)],
        TextNode.Scalar { IsNull: false } one => [one.Text],
        _ => [],
    };

    /// <summary>The keys there, each with its word.</summary>
    public IReadOnlyList<(string Key, string Value)> PairsAt(DocumentPath path) =>
        At(path) is TextNode.Mapping map ? [.. map.Entries.Select(e => (e.Key.Text, (e.Value as TextNode.Scalar)?.Text ?? ""))] : [];

    /// <summary>How many items the list there has.</summary>
    public int CountAt(DocumentPath path) => At(path) is TextNode.Sequence list ? list.Items.Count : 0;

    /// <summary>The keys of the mapping there that none of the fields is, or that are there twice: they stay as they are.</summary>
    public IReadOnlyList<string> OtherKeys(DocumentPath path, IReadOnlyList<FieldDescription> fields) =>
        At(path) is TextNode.Mapping map ? [.. map.Entries.Select(e => e.Key.Text).GroupBy(k => k).Where(g => g.Count() > 1 || fields.All(f => f.Name != g.Key)).Select(g => g.Key)] : [];

    /// <summary>The document with that value in its place, or without one; null when it is written in a way that only the YAML can be changed.</summary>
    public DocumentForm? With(DocumentPath path, JsonNode? value) => YamlEdit.TrySet(Text, path, value) is { } text ? Of(text) : null;

    /// <summary>What somebody typed, as a document has it: null for nothing. What is no right value is kept as it was typed, for the reader to say what is wrong.</summary>
    public static JsonNode? ValueOf(FieldDescription field, string typed)
    {
        if (ControlOf(field) == FieldControl.Items)
            return ItemsOf(typed) is { Count: > 0 } items ? new JsonArray([.. items.Select(i => Scalar(field.ItemType!, i))]) : null;
        var word = ControlOf(field) == FieldControl.Lines ? typed.ReplaceLineEndings("\n") : typed.Trim();
        return word.Length == 0 ? null : Scalar(field.Type, word);
    }

    /// <summary>One word a line.</summary>
    public static IReadOnlyList<string> ItemsOf(string typed) => typed.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static JsonNode Scalar(string type, string word) => type switch
    {
        "boolean" when word is "true" or "false" => word == "true",
        "integer" when long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number.ToString(CultureInfo.InvariantCulture) == word => number,
        _ => word,
    };

    private TextNode? At(DocumentPath path)
    {
        var node = root;
        foreach (var step in path.Steps)
        {
            node = node switch
            {
                TextNode.Mapping map when step.Key is { } key => map.Entries.FirstOrDefault(e => e.Key.Text == key).Value,
                TextNode.Sequence list when step.Key is null && step.Index < list.Items.Count => list.Items[step.Index],
                _ => null,
            };
        }
        return node;
    }
}
