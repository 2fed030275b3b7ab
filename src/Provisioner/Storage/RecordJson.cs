using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Provisioner.Networks;
using Provisioner.Protocols;

namespace Provisioner.Storage;

/// <summary>
/// Records as JSON text, as they are stored. By reflection on purpose: the source generator sets every init-only property, so a
/// record stored before a property existed would lose that property's default.
/// </summary>
public static class RecordJson
{
    /// <summary>camelCase, words for enums, nothing for null.</summary>
    public static JsonSerializerOptions Options { get; } = Make();

    public static string Write<T>(T record) => JsonSerializer.Serialize(record, Options);

    /// <exception cref="JsonException">Not such a record.</exception>
    public static T Read<T>(string text) => JsonSerializer.Deserialize<T>(text, Options) ?? throw new JsonException("null is no record");

    private static JsonSerializerOptions Make()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            IgnoreReadOnlyProperties = true,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            NumberHandling = JsonNumberHandling.Strict,
        };
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new TextConverter<MacAddress>(MacAddress.Parse));
        options.Converters.Add(new TextConverter<Ipv4Address>(Ipv4Address.Parse));
        options.Converters.Add(new TextConverter<Ipv4Cidr>(Ipv4Cidr.Parse));
        options.Converters.Add(new TextConverter<Ipv4Range>(ParseRange));
        options.Converters.Add(new LabelsConverter());
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }

    private static Ipv4Range ParseRange(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        return dash < 0 ? throw new FormatException($"'{text}' is not a range.") : new(Ipv4Address.Parse(text[..dash]), Ipv4Address.Parse(text[(dash + 1)..]));
    }

    private sealed class TextConverter<T>(Func<string, T> parse) : JsonConverter<T>
        where T : struct
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var text = reader.GetString() ?? "";
            try
            {
                return parse(text);
            }
            catch (FormatException e)
            {
                throw new JsonException(e.Message, e);
            }
        }

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());

        public override T ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => Read(ref reader, typeToConvert, options);

        public override void WriteAsPropertyName(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WritePropertyName(value.ToString()!);
    }

    // Ordinal order, as everywhere else: the framework's own converter takes the default comparer.
    private sealed class LabelsConverter : JsonConverter<ImmutableSortedDictionary<string, string>>
    {
        public override ImmutableSortedDictionary<string, string> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            ImmutableSortedDictionary.CreateRange(StringComparer.Ordinal, JsonSerializer.Deserialize<Dictionary<string, string>>(ref reader, options) ?? []);

        public override void Write(Utf8JsonWriter writer, ImmutableSortedDictionary<string, string> value, JsonSerializerOptions options)
        {
            writer.WriteStartObject();
            foreach (var (key, text) in value)
                writer.WriteString(key, text);
            writer.WriteEndObject();
        }
    }
}
