using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Provisioner.Resources;

namespace Provisioner.Joining;

/// <summary>
/// Keys of a KubeletConfiguration, with values of YAML's types, kept as JSON whose keys are in order. A plain word that readers of YAML take
/// differently (<c>no</c>, <c>012</c>, <c>0x1F</c>) is refused: nodeadm reads it once more.
/// </summary>
/// <param name="owned">Also the keys that nodeadm sets itself are taken.</param>
internal sealed partial class KubeletConfigKind(bool owned = false) : ValueKind<string>
{
    private const int MaximumLength = 32 * 1024;

    public override string Expected => "a mapping with keys of KubeletConfiguration, such as {maxPods: 50}";

    public override string JsonType => "object";

    public override bool TryRead(TextNode node, string path, Reading reading, out string value)
    {
        value = "";
        if (node is TextNode.Broken)
            return false;
        if (node is not TextNode.Mapping mapping)
        {
            reading.Add(node.Position, path, "is not a mapping", (node as TextNode.Scalar)?.Text, Expected);
            return false;
        }
        var before = reading.MistakesSoFar;
        var tree = Mapping(mapping, path, reading);
        foreach (var (key, entry) in owned ? [] : mapping.Entries)
        {
            var at = $"{path}.{Reading.Shorten(key.Text)}";
            if (KubeletTexts.Key(key.Text) is { } why)
                reading.Add(key.Position, at, $"'{key.Text}' {why}", key.Text, "a key that is not nodeadm's");
            if (key.Text is "kind" or "apiVersion" && (entry as TextNode.Scalar)?.Text is not ("KubeletConfiguration" or "kubelet.config.k8s.io/v1beta1"))
                reading.Add(entry.Position, at, $"'{key.Text}' says another kind of document", (entry as TextNode.Scalar)?.Text, "KubeletConfiguration of kubelet.config.k8s.io/v1beta1, or neither key");
        }
        if (reading.MistakesSoFar != before)
            return false;
        value = tree.ToJsonString(Api.Json.Options);
        if (value.Length <= MaximumLength)
            return true;
        reading.Add(node.Position, path, $"has {value.Length} characters as JSON", null, $"at most {MaximumLength}");
        return false;
    }

    public override JsonNode Write(string value) => JsonNode.Parse(value)!;

    private static JsonNode? Tree(TextNode node, string path, Reading reading) => node switch
    {
        TextNode.Mapping mapping => Mapping(mapping, path, reading),
        TextNode.Sequence sequence => new JsonArray([.. sequence.Items.Select((item, i) => Tree(item, $"{path}[{i}]", reading))]),
        TextNode.Scalar scalar => Scalar(scalar, path, reading),
        _ => null,
    };

    private static JsonObject Mapping(TextNode.Mapping mapping, string path, Reading reading)
    {
        var entries = new SortedDictionary<string, JsonNode?>(StringComparer.Ordinal);
        foreach (var (key, entry) in mapping.Entries)
        {
            var at = $"{path}.{Reading.Shorten(key.Text)}";
            reading.Place(at, entry.Position);
            if (key.Text.Length == 0 || Texts.Printable(key.Text) is not null)
                reading.Add(key.Position, at, $"'{Reading.Shorten(key.Text)}' is not a key", key.Text, "a word");
            else if (!entries.TryAdd(key.Text, Tree(entry, at, reading)))
                reading.Add(key.Position, at, $"the key '{Reading.Shorten(key.Text)}' is there twice", key.Text, "each key once");
        }
        return new JsonObject(entries);
    }

    private static JsonValue? Scalar(TextNode.Scalar scalar, string path, Reading reading)
    {
        if (Texts.Printable(scalar.Text) is { } control)
            reading.Add(scalar.Position, path, $"'{Reading.Shorten(scalar.Text)}' {control}", scalar.Text, "one line of text");
        if (!scalar.Plain)
            return JsonValue.Create(scalar.Text);
        if (scalar.IsNull)
        {
            reading.Add(scalar.Position, path, "has no value", null, "a value, or not this key");
            return null;
        }
        if (scalar.Text is "true" or "false")
            return JsonValue.Create(scalar.Text == "true");
        if (WholeNumber().IsMatch(scalar.Text))
            return JsonValue.Create(long.Parse(scalar.Text, CultureInfo.InvariantCulture));
        if (Fraction().IsMatch(scalar.Text))
            return JsonValue.Create(decimal.Parse(scalar.Text, CultureInfo.InvariantCulture) / 1.000000000000000000000000000m);
        if (Unclear().IsMatch(scalar.Text))
            reading.Add(scalar.Position, path, $"'{Reading.Shorten(scalar.Text)}' without quotes is not the same to every reader", scalar.Text, "true or false, a decimal number, or the text in quotes");
        return JsonValue.Create(scalar.Text);
    }

    [GeneratedRegex(@"\A(0|-?[1-9][0-9]{0,17})\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex WholeNumber();

    [GeneratedRegex(@"\A-?(0|[1-9][0-9]{0,11})\.[0-9]{1,12}\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Fraction();

    // Words of YAML 1.1, numbers in other notations, and what begins like a directive of YAML. A duration (10s) and a quantity (100Mi, 10%) are text to all.
    [GeneratedRegex(@"\A([Tt]rue|TRUE|[Ff]alse|FALSE|[Yy]es|YES|[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF|[YyNn]|[-+]?[0-9][0-9_]*|[-+]?0[xob][0-9A-Fa-f_]+|[-+]?[0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|[-+]?[0-9]+(:[0-9]+)+(\.[0-9]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*|<<|=)\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Unclear();
}
