using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Provisioner.Resources;

/// <summary>
/// A YAML text with one word in the place of each long literal block that holds a text which is expected. The parser reads that, and says where a word
/// stands as a text of its own; only there it is taken for its block. So a line that merely looks like the head of a block, or a block that goes on where
/// it should end, leaves a word that nothing was made of, and the whole text has to be read.
/// </summary>
/// <remarks>A block is what YAML 1.2.2 §8.1.2 says: the lines that are indented as its first one, without that indentation, and empty ones between.</remarks>
internal sealed class YamlOutline
{
    /// <summary>Shorter ones are read in the time that it takes to leave them out.</summary>
    private const int Worthwhile = 256;

    private const string Word = "PROVISIONER-LITERAL-BLOCK-";

    private readonly List<string> blocks = [];
    private int filled;

    private YamlOutline() => Text = "";

    public string Text { get; private set; }

    /// <summary>Each block has found its place, once.</summary>
    public bool IsFilled => filled == blocks.Count;

    /// <param name="expected">Whose texts are looked for.</param>
    /// <returns>Null when there is nothing to leave out.</returns>
    public static YamlOutline? Of(string text, JsonNode expected)
    {
        var texts = new List<string>();
        Collect(expected, texts);
        if (texts.Count == 0 || text.Contains(Word, StringComparison.Ordinal))
            return null;
        var outline = new YamlOutline();
        var rest = new StringBuilder();
        var kept = 0;
        for (var at = 0; at < text.Length;)
        {
            var end = text.IndexOf('\n', at);
            if (end < 0)
                break;
            if (IsHead(text.AsSpan(at, end - at)) && Find(text, end + 1, texts, out var indent, out var last) is { } block)
            {
                rest.Append(text, kept, end + 1 - kept).Append(' ', indent).Append(Word).Append(outline.blocks.Count);
                outline.blocks.Add(block);
                // The end of its last line is the parser's: it decides what it is worth.
                (kept, end) = (last, last);
            }
            at = end + 1;
        }
        if (outline.blocks.Count == 0)
            return null;
        outline.Text = rest.Append(text, kept, text.Length - kept).ToString();
        return outline;
    }

    /// <returns>The block, where the text is its word; null otherwise.</returns>
    public string? Fill(string text)
    {
        if (!text.StartsWith(Word, StringComparison.Ordinal))
            return null;
        var ends = text[^1] == '\n';
        if (!int.TryParse(text.AsSpan(Word.Length, text.Length - Word.Length - (ends ? 1 : 0)), NumberStyles.None, CultureInfo.InvariantCulture, out var index) || index != filled)
            return null;
        filled++;
        var block = blocks[index];
        return block[^1] == '\n' == ends ? block : ends ? block + "\n" : block.TrimEnd('\n');
    }

    private static void Collect(JsonNode? node, List<string> texts)
    {
        switch (node)
        {
            case JsonObject mapping:
                foreach (var (_, value) in mapping)
                    Collect(value, texts);
                break;
            case JsonArray list:
                foreach (var item in list)
                    Collect(item, texts);
                break;
            case JsonValue value when value.TryGetValue<string>(out var text) && text.Length >= Worthwhile && YamlWriter.IsLiteral(text):
                texts.Add(text);
                break;
            default:
                break;
        }
    }

    private static bool IsHead(ReadOnlySpan<char> line) =>
        line.EndsWith(": |", StringComparison.Ordinal) || line.EndsWith(": |-", StringComparison.Ordinal) || line.EndsWith("- |", StringComparison.Ordinal) || line.EndsWith("- |-", StringComparison.Ordinal);

    /// <param name="last">Where its last line ends.</param>
    private static string? Find(string text, int start, List<string> texts, out int indent, out int last)
    {
        indent = 0;
        last = start;
        while (start + indent < text.Length && text[start + indent] == ' ')
            indent++;
        foreach (var candidate in texts)
        {
            if (indent > 0 && Stands(text.AsSpan(), start, indent, candidate, out last))
                return candidate;
        }
        return null;
    }

    private static bool Stands(ReadOnlySpan<char> text, int start, int indent, string block, out int last)
    {
        last = start;
        var at = start;
        foreach (var line in block.AsSpan().TrimEnd('\n').EnumerateLines())
        {
            if (line.Length > 0)
            {
                if (text.Length - at < indent + line.Length || text.Slice(at, indent).ContainsAnyExcept(' ') || !text.Slice(at + indent, line.Length).SequenceEqual(line))
                    return false;
                at += indent + line.Length;
            }
            if (at > text.Length || at < text.Length && text[at] != '\n')
                return false;
            last = Math.Min(at, text.Length);
            at++;
        }
        return true;
    }
}
