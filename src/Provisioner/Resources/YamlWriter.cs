using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Provisioner.Resources;

/// <summary>
/// Writes a JSON tree as YAML in block style. A text is quoted unless every YAML 1.1 and 1.2 reader takes it as that text:
/// <c>no</c>, <c>12:30</c> and <c>1e3</c> are a boolean, a number in base 60 and a float to some of them.
/// </summary>
public static class YamlWriter
{
    private static readonly SearchValues<char> Usual = SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c), '\n', '\t']);

    public static string Write(JsonNode node) => Write(node, 0).Append('\n').ToString();

    /// <summary>Each line that many columns to the right, the last without its end.</summary>
    internal static StringBuilder Block(JsonNode node, int indent) => Write(node, indent);

    private static StringBuilder Write(JsonNode node, int indent)
    {
        var text = new StringBuilder();
        if (node is not (JsonObject { Count: > 0 } or JsonArray { Count: > 0 }))
            return text.Append(' ', indent).Append(Inline(node));
        Block(text, node, indent);
        // Every line that a block writes has its end.
        text.Length--;
        return text;
    }

    private static void Block(StringBuilder text, JsonNode node, int indent)
    {
        if (node is JsonObject mapping)
        {
            var first = true;
            foreach (var (key, value) in mapping)
            {
                // The first key of a mapping inside a list stands on the line of its dash.
                if (!first || text.Length == 0 || text[^1] == '\n')
                    text.Append(' ', indent);
                first = false;
                text.Append(Text(key)).Append(':');
                Value(text, value, indent);
            }
            return;
        }
        foreach (var item in node.AsArray())
        {
            text.Append(' ', indent).Append('-');
            if (item is JsonObject { Count: > 0 })
            {
                text.Append(' ');
                Block(text, item, indent + 2);
            }
            else
            {
                Value(text, item, indent);
            }
        }
    }

    private static void Value(StringBuilder text, JsonNode? value, int indent)
    {
        if (value is JsonObject { Count: > 0 } or JsonArray { Count: > 0 })
        {
            text.Append('\n');
            Block(text, value, indent + 2);
        }
        else if (value?.GetValueKind() == JsonValueKind.String && value.GetValue<string>() is var lines && IsLiteral(lines))
        {
            // The header says whether the last line ends.
            text.Append(lines[^1] == '\n' ? " |\n" : " |-\n");
            foreach (var line in lines.AsSpan().TrimEnd('\n').EnumerateLines())
                text.Append(' ', line.Length == 0 ? 0 : indent + 2).Append(line).Append('\n');
        }
        else
        {
            text.Append(' ').Append(Inline(value)).Append('\n');
        }
    }

    private static string Inline(JsonNode? node) => node switch
    {
        null => "null",
        JsonObject => "{}",
        JsonArray => "[]",
        _ when node.GetValueKind() == JsonValueKind.String => Text(node.GetValue<string>()),
        _ => node.ToJsonString(),
    };

    /// <summary>One value in one line.</summary>
    internal static string Scalar(JsonNode? value) => Inline(value);

    // Several lines that stay readable as they are. The first says how far they are indented, so it must not begin with a blank; what
    // ends in more than one line feed, or holds a line of blanks alone, is left to the quotes.
    internal static bool IsLiteral(string value)
    {
        if (!value.Contains('\n', StringComparison.Ordinal) || value[0] is ' ' or '\n' or '\t' || value.EndsWith("\n\n", StringComparison.Ordinal))
            return false;
        for (var rest = value.AsSpan(); rest.IndexOfAnyExcept(Usual) is >= 0 and var odd; rest = rest[(odd + 1)..])
        {
            if (rest[odd] is not (> '\u00a0' and < '\ud800' and not ('\u2028' or '\u2029')))
                return false;
        }
        // No other end of a line is left in it.
        foreach (var line in value.AsSpan().EnumerateLines())
        {
            if (line.Length > 0 && line[0] is ' ' or '\t' && line.IsWhiteSpace())
                return false;
        }
        return true;
    }

    private static string Text(string value) => IsPlain(value) ? value : Quoted(value);

    private static bool IsPlain(string value)
    {
        if (value.Length == 0 || !char.IsAsciiLetter(value[0]))
            return false;
        foreach (var c in value)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.' or '/' or '@' or '+' or '='))
                return false;
        }
        return value.ToLowerInvariant() is not ("true" or "false" or "yes" or "no" or "on" or "off" or "y" or "n" or "null" or "inf" or "nan");
    }

    private static string Quoted(string value)
    {
        var text = new StringBuilder("\"");
        foreach (var c in value)
        {
            if (c is '"' or '\\')
                text.Append('\\').Append(c);
            else if (c is < ' ' or '\u007f' or (>= '\u0080' and <= '\u00a0') or '\u2028' or '\u2029' or '\ufeff' or '\ufffe' or '\uffff')
                text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else
                text.Append(c);
        }
        return text.Append('"').ToString();
    }
}
