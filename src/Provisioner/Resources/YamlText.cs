using System.Diagnostics.CodeAnalysis;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Provisioner.Resources;

/// <summary>Where a node begins, counted from 1.</summary>
internal readonly record struct TextPosition(int Line, int Column);

/// <summary>A node of a document as it was written: duplicate keys, plain or quoted, and every position are kept.</summary>
internal abstract record TextNode(TextPosition Position)
{
    /// <param name="Plain">Without quotes: <c>no</c> may then mean a boolean.</param>
    public sealed record Scalar(string Text, bool Plain, TextPosition Position) : TextNode(Position)
    {
        /// <summary>Nothing, <c>~</c> or <c>null</c>, without quotes.</summary>
        public bool IsNull => Plain && Text is "" or "~" or "null" or "Null" or "NULL";
    }

    public sealed record Sequence(IReadOnlyList<TextNode> Items, TextPosition Position) : TextNode(Position);

    public sealed record Mapping(IReadOnlyList<KeyValuePair<Scalar, TextNode>> Entries, TextPosition Position) : TextNode(Position);

    /// <summary>Already reported; nothing more is to be said of it.</summary>
    public sealed record Broken(TextPosition Position) : TextNode(Position);
}

/// <summary>
/// The documents of a YAML text, from the parser's events: YamlDotNet's own document model stops at the first duplicate key
/// and follows aliases, which lets a short text grow without end.
/// </summary>
internal sealed class YamlText
{
    /// <summary>In characters; ten thousand hosts need about four million.</summary>
    public const int MaximumLength = 16 * 1024 * 1024;

    public const int MaximumDepth = 32;

    private readonly Reading reading;
    private readonly string text;
    private int lineOffset;
    private bool inDocument;

    private YamlText(string text, Reading reading)
    {
        this.text = text;
        this.reading = reading;
    }

    /// <summary>Reads each document and hands it on with its index, counted from 1. A broken document does not hide those after the next <c>---</c>.</summary>
    public static void Read(string text, Reading reading, Action<TextNode> document)
    {
        if (text.Length > MaximumLength)
        {
            reading.Add(new TextPosition(1, 1), "", $"the text has {text.Length} characters", null, $"at most {MaximumLength}; apply it in parts");
            return;
        }
        new YamlText(text, reading).ReadAll(document);
    }

    private void ReadAll(Action<TextNode> document)
    {
        var rest = text;
        while (ReadUntilBroken(rest, document) is { } brokenAt)
        {
            // Go on at the next document marker below the broken place.
            if (NextDocument(rest, brokenAt - lineOffset) is not { } next)
                return;
            lineOffset += next.Lines;
            rest = rest[next.Offset..];
        }
    }

    /// <returns>The line of the whole text where the parser gave up; null at a good end.</returns>
    private int? ReadUntilBroken(string part, Action<TextNode> document)
    {
        var parser = new Parser(new Scanner(new StringReader(part), skipComments: true));
        inDocument = false;
        while (true)
        {
            if (!TryNext(parser, out var node, out var brokenAt))
                return brokenAt;
            document(node);
        }
    }

    /// <returns>False at the end, which is broken when it has a line.</returns>
    private bool TryNext(Parser parser, [NotNullWhen(true)] out TextNode? node, out int? brokenAt)
    {
        node = null;
        brokenAt = null;
        try
        {
            while (parser.MoveNext())
            {
                switch (parser.Current)
                {
                    case DocumentStart:
                        reading.Document++;
                        inDocument = true;
                        break;
                    case StreamStart or StreamEnd or DocumentEnd:
                        inDocument = false;
                        break;
                    default:
                        node = Node(parser, 0);
                        return true;
                }
            }
            return false;
        }
        catch (YamlException e)
        {
            brokenAt = Broken(e.Start, $"not well-formed YAML: {Sentence(e.Message)}");
        }
        catch (TooDeepException)
        {
            brokenAt = Broken(parser.Current!.Start, "nested too deeply", $"at most {MaximumDepth} levels");
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or IndexOutOfRangeException or FormatException or OverflowException)
        {
            // The scanner's own slips on odd input. Whatever it was, it is the text that cannot be read.
            brokenAt = Broken(parser.Current?.End ?? Mark.Empty, "not well-formed YAML");
        }
        return false;
    }

    private int Broken(in Mark mark, string message, string? expected = null)
    {
        if (!inDocument)
            reading.Document++;
        var position = At(mark);
        reading.Add(position, "", message, null, expected);
        return position.Line;
    }

    private TextNode Node(Parser parser, int depth)
    {
        var current = parser.Current!;
        var position = At(current.Start);
        if (depth > MaximumDepth)
            throw new TooDeepException();
        if (current is NodeEvent node)
        {
            if (!node.Anchor.IsEmpty)
                reading.Add(position, "", "anchors are not understood here", "&" + node.Anchor.Value, "the value written out where it is needed");
            if (!node.Tag.IsEmpty && node.Tag.Value is not ("tag:yaml.org,2002:str" or "!"))
                reading.Add(position, "", "tags are not understood here", node.Tag.Value, "the value without a tag");
        }
        switch (current)
        {
            case YamlDotNet.Core.Events.Scalar scalar:
                return new TextNode.Scalar(scalar.Value, scalar.Style is ScalarStyle.Plain && scalar.Tag.IsEmpty, position);
            case SequenceStart:
                var items = new List<TextNode>();
                while (parser.MoveNext() && parser.Current is not SequenceEnd)
                    items.Add(Node(parser, depth + 1));
                return new TextNode.Sequence(items, position);
            case MappingStart:
                return Mapping(parser, position, depth);
            case AnchorAlias alias:
                reading.Add(position, "", "aliases are not understood here", "*" + alias.Value.Value, "the value written out where it is needed");
                return new TextNode.Broken(position);
            default:
                return new TextNode.Broken(position);
        }
    }

    private TextNode.Mapping Mapping(Parser parser, TextPosition position, int depth)
    {
        var entries = new List<KeyValuePair<TextNode.Scalar, TextNode>>();
        while (parser.MoveNext() && parser.Current is not MappingEnd)
        {
            var key = Node(parser, depth + 1);
            if (!parser.MoveNext())
                break;
            var value = Node(parser, depth + 1);
            if (key is TextNode.Scalar scalar)
                entries.Add(new(scalar, value));
            else if (key is not TextNode.Broken)
                reading.Add(key.Position, "", "a list or a mapping cannot be a key", null, "a word");
        }
        return new(entries, position);
    }

    private TextPosition At(in Mark mark) => new((int)Math.Max(1, mark.Line) + lineOffset, (int)Math.Max(1, mark.Column));

    private static (int Offset, int Lines)? NextDocument(string part, int afterLine)
    {
        var line = 1;
        for (var start = 0; start < part.Length; line++)
        {
            if (line > afterLine && part.AsSpan(start).StartsWith("---") && (start + 3 == part.Length || char.IsWhiteSpace(part[start + 3])))
                return (start, line - 1);
            var end = part.IndexOf('\n', start);
            if (end < 0)
                return null;
            start = end + 1;
        }
        return null;
    }

    private static string Sentence(string message) =>
        message.Length > 0 && char.IsUpper(message[0]) && !(message.Length > 1 && char.IsUpper(message[1]))
            ? char.ToLowerInvariant(message[0]) + message[1..].TrimEnd('.') : message.TrimEnd('.');

    private sealed class TooDeepException : Exception;
}
