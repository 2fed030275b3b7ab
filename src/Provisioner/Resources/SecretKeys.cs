using System.Text.Json.Nodes;

namespace Provisioner.Resources;

/// <summary>Leaves secrets out of what is shown or kept: by the names of keys, so that a key that is added later is covered by its name.</summary>
internal static class SecretKeys
{
    public const string LeftOut = "(left out)";

    private static readonly string[] Words = ["password", "passphrase", "secret", "token", "privatekey"];

    /// <summary>Whether what stands under a key of that name is a secret.</summary>
    public static bool IsSecret(string key) => Words.Any(word => key.Contains(word, StringComparison.OrdinalIgnoreCase));

    /// <summary>The same document with the values of secret keys replaced. Changes it in place.</summary>
    public static T LeaveOut<T>(T json) where T : JsonNode
    {
        switch (json)
        {
            case JsonObject mapping:
                foreach (var (key, value) in mapping.ToList())
                {
                    if (value is JsonValue && IsSecret(key))
                        mapping[key] = LeftOut;
                    else if (value is not null)
                        LeaveOut(value);
                }
                break;
            case JsonArray list:
                foreach (var item in list.OfType<JsonNode>())
                    LeaveOut(item);
                break;
        }
        return json;
    }
}
