using System.Text.Json;
using System.Text.Json.Nodes;

namespace Provisioner.Aws.Setup;

/// <summary>Reads policies of IAM as far as 'aws check' asks: what is allowed, to whom, on which condition. Not a judge of IAM: what it does not understand, it does not call wrong.</summary>
internal static class PolicyReading
{
    public static IEnumerable<JsonObject> Statements(JsonObject policy) => policy["Statement"] switch
    {
        JsonArray array => array.OfType<JsonObject>(),
        JsonObject one => [one],
        _ => [],
    };

    /// <summary>Whether a statement that allows has that action, by itself or by a pattern.</summary>
    public static bool Allows(JsonObject statement, string action) =>
        Word(statement["Effect"]) == "Allow" && Words(statement["Action"]).Any(pattern => Matches(pattern, action));

    /// <summary>Whether any of these policies allows the action on that resource.</summary>
    public static bool Allows(IEnumerable<JsonObject> policies, string action, string resource) =>
        policies.SelectMany(Statements).Any(s => Allows(s, action) && Words(s["Resource"]).Any(pattern => Matches(pattern, resource)));

    /// <summary>Whether it is for that service.</summary>
    public static bool IsFor(JsonObject statement, string service) =>
        statement["Principal"] is JsonObject principal && Words(principal["Service"]).Contains(service, StringComparer.Ordinal);

    /// <summary>The values of one condition, whatever its operator: <c>StringEquals</c>, <c>ArnLike</c>.</summary>
    public static IReadOnlyList<string> Condition(JsonObject statement, string key) => statement["Condition"] is not JsonObject condition ? []
        : [.. condition.Select(p => p.Value).OfType<JsonObject>().SelectMany(o => o.Where(p => p.Key.Equals(key, StringComparison.OrdinalIgnoreCase))).SelectMany(p => Words(p.Value))];

    /// <summary>IAM's patterns: <c>*</c> and <c>?</c>.</summary>
    public static bool Matches(string pattern, string text)
    {
        var (p, t, star, mark) = (0, 0, -1, 0);
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
                (star, mark, p) = (p, t, p + 1);
            else if (p < pattern.Length && (pattern[p] == '?' || char.ToLowerInvariant(pattern[p]) == char.ToLowerInvariant(text[t])))
                (p, t) = (p + 1, t + 1);
            else if (star >= 0)
                (p, t, mark) = (star + 1, mark + 1, mark + 1);
            else
                return false;
        }
        while (p < pattern.Length && pattern[p] == '*')
            p++;
        return p == pattern.Length;
    }

    private static IEnumerable<string> Words(JsonNode? node) => node switch
    {
        JsonArray array => array.Select(Word).OfType<string>(),
        _ => Word(node) is { } one ? [one] : [],
    };

    private static string? Word(JsonNode? node) => node is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;
}
