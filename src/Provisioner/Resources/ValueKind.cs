using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;

namespace Provisioner.Resources;

/// <summary>How a value is written in a document: reads it, writes it, and says what would be right. One declaration for all three.</summary>
internal abstract class ValueKind<T>
{
    /// <summary>What would be right, for messages and descriptions.</summary>
    public abstract string Expected { get; }

    /// <summary>The JSON Schema type: <c>string</c>, <c>integer</c>, <c>boolean</c>, <c>array</c> or <c>object</c>.</summary>
    public abstract string JsonType { get; }

    /// <summary>The fields inside, for an object.</summary>
    public virtual IReadOnlyList<FieldDescription> Fields => [];

    /// <summary>The JSON Schema type of the items of an array, or of the values of a mapping whose keys are anybody's; null for anything else.</summary>
    public virtual string? ItemType => null;

    /// <summary>All words that are right, where it is one of a few.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>The kind of the resource that it names; null when it names none.</summary>
    public string? RefersTo { get; init; }

    /// <summary>A text of several lines.</summary>
    public virtual bool IsLines => false;

    /// <summary>The appliance alone writes it: nothing that a person fills in.</summary>
    public bool IsAppliances { get; init; }

    /// <returns>False when a mistake was reported.</returns>
    public abstract bool TryRead(TextNode node, string path, Reading reading, out T value);

    public abstract JsonNode Write(T value);

    /// <summary>For kinds that are written as one text. What is broken was reported already; a list or a mapping is reported here.</summary>
    /// <param name="name">With its article: <c>a MAC address</c>.</param>
    protected bool TryScalar(TextNode node, string path, string name, Reading reading, [NotNullWhen(true)] out TextNode.Scalar? scalar)
    {
        scalar = node as TextNode.Scalar;
        if (scalar is null && node is not TextNode.Broken)
            reading.Add(node.Position, path, $"a {(node is TextNode.Sequence ? "list" : "mapping")} is not {name}", null, Expected);
        return scalar is not null;
    }
}

/// <summary>Reads a text; <paramref name="wrong"/> says what is wrong with it, as the rest of a sentence, or is null for "is not …".</summary>
internal delegate bool TryParse<T>(string text, out T value, out string? wrong);

/// <summary>A value written as one word.</summary>
/// <param name="name">With its article: <c>a MAC address</c>.</param>
/// <param name="expected">What would be right, with an example.</param>
internal sealed class ScalarKind<T>(string name, string expected, TryParse<T> parse, Func<T, JsonNode> write, string jsonType = "string") : ValueKind<T>
{
    /// <summary>Free text, where <c>no</c> without quotes is most likely a slip: YAML 1.1 reads it as a boolean.</summary>
    public bool FreeText { get; init; }

    public override string Expected => expected;

    public override string JsonType => jsonType;

    public override bool TryRead(TextNode node, string path, Reading reading, out T value)
    {
        value = default!;
        if (!TryScalar(node, path, name, reading, out var scalar))
            return false;
        if (Texts.Printable(scalar.Text) is { } control)
        {
            reading.Add(node.Position, path, $"'{Reading.Shorten(scalar.Text)}' {control}", scalar.Text, expected);
            return false;
        }
        if (FreeText && scalar.Plain && IsBooleanWord(scalar.Text))
        {
            reading.Add(node.Position, path, $"{scalar.Text} without quotes is a boolean to YAML", scalar.Text, $"\"{scalar.Text}\" in quotes, if that word is meant");
            return false;
        }
        if (parse(scalar.Text, out value, out var wrong))
            return true;
        reading.Add(node.Position, path, $"'{Reading.Shorten(scalar.Text)}' {wrong ?? "is not " + name}", scalar.Text, expected);
        return false;
    }

    public override JsonNode Write(T value) => write(value);

    private static bool IsBooleanWord(string text) =>
        text.ToLowerInvariant() is "true" or "false" or "yes" or "no" or "on" or "off";
}

/// <summary>A list. Each item's mistake is reported on its own.</summary>
/// <param name="single">One item may stand without the list around it.</param>
internal sealed class ListKind<T>(ValueKind<T> item, int minimum = 0, int maximum = 64, bool single = false) : ValueKind<ImmutableArray<T>>
{
    public override string Expected => $"a list, each item {item.Expected}";

    public override string JsonType => "array";

    public override IReadOnlyList<FieldDescription> Fields => item.Fields;

    public override string? ItemType => item.JsonType;

    public override bool TryRead(TextNode node, string path, Reading reading, out ImmutableArray<T> value)
    {
        value = [];
        if (node is TextNode.Broken)
            return false;
        if (node is TextNode.Scalar && single)
        {
            var one = item.TryRead(node, path, reading, out var only);
            value = one ? [only] : [];
            return one;
        }
        if (node is not TextNode.Sequence sequence)
        {
            reading.Add(node.Position, path, "is not a list", (node as TextNode.Scalar)?.Text, $"a list, such as [{(node as TextNode.Scalar)?.Text ?? "…"}]");
            return false;
        }
        var good = true;
        if (sequence.Items.Count < minimum || sequence.Items.Count > maximum)
        {
            reading.Add(node.Position, path, $"has {sequence.Items.Count} items", null, $"{minimum} to {maximum} items");
            good = false;
        }
        var items = ImmutableArray.CreateBuilder<T>();
        for (var i = 0; i < sequence.Items.Count && i < maximum; i++)
        {
            var itemPath = $"{path}[{i}]";
            reading.Place(itemPath, sequence.Items[i].Position);
            if (item.TryRead(sequence.Items[i], itemPath, reading, out var read))
                items.Add(read);
            else
                good = false;
        }
        value = items.ToImmutable();
        return good;
    }

    public override JsonNode Write(ImmutableArray<T> value) => new JsonArray([.. value.Select(JsonNode? (v) => item.Write(v))]);
}

/// <summary>Labels by Kubernetes' rules.</summary>
internal sealed class LabelsKind : ValueKind<ImmutableSortedDictionary<string, string>>
{
    public override string Expected => "a mapping of label keys to values, such as {rack: r12}";

    public override string JsonType => "object";

    public override string? ItemType => "string";

    public override bool TryRead(TextNode node, string path, Reading reading, out ImmutableSortedDictionary<string, string> value)
    {
        value = ImmutableSortedDictionary<string, string>.Empty;
        if (node is TextNode.Broken)
            return false;
        if (node is not TextNode.Mapping mapping)
        {
            reading.Add(node.Position, path, "is not a mapping", (node as TextNode.Scalar)?.Text, Expected);
            return false;
        }
        var before = reading.MistakesSoFar;
        var labels = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (var (key, entry) in mapping.Entries)
        {
            var labelPath = $"{path}[{Reading.Shorten(key.Text)}]";
            reading.Place(labelPath, entry.Position);
            if ((Texts.Printable(key.Text) ?? Texts.LabelKey(key.Text)) is { } wrong)
                reading.Add(key.Position, labelPath, $"'{Reading.Shorten(key.Text)}' {wrong}", key.Text, "at most 63 letters, digits, '-', '_' and '.', after an optional prefix such as example.com/");
            if (!Values.LabelValue.TryRead(entry, labelPath, reading, out var text))
                continue;
            if (!labels.TryAdd(key.Text, text))
                reading.Add(key.Position, labelPath, $"the key '{Reading.Shorten(key.Text)}' is there twice", key.Text, "each key once");
        }
        value = labels.ToImmutable();
        return reading.MistakesSoFar == before;
    }

    public override JsonNode Write(ImmutableSortedDictionary<string, string> value)
    {
        var labels = new JsonObject();
        foreach (var (key, text) in value)
            labels[key] = text;
        return labels;
    }
}
