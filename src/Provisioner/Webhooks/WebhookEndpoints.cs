using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Provisioner.Api;
using Provisioner.Events;
using Provisioner.Storage;

namespace Provisioner.Webhooks;

/// <summary>Webhooks by the API: what was delivered, and a trial.</summary>
internal static class WebhookEndpoints
{
    public static IServiceCollection AddWebhooks(this IServiceCollection services, ImmutableArray<WebhookOptions> webhooks, string dataDirectory) => services
        .AddSingleton(s => new WebhookService(webhooks, dataDirectory, s.GetRequiredService<EventLog>(), s.GetRequiredService<IStore>(), s.GetRequiredService<CurrentState>(), s.GetRequiredService<StateWriter>(),
            s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<WebhookService>>()))
        .AddHostedService(s => s.GetRequiredService<WebhookService>());

    public static void MapWebhooks(this IEndpointRouteBuilder api)
    {
        api.MapGet("/webhooks", (WebhookService service) => Json.Answer(Json.List(service.All.Select(h => Of(h, service)))));
        api.MapPost("/webhooks/{name}/try", async (string name, HttpContext context, WebhookService service) => Json.Answer(Of(await service.TryAsync(name, context.RequestAborted))));
    }

    private static JsonObject Of(WebhookOptions webhook, WebhookService service) => new()
    {
        ["name"] = webhook.Name,
        // The rest of an address is often its secret.
        ["host"] = webhook.Url.GetLeftPart(UriPartial.Authority),
        ["sources"] = new JsonArray([.. webhook.Sources.Select(s => (JsonNode)Json.Word(s))]),
        ["outcomes"] = new JsonArray([.. webhook.Outcomes.Select(o => (JsonNode)Json.Word(o))]),
        ["deliveries"] = new JsonArray([.. service.DeliveriesOf(webhook.Name).Select(d => (JsonNode)Of(d))]),
    };

    private static JsonObject Of(Delivery delivery) => Json.WithoutNulls(new JsonObject
    {
        ["event"] = delivery.EventId == 0 ? null : delivery.EventId,
        ["firstAt"] = Json.At(delivery.FirstAt),
        ["lastAt"] = Json.At(delivery.LastAt),
        ["attempts"] = delivery.Attempts,
        ["delivered"] = delivery.Delivered,
        ["givenUp"] = delivery.GivenUp,
        ["answer"] = delivery.Answer,
    });
}
