using System.Collections.Immutable;
using Provisioner.Events;
using Provisioner.Resources;

namespace Provisioner.Webhooks;

/// <summary>One entry of the configuration key <c>webhooks</c>: somebody who is told what happens.</summary>
public sealed record WebhookOptions
{
    public required string Name { get; init; }

    /// <summary>Where events are posted to; it may have a secret in it, and is shown to nobody whole.</summary>
    public required Uri Url { get; init; }

    /// <summary>A file with the key that deliveries are signed with.</summary>
    public required string SecretFile { get; init; }

    /// <summary>What comes from there is told.</summary>
    public ImmutableArray<EventSource> Sources { get; init; } = [EventSource.Service, EventSource.Api, EventSource.Est, EventSource.Installer, EventSource.Cluster, EventSource.Access];

    /// <summary>What ended so is told.</summary>
    public ImmutableArray<EventOutcome> Outcomes { get; init; } = [EventOutcome.Changed, EventOutcome.Failed];

    public bool Wants(Event entry) => Sources.Contains(entry.Source) && Outcomes.Contains(entry.Outcome);
}

/// <summary>The keys of <c>webhooks</c>.</summary>
internal static class WebhookFields
{
    public static Shape<WebhookOptions> Webhook { get; } = Declare();

    private static Shape<WebhookOptions> Declare()
    {
        var url = Values.WebAddress("an address that events are sent to", "an https URL, or http to this machine itself",
            url => url.UserInfo.Length > 0 || url.Fragment.Length > 0 || url.Scheme != Uri.UriSchemeHttps && !url.IsLoopback ? "is no address that events are sent to" : null);
        var path = Values.OfText("a path", "an absolute path", text => Path.IsPathFullyQualified(text) ? null : "is not an absolute path");
        var source = Values.OneOf("a source", [.. Enum.GetValues<EventSource>().Select(s => (Api.Json.Word(s), s))]);
        var outcome = Values.OneOf("an outcome", [.. Enum.GetValues<EventOutcome>().Select(o => (Api.Json.Word(o), o))]);
        var shape = new Shape<WebhookOptions>("a webhook", () => new WebhookOptions { Name = "", Url = new Uri("https://invalid/"), SecretFile = "" });
        shape.Required("name", Values.Name, o => o.Name, (o, v) => o with { Name = v }, "Unique; its place in the events is kept under it.");
        shape.Required("url", url, o => o.Url, (o, v) => o with { Url = v }, "Where events are posted to.");
        shape.Required("secretFile", path, o => o.SecretFile, (o, v) => o with { SecretFile = v }, "A file with the key that deliveries are signed with.");
        shape.Default("sources", new ListKind<EventSource>(source, minimum: 1), o => o.Sources, (o, v) => o with { Sources = v }, "Which events, by where they come from.");
        shape.Default("outcomes", new ListKind<EventOutcome>(outcome, minimum: 1), o => o.Outcomes, (o, v) => o with { Outcomes = v }, "And by how they ended.");
        return shape;
    }
}
