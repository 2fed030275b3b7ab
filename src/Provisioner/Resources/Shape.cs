using System.Collections;
using System.Text.Json.Nodes;

namespace Provisioner.Resources;

/// <summary>One key of a mapping as a description shows it.</summary>
/// <param name="Type">The JSON Schema type.</param>
/// <param name="Expected">What is a right value.</param>
/// <param name="Fields">The keys inside, for a mapping.</param>
public sealed record FieldDescription(string Name, string Type, bool Required, string Description, string Expected, IReadOnlyList<FieldDescription> Fields)
{
    /// <summary>The JSON Schema type of the items of an array, or of the values of a mapping whose keys are anybody's; null for anything else.</summary>
    public string? ItemType { get; init; }

    /// <summary>All words that are right, where it is one of a few.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>The kind of the resource that it names; null when it names none.</summary>
    public string? RefersTo { get; init; }

    /// <summary>A text of several lines.</summary>
    public bool IsLines { get; init; }

    /// <summary>The appliance alone writes it: nothing that a person fills in.</summary>
    public bool IsAppliances { get; init; }

    /// <summary>What holds when it is not given, as a document writes it; null when that cannot be said in a word.</summary>
    public string? Default { get; init; }
}

/// <summary>One key of a mapping: how it is read into its owner and written from it.</summary>
internal abstract class Field<TOwner>(string name, bool required)
{
    public string Name => name;

    public bool Required => required;

    public abstract FieldDescription Describe();

    /// <summary>The owner with this value, or as it was when a mistake was reported.</summary>
    public abstract TOwner Read(TOwner owner, TextNode node, string path, Reading reading);

    /// <summary>Null when there is nothing to write.</summary>
    public abstract JsonNode? Write(TOwner owner);
}

/// <summary>
/// The keys of a mapping and the record they make, declared once: it reads documents, writes them, and describes itself.
/// To add a key is to add one line.
/// </summary>
internal sealed class Shape<T>(string name, Func<T> blank) : ValueKind<T>, IEnumerable<Field<T>>
{
    private readonly List<Field<T>> fields = [];
    private readonly List<Action<T, Report>> checks = [];

    /// <summary>Reports a mistake at a key of this mapping, such as <c>range</c> or <c>macAddresses[1]</c>.</summary>
    public delegate void Report(string key, string message, string? value = null, string? expected = null);

    public override string Expected => $"{name}: a mapping with {string.Join(", ", fields.Select(f => f.Name))}";

    public override string JsonType => "object";

    public override IReadOnlyList<FieldDescription> Fields => [.. fields.Select(f => f.Describe())];

    /// <summary>A key that must be there.</summary>
    public void Required<TValue>(string key, ValueKind<TValue> kind, Func<T, TValue> get, Func<T, TValue, T> set, string description) =>
        fields.Add(new ValueField<TValue>(key, true, kind, owner => kind.Write(get(owner)), set, description));

    /// <summary>A key with a default, which is written out.</summary>
    public void Default<TValue>(string key, ValueKind<TValue> kind, Func<T, TValue> get, Func<T, TValue, T> set, string description) =>
        fields.Add(new ValueField<TValue>(key, false, kind, owner => kind.Write(get(owner)), set, description, () => (kind.Write(get(blank())) as JsonValue)?.ToString()));

    /// <summary>A key that may be missing.</summary>
    public void Optional<TValue>(string key, ValueKind<TValue> kind, Func<T, TValue?> get, Func<T, TValue, T> set, string description)
        where TValue : class =>
        fields.Add(new ValueField<TValue>(key, false, kind, owner => get(owner) is { } value ? kind.Write(value) : null, set, description));

    /// <summary>A key that may be missing.</summary>
    public void Optional<TValue>(string key, ValueKind<TValue> kind, Func<T, TValue?> get, Func<T, TValue, T> set, string description)
        where TValue : struct =>
        fields.Add(new ValueField<TValue>(key, false, kind, owner => get(owner) is { } value ? kind.Write(value) : null, set, description));

    /// <summary>A list that may be missing or empty, which is the same.</summary>
    public void Optional<TItem>(string key, ListKind<TItem> kind, Func<T, System.Collections.Immutable.ImmutableArray<TItem>> get,
        Func<T, System.Collections.Immutable.ImmutableArray<TItem>, T> set, string description) =>
        fields.Add(new ValueField<System.Collections.Immutable.ImmutableArray<TItem>>(key, false, kind,
            owner => get(owner).IsDefaultOrEmpty ? null : kind.Write(get(owner)), set, description));

    /// <summary>What the keys must hold together; asked only of mappings whose keys are each right.</summary>
    public void Check(Action<T, Report> check) => checks.Add(check);

    public override bool TryRead(TextNode node, string path, Reading reading, out T value)
    {
        value = blank();
        if (node is TextNode.Broken)
            return false;
        if (node is not TextNode.Mapping mapping)
        {
            reading.Add(node.Position, path, $"is not a mapping", (node as TextNode.Scalar)?.Text, Expected);
            return false;
        }
        var before = reading.MistakesSoFar;
        var seen = new Dictionary<string, TextPosition>(StringComparer.Ordinal);
        foreach (var (key, entry) in mapping.Entries)
        {
            var keyPath = path.Length == 0 ? Reading.Shorten(key.Text) : $"{path}.{Reading.Shorten(key.Text)}";
            if (fields.Find(f => f.Name == key.Text) is not { } field)
            {
                var nearest = reading.IsFull ? null : Spelling.Nearest(key.Text, fields.Select(f => f.Name));
                reading.Add(key.Position, keyPath, $"there is no key '{Reading.Shorten(key.Text)}' in {name}" + (nearest is null ? "" : $"; did you mean '{nearest}'?"),
                    key.Text, nearest ?? $"one of {string.Join(", ", fields.Select(f => f.Name))}");
                continue;
            }
            if (!seen.TryAdd(key.Text, key.Position))
            {
                reading.Add(key.Position, keyPath, $"the key '{key.Text}' is there twice, first in line {seen[key.Text].Line}", key.Text, "each key once");
                continue;
            }
            reading.Place(keyPath, entry.Position);
            if (entry is TextNode.Scalar { IsNull: true } empty)
            {
                if (field.Required)
                    reading.Add(empty.Position, keyPath, "has no value", null, field.Describe().Expected);
                continue;
            }
            value = field.Read(value, entry, keyPath, reading);
        }
        foreach (var field in fields)
        {
            if (field.Required && !seen.ContainsKey(field.Name))
                reading.Add(mapping.Position, path.Length == 0 ? field.Name : $"{path}.{field.Name}", $"the key '{field.Name}' is missing", null, field.Describe().Expected);
        }
        if (reading.MistakesSoFar == before)
        {
            foreach (var check in checks)
                check(value, (key, message, wrong, expected) => ReportAt(mapping, path, reading, key, message, wrong, expected));
        }
        return reading.MistakesSoFar == before;
    }

    public override JsonNode Write(T value)
    {
        var mapping = new JsonObject();
        foreach (var field in fields)
        {
            if (field.Write(value) is { } written)
                mapping[field.Name] = written;
        }
        return mapping;
    }

    private static void ReportAt(TextNode.Mapping mapping, string path, Reading reading, string key, string message, string? wrong, string? expected)
    {
        var keyPath = path.Length == 0 ? key : $"{path}.{key}";
        reading.Add(reading.Find(keyPath) ?? mapping.Position, keyPath, message, wrong, expected);
    }

    IEnumerator<Field<T>> IEnumerable<Field<T>>.GetEnumerator() => fields.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => fields.GetEnumerator();

    private sealed class ValueField<TValue>(
        string name, bool required, ValueKind<TValue> kind, Func<T, JsonNode?> write, Func<T, TValue, T> set, string description, Func<string?>? standard = null)
        : Field<T>(name, required)
    {
        public override FieldDescription Describe() => new(Name, kind.JsonType, Required, description, kind.Expected, kind.Fields)
        {
            ItemType = kind.ItemType, Words = kind.Words, RefersTo = kind.RefersTo, IsLines = kind.IsLines, IsAppliances = kind.IsAppliances, Default = standard?.Invoke(),
        };

        public override T Read(T owner, TextNode node, string path, Reading reading) =>
            kind.TryRead(node, path, reading, out var value) ? set(owner, value) : owner;

        public override JsonNode? Write(T owner) => write(owner);
    }
}
