using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Provisioner.Resources;

/// <summary>Where a value stands in a document: keys of mappings, and places in lists. Equal when it is the same place.</summary>
public sealed class DocumentPath : IEquatable<DocumentPath>
{
    /// <summary>The document itself.</summary>
    public static readonly DocumentPath Root = new([]);

    private readonly string text;

    private DocumentPath(ImmutableArray<Step> steps)
    {
        Steps = steps;
        var written = new StringBuilder();
        foreach (var step in steps)
        {
            if (step.Key is { } key)
                written.Append(written.Length == 0 ? "" : ".").Append(key);
            else
                written.Append(CultureInfo.InvariantCulture, $"[{step.Index}]");
        }
        text = written.ToString();
    }

    /// <summary>From the document's root.</summary>
    public ImmutableArray<Step> Steps { get; }

    /// <summary>The value under that key of the mapping here.</summary>
    public DocumentPath this[string key] => new(Steps.Add(new Step(key, 0)));

    /// <summary>The item at that place of the list here, counted from 0.</summary>
    public DocumentPath this[int index] => new(Steps.Add(new Step(null, index)));

    /// <summary>Whether that mistake is at this value, or inside it.</summary>
    public bool Holds(Mistake mistake) => mistake.Path is { } path && path.StartsWith(text, StringComparison.Ordinal) && (path.Length == text.Length || path[text.Length] is '.' or '[');

    /// <summary>Whether that mistake is at this value itself.</summary>
    public bool IsAt(Mistake mistake) => mistake.Path == text;

    /// <summary>As mistakes have it: <c>spec.install.users[0].name</c>.</summary>
    public override string ToString() => text;

    /// <inheritdoc/>
    public bool Equals(DocumentPath? other) => other is not null && Steps.SequenceEqual(other.Steps);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as DocumentPath);

    /// <inheritdoc/>
    public override int GetHashCode() => text.GetHashCode(StringComparison.Ordinal);

    /// <summary>One step further down.</summary>
    /// <param name="Key">Of a mapping; null for an item of a list.</param>
    /// <param name="Index">Of a list, counted from 0.</param>
    public readonly record struct Step(string? Key, int Index);
}
