using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Provisioner.AwsDoubles;

/// <summary>Policies of IAM as far as these services use them. What it does not know, it does not allow.</summary>
internal static partial class TrustPolicy
{
    /// <summary>Whether the service may do that under these conditions' values.</summary>
    public static bool Allows(JsonObject policy, string service, string action, IReadOnlyDictionary<string, string> context) =>
        Statements(policy).Any(s => s["Effect"]?.GetValue<string>() == "Allow" && Words(s["Principal"]?["Service"]).Contains(service)
            && Words(s["Action"]).Any(a => Like(a, action)) && Holds(s["Condition"] as JsonObject, context));

    /// <summary>Whether any of a role's own policies has the action, whatever its resource.</summary>
    public static bool Allows(DoubleRole role, string action) =>
        role.Policies.Values.SelectMany(Statements).Any(s => s["Effect"]?.GetValue<string>() == "Allow" && Words(s["Action"]).Any(a => Like(a, action)));

    private static bool Holds(JsonObject? condition, IReadOnlyDictionary<string, string> context)
    {
        foreach (var (name, keys) in condition ?? [])
        {
            foreach (var (key, values) in (JsonObject)keys!)
            {
                if (!context.TryGetValue(key, out var actual))
                    return false;
                var wanted = Words(values).Select(v => Variable().Replace(v, m => context.GetValueOrDefault(m.Groups["name"].Value, "\0")));
                var holds = name switch
                {
                    "StringEquals" => wanted.Any(w => w == actual),
                    "StringLike" or "ArnEquals" or "ArnLike" => wanted.Any(w => Like(w, actual)),
                    _ => false,
                };
                if (!holds)
                    return false;
            }
        }
        return true;
    }

    private static IEnumerable<JsonObject> Statements(JsonObject policy) => policy["Statement"] is JsonArray array ? array.OfType<JsonObject>() : policy["Statement"] is JsonObject one ? [one] : [];

    private static IEnumerable<string> Words(JsonNode? node) => node switch
    {
        JsonArray array => array.Select(n => n!.GetValue<string>()),
        JsonValue value when value.GetValueKind() == JsonValueKind.String => [value.GetValue<string>()],
        _ => [],
    };

    private static bool Like(string pattern, string text) => Regex.IsMatch(text, "\\A" + Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal).Replace("\\?", ".", StringComparison.Ordinal) + "\\z", RegexOptions.NonBacktracking);

    [GeneratedRegex(@"\$\{(?<name>[^}]+)\}", RegexOptions.NonBacktracking)]
    private static partial Regex Variable();
}
