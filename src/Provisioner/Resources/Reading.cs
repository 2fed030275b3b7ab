using System.Text;

namespace Provisioner.Resources;

/// <summary>One pass over a text: collects every mistake, and where each value stood.</summary>
internal sealed class Reading
{
    /// <summary>More than anybody reads; a text of another format would make one a line.</summary>
    public const int MaximumMistakes = 500;

    private readonly List<Mistake> mistakes = [];
    private Dictionary<string, TextPosition> positions = [];

    /// <summary>The document under way, counted from 1; 0 before the first.</summary>
    public int Document { get; set; }

    public IReadOnlyList<Mistake> Mistakes => mistakes;

    /// <summary>No more mistakes are kept: no need to find out what was meant.</summary>
    public bool IsFull => mistakes.Count > MaximumMistakes;

    public int MistakesSoFar { get; private set; }

    public void Add(TextPosition position, string path, string message, string? value = null, string? expected = null)
    {
        MistakesSoFar++;
        if (mistakes.Count == MaximumMistakes)
            mistakes.Add(new Mistake($"there are more mistakes than {MaximumMistakes}; the rest is not shown"));
        if (mistakes.Count > MaximumMistakes)
            return;
        mistakes.Add(new Mistake(message)
        {
            Document = Math.Max(1, Document),
            Line = position.Line,
            Column = position.Column,
            Path = path.Length == 0 ? null : path,
            Value = value is null ? null : Shorten(value),
            Expected = expected,
        });
    }

    /// <summary>Remembers where the value of a key stands, for mistakes found later.</summary>
    public void Place(string path, TextPosition position) => positions[path] = position;

    /// <summary>Where the value of that key stands in this document.</summary>
    public TextPosition? Find(string path) => positions.TryGetValue(path, out var position) ? position : null;

    /// <summary>The positions of this document; the next begins without.</summary>
    public IReadOnlyDictionary<string, TextPosition> TakePositions()
    {
        var taken = positions;
        positions = [];
        return taken;
    }

    /// <summary>A value as it is shown: in one line, without control characters, of bearable length.</summary>
    public static string Shorten(string value)
    {
        var shown = new StringBuilder();
        foreach (var c in value)
        {
            if (shown.Length >= 80)
                return shown.Append('…').ToString();
            if (Texts.IsControl(c) || char.IsSurrogate(c))
                shown.Append($"\\u{(int)c:x4}");
            else
                shown.Append(c);
        }
        return shown.ToString();
    }
}
