using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Provisioner.Fleet;

namespace Provisioner.Api;

/// <summary>Where each host stands: as a list, or followed as server-sent events.</summary>
internal static class StateEndpoints
{
    public static void MapStates(this IEndpointRouteBuilder api) => api.MapGet("/states", IResult (HttpContext context, FleetView fleet, IHostApplicationLifetime lifetime, bool follow = false) =>
        follow || Caller.WantsEvents(context.Request)
            ? TypedResults.ServerSentEvents(FollowAsync(fleet, lifetime.ApplicationStopping, context.RequestAborted))
            : Selection.Answer(context, fleet.Rows.Select(Of), s => s["host"]!.ToString(), isSorted: true));

    // Every host first, then each that changed. A state is what it is, not what it was: whoever comes again gets them all again, and has missed nothing.
    private static async IAsyncEnumerable<SseItem<string>> FollowAsync(FleetView fleet, CancellationToken stopping, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, cancellation);
        var bell = new Bell();
        fleet.Changed += bell.Ring;
        try
        {
            var told = new Dictionary<string, string>(StringComparer.Ordinal);
            while (!either.IsCancellationRequested)
            {
                var (rows, id) = (fleet.Rows, fleet.Snapshot.Revision.ToString(CultureInfo.InvariantCulture));
                foreach (var row in rows)
                {
                    var text = Of(row).ToJsonString(Json.Options);
                    if (told.TryGetValue(row.Name, out var before) && before == text)
                        continue;
                    told[row.Name] = text;
                    yield return new SseItem<string>(text, "state") { EventId = id };
                }
                foreach (var gone in told.Keys.Except(rows.Select(r => r.Name), StringComparer.Ordinal).ToList())
                {
                    told.Remove(gone);
                    yield return new SseItem<string>(new JsonObject { ["host"] = gone }.ToJsonString(Json.Options), "deleted") { EventId = id };
                }
                if (!await bell.HearAsync(either.Token))
                    yield break;
            }
        }
        finally
        {
            fleet.Changed -= bell.Ring;
        }
    }

    private static JsonObject Of(FleetRow row) => Json.WithoutNulls(new JsonObject
    {
        ["host"] = row.Name,
        ["state"] = row.State.ToString(),
        ["stage"] = row.Standing.Stage,
        ["reason"] = row.Standing.Reason,
        ["since"] = Json.At(row.Since),
        ["profile"] = row.Host.Spec.Profile,
        ["rack"] = row.Host.Spec.Location?.Rack,
        ["zone"] = row.Host.Spec.Zone,
        ["certificateEndsAt"] = Json.At(row.CertificateEndsAt),
    });
}
