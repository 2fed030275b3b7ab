using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Api;

/// <summary>What of a list is wanted: by labels, fields and state, and which page of it. Every mistake in the query is named.</summary>
internal sealed class Selection
{
    /// <summary>More than a page is read in one go by nobody.</summary>
    public const int MaximumLimit = 1_000;

    public static readonly string[] Parameters = ["labelSelector", "fieldSelector", "state", "limit", "continue"];

    private readonly List<Func<JsonObject, bool>> conditions = [];
    private readonly int? limit;
    private readonly string? after;

    private Selection(HttpContext context)
    {
        var query = context.Request.Query;
        var mistakes = new List<Mistake>();
        if (query["labelSelector"].FirstOrDefault() is { Length: > 0 } labels)
            Read("labelSelector", labels, "metadata.labels", mistakes);
        if (query["fieldSelector"].FirstOrDefault() is { Length: > 0 } fields)
            Read("fieldSelector", fields, null, mistakes);
        if (query["state"].FirstOrDefault() is { Length: > 0 } states)
        {
            var wanted = states.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            conditions.Add(item => wanted.Contains(At(item, "status.state") ?? At(item, "state"), StringComparer.OrdinalIgnoreCase));
        }
        if (query["limit"].FirstOrDefault() is { Length: > 0 } number)
        {
            if (int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var most) && most is >= 1 and <= MaximumLimit)
                limit = most;
            else
                mistakes.Add(new Mistake($"'{Reading.Shorten(number)}' is not a number of items") { Path = "limit", Value = Reading.Shorten(number), Expected = $"1 to {MaximumLimit}" });
        }
        if (query["continue"].FirstOrDefault() is { Length: > 0 } token)
        {
            after = Decode(token);
            if (after is null)
                mistakes.Add(new Mistake("the value is not one this list has given") { Path = "continue", Value = Reading.Shorten(token), Expected = "'continue' of the page before, as it was" });
        }
        if (mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, mistakes);
    }

    /// <summary>The answer for a list.</summary>
    /// <param name="key">What tells an item from the others, for a page to begin after. It is gone when the item is: then the page begins where it would be.</param>
    /// <param name="isSorted">The items are in the order of their keys.</param>
    public static IResult Answer(HttpContext context, IEnumerable<JsonObject> items, Func<JsonObject, string> key, bool isSorted = false)
    {
        var selection = new Selection(context);
        var matching = items.Where(item => selection.conditions.TrueForAll(holds => holds(item))).ToList();
        var rest = selection.After(matching, key, isSorted);
        var page = selection.limit is { } most ? rest.Take(most).ToList() : rest;
        var list = Json.List(page);
        if (selection.limit is not null)
        {
            list["total"] = matching.Count;
            if (rest.Count > page.Count)
                list["continue"] = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(key(page[^1])));
        }
        return Json.Answer(list);
    }

    private List<JsonObject> After(List<JsonObject> matching, Func<JsonObject, string> key, bool isSorted)
    {
        if (after is null)
            return matching;
        if (isSorted)
            return [.. matching.SkipWhile(item => string.CompareOrdinal(key(item), after) <= 0)];
        var index = matching.FindIndex(item => key(item) == after);
        return index >= 0 ? matching[(index + 1)..]
            : throw new ChangeRefusedException(RefusalKind.Conflict, "What the page before ended with is not in the list any more: begin again without 'continue'.");
    }

    /// <summary>As Kubernetes selects: <c>a=b</c>, <c>a!=b</c>, <c>a in (b,c)</c>, <c>a notin (b,c)</c>, <c>a</c>, <c>!a</c>, all of which have to hold.</summary>
    /// <param name="below">Where the keys are looked for; null: a key is a path from the top.</param>
    private void Read(string parameter, string text, string? below, List<Mistake> mistakes)
    {
        foreach (var part in Split(text))
        {
            if (Parse(part) is not var (key, values, wanted))
            {
                mistakes.Add(new Mistake($"'{Reading.Shorten(part)}' is not a condition") { Path = parameter, Value = Reading.Shorten(part), Expected = "key=value, key!=value, key in (a,b), key notin (a,b), key or !key, parted by commas" });
                continue;
            }
            conditions.Add(item =>
            {
                var found = below is null ? At(item, key) : (Node(item, below) as JsonObject)?[key]?.ToString();
                return values is null ? (found is not null) == wanted : (found is not null && values.Contains(found)) == wanted;
            });
        }
    }

    private static (string Key, string[]? Values, bool Wanted)? Parse(string part)
    {
        if (part.EndsWith(')') && part.IndexOf('(', StringComparison.Ordinal) is var open and > 0)
        {
            var words = part[..open].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return words is [var key, "in" or "notin"] && IsKey(key) ? (key, part[(open + 1)..^1].Split(',', StringSplitOptions.TrimEntries), words[1] == "in") : null;
        }
        if (part.IndexOf("!=", StringComparison.Ordinal) is var unequal and > 0)
            return IsKey(part[..unequal].Trim()) ? (part[..unequal].Trim(), [part[(unequal + 2)..].Trim()], false) : null;
        if (part.IndexOf('=', StringComparison.Ordinal) is var equal and > 0)
            return IsKey(part[..equal].Trim()) ? (part[..equal].Trim(), [part[(equal + 1)..].TrimStart('=').Trim()], true) : null;
        return part.StartsWith('!') && IsKey(part[1..]) ? (part[1..], null, false) : IsKey(part) ? (part, null, true) : null;
    }

    private static bool IsKey(string text) => text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '/');

    // At commas, but not those inside (a,b).
    private static IEnumerable<string> Split(string text)
    {
        var (depth, begin) = (0, 0);
        for (var i = 0; i <= text.Length; i++)
        {
            if (i == text.Length || text[i] == ',' && depth == 0)
            {
                if (text[begin..i].Trim() is { Length: > 0 } part)
                    yield return part;
                begin = i + 1;
            }
            else
            {
                depth += text[i] switch { '(' => 1, ')' => -1, _ => 0 };
            }
        }
    }

    private static string? At(JsonObject item, string path) => Node(item, path) switch
    {
        null => null,
        JsonArray array => string.Join(',', array.Select(i => i?.ToString())),
        var node => node.ToString(),
    };

    private static JsonNode? Node(JsonObject item, string path)
    {
        JsonNode? node = item;
        foreach (var key in path.Split('.'))
            node = (node as JsonObject)?[key];
        return node;
    }

    private static string? Decode(string token)
    {
        try
        {
            return Encoding.UTF8.GetString(Base64Url.DecodeFromChars(token));
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
