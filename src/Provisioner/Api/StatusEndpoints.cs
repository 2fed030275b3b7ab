using System.Text.Json.Nodes;
using Provisioner.Appliance;
using Provisioner.Events;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>What runs, what does not, and why.</summary>
internal static class StatusEndpoints
{
    public static void MapStatus(this IEndpointRouteBuilder api) =>
        api.MapGet("/status", (ApplianceStatus status, ApplianceOptions options, CurrentState state, BootJournal journal) => Json.Answer(new JsonObject
        {
            ["version"] = ApplianceStatus.Version,
            ["processId"] = Environment.ProcessId,
            ["startedAt"] = Json.At(status.StartedAt),
            ["dataDirectory"] = options.DataDirectory,
            ["revision"] = state.Snapshot.Revision,
            ["droppedJournalEntries"] = journal.Dropped,
            ["alerts"] = state.Snapshot.Alerts.Values.Count(alert => alert.DismissedAt is null),
            ["planes"] = new JsonArray([.. status.Planes().Select(plane => new JsonObject
            {
                ["plane"] = plane.Name,
                ["listens"] = plane.Listens,
                ["at"] = plane.At,
                ["reason"] = plane.Reason,
            })]),
            ["machine"] = new JsonArray([.. status.Machine().Select(feature => new JsonObject
            {
                ["feature"] = feature.Name,
                ["works"] = feature.Works,
                ["says"] = feature.Says,
            })]),
            ["counts"] = new JsonObject
            {
                ["hosts"] = state.Snapshot.Hosts.Count,
                ["profiles"] = state.Snapshot.Profiles.Count,
                ["images"] = state.Snapshot.Images.Count,
                ["networks"] = state.Snapshot.Networks.Count,
                ["clusters"] = state.Snapshot.Clusters.Count,
                ["discovered"] = state.Snapshot.Discovered.Count,
                ["certificates"] = state.Snapshot.Certificates.Values.Count(c => c.Purpose == Certificates.CertificatePurpose.Host),
            },
        }));
}
