using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Provisioner.Events;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>The events: as a list, or followed as server-sent events (WHATWG HTML, "Server-sent events").</summary>
internal static class EventEndpoints
{
    public static void MapEvents(this IEndpointRouteBuilder api)
    {
        api.MapGet("/events", (HttpContext context, EventLog events, IHostApplicationLifetime lifetime, string? mac = null, long? after = null, int limit = 100, bool follow = false) =>
            Answer(context, events, lifetime, new EventQuery { MacAddresses = mac is null ? [] : [HostEndpoints.MacOf(mac)] }, after, limit, follow));
        api.MapGet("/hosts/{name}/events", (string name, HttpContext context, CurrentState state, EventLog events, IHostApplicationLifetime lifetime, long? after = null, int limit = 100, bool follow = false) =>
        {
            // A host that is gone has its history still; one that never was has none.
            var query = events.ForHost(name);
            if (!state.Snapshot.Hosts.ContainsKey(name) && events.Find(query with { Limit = 1 }).Count == 0)
                _ = ResourceEndpoints.Find(ResourceKind.Host, name, state.Snapshot);
            return Answer(context, events, lifetime, query, after, limit, follow);
        });
        api.MapGet("/discovered/{mac}/events", (string mac, HttpContext context, EventLog events, IHostApplicationLifetime lifetime, long? after = null, int limit = 100, bool follow = false) =>
            Answer(context, events, lifetime, new EventQuery { MacAddresses = [HostEndpoints.MacOf(mac)] }, after, limit, follow));
    }

    private static IResult Answer(HttpContext context, EventLog events, IHostApplicationLifetime lifetime, EventQuery query, long? after, int limit, bool follow)
    {
        if (limit is < 1 or > 10_000)
            throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake($"limit={limit} is out of bounds") { Path = "limit", Value = $"{limit}", Expected = "1 to 10000" }]);
        // What the browser's EventSource sends after a broken connection counts more than the address it first asked.
        if (long.TryParse(context.Request.Headers["Last-Event-ID"], NumberStyles.None, CultureInfo.InvariantCulture, out var last))
            after = last;
        query = query with { AfterId = after, Limit = limit };
        if (!follow && !Caller.WantsEvents(context.Request))
            return Json.Answer(Json.List(events.Find(query).Select(Json.Of)));
        return TypedResults.ServerSentEvents(FollowAsync(events, query, lifetime.ApplicationStopping, context.RequestAborted));
    }

    private static async IAsyncEnumerable<SseItem<string>> FollowAsync(
        EventLog events, EventQuery query, CancellationToken stopping, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, cancellation);
        await using var source = events.FollowAsync(query, either.Token).GetAsyncEnumerator(either.Token);
        while (true)
        {
            try
            {
                if (!await source.MoveNextAsync())
                    yield break;
            }
            catch (OperationCanceledException)
            {
                // The service stops or the reader left: the stream ends, it does not fail.
                yield break;
            }
            yield return new SseItem<string>(Json.Of(source.Current).ToJsonString(Json.Options))
            {
                EventId = source.Current.Id.ToString(CultureInfo.InvariantCulture),
            };
        }
    }
}
