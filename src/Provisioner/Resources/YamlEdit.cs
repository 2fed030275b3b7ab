using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Provisioner.Resources;

/// <summary>
/// Changes one value of a YAML text and leaves every other character as somebody wrote it: comments, order, quotes. What came out is read again: a
/// text that is not the old one with that one value changed is not given.
/// </summary>
internal static class YamlEdit
{
    /// <summary>Puts a value in its place, makes that place where there is none, or takes it out.</summary>
    /// <param name="text">One well-formed document.</param>
    /// <param name="path">Where. A place after the last item of a list is a new item.</param>
    /// <param name="value">Null takes it out; of what is not there nothing is taken.</param>
    /// <returns>Null when the text is written in a way that cannot be changed in one place.</returns>
    public static string? TrySet(string text, DocumentPath path, JsonNode? value)
    {
        // So that a block at its end has a last line like any other.
        if (!text.EndsWith('\n'))
            text += '\n';
        if (path.Steps.IsEmpty || Read(text) is not { } root)
            return null;
        var wanted = With(Tree(root), path, 0, value);
        var made = Change(text, root, path, value);
        return made is not null && Read(made) is { } again && JsonNode.DeepEquals(Tree(again), wanted) ? made : null;
    }

    /// <summary>Where a value is written: from its first character to behind its last, comments and line ends after it left out.</summary>
    private abstract record Piece(int Start, int End)
    {
        public sealed record Word(string Text, bool IsNull, int Start, int End) : Piece(Start, End);

        public sealed record List(bool IsFlow, List<Piece> Items, int Start, int End) : Piece(Start, End);

        public sealed record Map(bool IsFlow, List<(Word Key, Piece Value)> Entries, int Start, int End) : Piece(Start, End)
        {
            public int IndexOf(string key) => Entries.FindIndex(e => e.Key.Text == key);
        }
    }

    private static string? Change(string text, Piece root, DocumentPath path, JsonNode? value)
    {
        // Down to where it stands, or to the last that is there of its way.
        var way = new List<Piece> { root };
        foreach (var step in path.Steps)
        {
            if (Child(way[^1], step) is not { } child)
                break;
            way.Add(child);
        }
        var found = way.Count - 1;
        if (found == path.Steps.Length)
            return value is null ? Remove(text, way, path, found) : Replace(text, way, path, found, value);
        if (value is null)
            return text;
        // Its way is made as well.
        for (var i = path.Steps.Length - 1; i > found; i--)
            value = path.Steps[i].Key is { } key ? new JsonObject { [key] = value.DeepClone() } : new JsonArray(value.DeepClone());
        var (parent, next) = (way[^1], path.Steps[found]);
        return parent switch
        {
            Piece.Map { Entries.Count: > 0 } map when next.Key is { } key => Add(text, map, key, value),
            Piece.List { Items.Count: > 0 } list when next.Key is null && next.Index == list.Items.Count => Append(text, list, value),
            Piece.Map or Piece.Word { IsNull: true } when next.Key is { } key => Replace(text, way, path, found, new JsonObject { [key] = value.DeepClone() }),
            Piece.List or Piece.Word { IsNull: true } when next is { Key: null, Index: 0 } => Replace(text, way, path, found, new JsonArray(value.DeepClone())),
            _ => null,
        };
    }

    private static Piece? Child(Piece piece, DocumentPath.Step step) => piece switch
    {
        Piece.Map map when step.Key is { } key && map.IndexOf(key) is >= 0 and var at => map.Entries[at].Value,
        Piece.List list when step.Key is null && step.Index < list.Items.Count => list.Items[step.Index],
        _ => null,
    };

    private static string? Replace(string text, List<Piece> way, DocumentPath path, int depth, JsonNode value)
    {
        var old = way[depth];
        if (depth == 0)
            return string.Concat(text.AsSpan(0, old.Start), YamlWriter.Write(value).TrimEnd('\n'), text.AsSpan(old.End));
        var parent = way[depth - 1];
        var isFlow = parent is Piece.Map { IsFlow: true } or Piece.List { IsFlow: true };
        // A list in brackets stays one; an empty one has no style to keep.
        if (isFlow || old is Piece.Map { IsFlow: true, Entries.Count: > 0 } or Piece.List { IsFlow: true, Items.Count: > 0 })
            return Put(text, old.Start, old.End, Flow(value));
        var isLines = value is JsonObject { Count: > 0 } or JsonArray { Count: > 0 } || value is JsonValue && IsLiteral(value);
        var wasLines = text.AsSpan(old.Start, old.End - old.Start).Contains('\n');
        if (!isLines && !wasLines && !IsBlock(old))
            return Put(text, old.Start, old.End, YamlWriter.Scalar(value));
        if (parent is Piece.Map map)
        {
            var key = map.Entries[map.IndexOf(path.Steps[depth - 1].Key!)].Key;
            var colon = text.IndexOf(':', key.End);
            var written = YamlWriter.Block(new JsonObject { [key.Text] = value.DeepClone() }, ColumnOf(text, key.Start)).ToString();
            // Behind the key, which stays as it was written.
            var behind = written.IndexOf(':', written.IndexOf(key.Text, StringComparison.Ordinal) + key.Text.Length) + 1;
            return colon < 0 ? null : string.Concat(text.AsSpan(0, colon + 1), written.AsSpan(behind), text.AsSpan(old.End));
        }
        var dash = DashOf(text, old.Start);
        return dash < 0 ? null : string.Concat(text.AsSpan(0, dash), YamlWriter.Block(new JsonArray(value.DeepClone()), ColumnOf(text, dash)).ToString().TrimStart(' '), text.AsSpan(old.End));
    }

    private static string? Add(string text, Piece.Map map, string key, JsonNode value)
    {
        var end = map.Entries[^1].Value.End;
        if (map.IsFlow)
            return text.Insert(end, $", {YamlWriter.Scalar(JsonValue.Create(key))}: {Flow(value)}");
        return Insert(text, end, YamlWriter.Block(new JsonObject { [key] = value.DeepClone() }, ColumnOf(text, map.Entries[0].Key.Start)).ToString());
    }

    private static string? Append(string text, Piece.List list, JsonNode value)
    {
        var last = list.Items[^1];
        if (list.IsFlow)
            return text.Insert(last.End, $", {Flow(value)}");
        var dash = DashOf(text, last.Start);
        return dash < 0 ? null : Insert(text, last.End, YamlWriter.Block(new JsonArray(value.DeepClone()), ColumnOf(text, dash)).ToString());
    }

    private static string? Remove(string text, List<Piece> way, DocumentPath path, int depth)
    {
        var parent = way[depth - 1];
        switch (parent)
        {
            case Piece.Map { Entries.Count: 1 } when depth > 1:
                return Replace(text, way, path, depth - 1, new JsonObject());
            case Piece.List { Items.Count: 1 } when depth > 1:
                // A list without an item is none.
                return Remove(text, way, path, depth - 1);
            case Piece.Map map:
                var at = map.IndexOf(path.Steps[depth - 1].Key!);
                return Cut(text, map.Entries[at].Key.Start, map.Entries[at].Value.End, at > 0 ? map.Entries[at - 1].Value.End : null, at + 1 < map.Entries.Count ? map.Entries[at + 1].Key.Start : null, map.IsFlow);
            case Piece.List list:
                var index = path.Steps[depth - 1].Index;
                var start = list.IsFlow ? list.Items[index].Start : DashOf(text, list.Items[index].Start);
                return start < 0 ? null : Cut(text, start, list.Items[index].End, index > 0 ? list.Items[index - 1].End : null,
                    index + 1 < list.Items.Count ? list.IsFlow ? list.Items[index + 1].Start : DashOf(text, list.Items[index + 1].Start) : null, list.IsFlow);
            default:
                return null;
        }
    }

    /// <summary>Takes an entry out: its lines, or where it shares them with others, itself.</summary>
    private static string? Cut(string text, int start, int end, int? endBefore, int? startAfter, bool isFlow)
    {
        var lineStart = text.LastIndexOf('\n', Math.Max(0, start - 1)) + 1;
        if (start == 0)
            lineStart = 0;
        if (!isFlow && text.AsSpan(lineStart, start - lineStart).IsWhiteSpace())
        {
            var lineEnd = text.IndexOf('\n', end);
            return text.Remove(lineStart, (lineEnd < 0 ? text.Length : lineEnd + 1) - lineStart);
        }
        if (startAfter is { } after)
            return text.Remove(start, after - start);
        return endBefore is { } before ? text.Remove(before, end - before) : null;
    }

    /// <summary>In lines of its own, below the line on which something ends.</summary>
    private static string Insert(string text, int end, string lines)
    {
        var lineEnd = text.IndexOf('\n', end);
        return text.Insert(lineEnd < 0 ? text.Length : lineEnd, "\n" + lines);
    }

    private static string Put(string text, int start, int end, string written)
    {
        // An empty value stands directly behind its colon or dash.
        var space = start > 0 && text[start - 1] is ':' or '-' && start == end ? " " : "";
        return string.Concat(text.AsSpan(0, start), space, written, text.AsSpan(end));
    }

    private static bool IsBlock(Piece piece) => piece is Piece.Map { IsFlow: false } or Piece.List { IsFlow: false };

    private static bool IsLiteral(JsonNode value) => value.GetValueKind() == System.Text.Json.JsonValueKind.String && YamlWriter.IsLiteral(value.GetValue<string>());

    private static int ColumnOf(string text, int at) => at - (at == 0 ? 0 : text.LastIndexOf('\n', at - 1) + 1);

    /// <summary>The dash of a list's item; -1 when something else than blanks is between them.</summary>
    private static int DashOf(string text, int item)
    {
        var at = item - 1;
        while (at >= 0 && text[at] is ' ' or '\n')
            at--;
        return at >= 0 && text[at] == '-' ? at : -1;
    }

    /// <summary>In one line, whatever it is.</summary>
    private static string Flow(JsonNode? value) => value switch
    {
        JsonObject { Count: > 0 } map => $"{{ {string.Join(", ", map.Select(e => $"{YamlWriter.Scalar(JsonValue.Create(e.Key))}: {Flow(e.Value)}"))} }}",
        JsonArray { Count: > 0 } list => $"[{string.Join(", ", list.Select(Flow))}]",
        _ => YamlWriter.Scalar(value),
    };

    /// <summary>The same as a tree of texts, for comparing: a word is the same with quotes and without, but for the one that means nothing.</summary>
    private static JsonNode? Tree(Piece piece) => piece switch
    {
        Piece.Map map => new JsonArray([JsonValue.Create("map"), .. map.Entries.Select(JsonNode? (e) => new JsonArray(JsonValue.Create(e.Key.Text), Tree(e.Value)))]),
        Piece.List list => new JsonArray([JsonValue.Create("list"), .. list.Items.Select(Tree)]),
        Piece.Word { IsNull: true } => null,
        Piece.Word word => JsonValue.Create(word.Text),
        _ => null,
    };

    private static JsonNode? Tree(JsonNode? value) => value switch
    {
        JsonObject map => new JsonArray([JsonValue.Create("map"), .. map.Select(JsonNode? (e) => new JsonArray(JsonValue.Create(e.Key), Tree(e.Value)))]),
        JsonArray list => new JsonArray([JsonValue.Create("list"), .. list.Select(Tree)]),
        null => null,
        _ => JsonValue.Create(value.ToString()),
    };

    /// <summary>The tree as it is to be: what <see cref="Change"/> has to come to, said without a text.</summary>
    private static JsonNode? With(JsonNode? tree, DocumentPath path, int depth, JsonNode? value)
    {
        if (depth == path.Steps.Length)
            return Tree(value);
        var step = path.Steps[depth];
        var isLast = depth == path.Steps.Length - 1;
        var kind = step.Key is null ? "list" : "map";
        if (tree is null && value is null)
            return null;
        if (tree is not null && !(tree is JsonArray { Count: > 0 } typed && typed[0]?.ToString() == kind))
            return tree;
        var made = tree is null ? new JsonArray(JsonValue.Create(kind)) : tree.DeepClone().AsArray();
        var at = 1;
        if (step.Key is { } key)
        {
            while (at < made.Count && made[at]![0]!.ToString() != key)
                at++;
        }
        else
        {
            at = step.Index + 1;
        }
        var there = at < made.Count;
        if (value is null && (!there || isLast))
        {
            if (there)
                made.RemoveAt(at);
            return made;
        }
        var inner = With(!there ? null : step.Key is null ? made[at]?.DeepClone() : made[at]![1]?.DeepClone(), path, depth + 1, value);
        // A list without an item is none.
        if (value is null && inner is JsonArray { Count: 1 } empty && empty[0]!.ToString() == "list")
        {
            made.RemoveAt(at);
            return made;
        }
        JsonNode? entry = step.Key is null ? inner : new JsonArray(JsonValue.Create(step.Key), inner);
        if (there)
            made[at] = entry;
        else
            made.Add(entry);
        return made;
    }

    private static Piece? Read(string text)
    {
        try
        {
            var parser = new Parser(new Scanner(new StringReader(text), skipComments: true));
            Piece? root = null;
            while (parser.MoveNext())
            {
                if (parser.Current is StreamStart or StreamEnd or DocumentStart or DocumentEnd)
                    continue;
                if (root is not null)
                    return null;
                root = Read(parser, text, 0);
            }
            return root;
        }
        catch (Exception e) when (e is YamlException or InvalidOperationException or ArgumentException or IndexOutOfRangeException or FormatException or OverflowException)
        {
            return null;
        }
    }

    private static Piece Read(Parser parser, string text, int depth)
    {
        if (depth > YamlText.MaximumDepth || parser.Current is not NodeEvent { Anchor.IsEmpty: true, Tag.IsEmpty: true })
            throw new FormatException();
        switch (parser.Current)
        {
            case YamlDotNet.Core.Events.Scalar scalar:
                var (start, end) = (Index(scalar.Start), Index(scalar.End));
                // The end of a block is where the next line begins that is not part of it.
                while (scalar.Style is ScalarStyle.Literal or ScalarStyle.Folded && end > start && char.IsWhiteSpace(text[end - 1]))
                    end--;
                return new Piece.Word(scalar.Value, scalar.Style is ScalarStyle.Plain && scalar.Value is "" or "~" or "null" or "Null" or "NULL", start, end);
            case SequenceStart list:
                var items = new List<Piece>();
                while (parser.MoveNext() && parser.Current is not SequenceEnd)
                    items.Add(Read(parser, text, depth + 1));
                return new Piece.List(list.Style == SequenceStyle.Flow, items, Index(list.Start), list.Style == SequenceStyle.Flow ? BehindBracket(parser) : items[^1].End);
            case MappingStart map:
                var entries = new List<(Piece.Word, Piece)>();
                while (parser.MoveNext() && parser.Current is not MappingEnd)
                {
                    if (Read(parser, text, depth + 1) is not Piece.Word key || !parser.MoveNext())
                        throw new FormatException();
                    entries.Add((key, Read(parser, text, depth + 1)));
                }
                return new Piece.Map(map.Style == MappingStyle.Flow, entries, Index(map.Start), map.Style == MappingStyle.Flow ? BehindBracket(parser) : entries[^1].Item2.End);
            default:
                throw new FormatException();
        }
    }

    // The parser's mark is before it.
    private static int BehindBracket(Parser parser) => Index(parser.Current!.End) + 1;

    private static int Index(in Mark mark) => (int)mark.Index;
}
