using System.Text;
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

/// <summary>One step that must be among a machine's events: answered by that source, with all the words in what was asked and answered.</summary>
internal sealed record Step(string Source, params string[] Words)
{
    public bool Matches(RecordedEvent recorded) =>
        recorded.Source == Source
        && recorded.Outcome == "answered"
        && Array.TrueForAll(Words, word => recorded.What.Contains(word, StringComparison.Ordinal));

    public override string ToString() => $"{Source}: {string.Join(" … ", Words)}";
}

/// <summary>What is expected of a machine's events.</summary>
internal static class Timeline
{
    /// <summary>The steps are there in this order, with anything between them, and each says why.</summary>
    public static void AssertInOrder(IReadOnlyList<RecordedEvent> events, params IEnumerable<Step> steps)
    {
        var at = 0;
        foreach (var step in steps)
        {
            var found = events.Skip(at).TakeWhile(e => !step.Matches(e)).Count() + at;
            if (found == events.Count)
                Assert.Fail($"No event '{step}'{(at == 0 ? "" : $" after event {events[at - 1].Id}")} among:\n{Describe(events)}");
            at = found + 1;
        }
        Assert.All(events, e => Assert.NotEmpty(e.Reason));
    }

    /// <summary>Nothing of the kind happened.</summary>
    public static void AssertNone(IReadOnlyList<RecordedEvent> events, Step step)
    {
        if (events.Any(step.Matches))
            Assert.Fail($"There must be no event '{step}' among:\n{Describe(events)}");
    }

    /// <summary>All of them, one a line.</summary>
    public static string Describe(IReadOnlyList<RecordedEvent> events) =>
        events.Aggregate(new StringBuilder(), (text, e) => text.Append(e.Id).Append(' ').Append(e).Append('\n')).ToString();
}

[JsonSourceGenerationOptions(PropertyNameCaseInsensitive = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(RecordedEvent))]
[JsonSerializable(typeof(RecordedEvent[]))]
internal sealed partial class LabJson : JsonSerializerContext;
