using System.Text.Json.Serialization;

namespace Provisioner.Lab.Harness;

/// <summary>An event as <c>provisioner events -o json</c> prints it: what of it the lab looks at.</summary>
internal sealed record RecordedEvent(
    long Id,
    DateTimeOffset At,
    string Source,
    string Outcome,
    string? Host,
    string? MacAddress,
    string What,
    string Reason)
{
    public override string ToString() => $"{At:HH:mm:ss.fff} {Source,-9} {Outcome,-8} {What} ({Reason})";
}

[JsonSourceGenerationOptions(PropertyNameCaseInsensitive = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(RecordedEvent[]))]
internal sealed partial class LabJson : JsonSerializerContext;
