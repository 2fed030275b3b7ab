using System.Text.Json.Nodes;
using Provisioner.Clusters;
using Provisioner.Kubernetes;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>Rollouts of another version of Kubernetes: begun, watched, paused, resumed, cancelled.</summary>
internal static class UpgradeEndpoints
{
    private static readonly Shape<UpgradeRequest> Request = Declare();

    public static IReadOnlyList<FieldDescription> RequestFields => Request.Fields;

    public static void MapUpgrades(this IEndpointRouteBuilder api)
    {
        api.MapGet("/upgrades", (CurrentState state) => Json.Answer(Json.List(state.Snapshot.Rollouts.Values.OrderByDescending(r => r.StartedAt).Select(Of))));
        api.MapGet("/upgrades/{id}", (string id, CurrentState state) => Json.Answer(Of(RolloutChanges.Find(state.Snapshot, id))));
        api.MapPost("/upgrades", async (HttpContext context, RolloutService rollouts) =>
        {
            var request = await Bodies.ReadAsync(context, Request);
            return Json.Answer(Of(await rollouts.StartAsync(request, Caller.Name(context), context.RequestAborted)), StatusCodes.Status201Created);
        });
        Map("pause", RolloutChanges.Pause);
        Map("resume", RolloutChanges.Resume);
        Map("cancel", RolloutChanges.Cancel);

        void Map(string verb, Func<StateEditor, string, string?, Rollout> change) =>
            api.MapPost($"/upgrades/{{id}}/{verb}", async (string id, HttpContext context, StateWriter writer) =>
            {
                var actor = Caller.Name(context);
                return Json.Answer(Of(await writer.ChangeAsync(editor => change(editor, id, actor), context.RequestAborted)));
            });
    }

    private static JsonObject Of(Rollout rollout) => Json.WithoutNulls(new JsonObject
    {
        ["id"] = rollout.Id,
        ["cluster"] = rollout.Cluster,
        ["version"] = rollout.Version,
        ["method"] = Json.Word(rollout.Method),
        ["state"] = Json.Word(rollout.State),
        ["reason"] = rollout.Reason,
        ["pause"] = rollout.Pause == TimeSpan.Zero ? null : Values.Format(rollout.Pause),
        ["startedAt"] = Json.At(rollout.StartedAt),
        ["endedAt"] = Json.At(rollout.EndedAt),
        ["actor"] = rollout.Actor,
        ["done"] = rollout.Hosts.Count(h => h.Stage == RolloutStage.Done),
        ["of"] = rollout.Hosts.Length,
        ["hosts"] = new JsonArray([.. rollout.Hosts.Select(h => (JsonNode)Json.WithoutNulls(new()
        {
            ["host"] = h.Host,
            ["wave"] = h.Wave + 1,
            ["stage"] = Json.Word(h.Stage),
            ["startedAt"] = Json.At(h.StartedAt),
            ["endedAt"] = Json.At(h.EndedAt),
            ["message"] = h.Message,
        }))]),
    });

    private static Shape<UpgradeRequest> Declare()
    {
        var length = Values.DurationBetween(TimeSpan.FromSeconds(1), TimeSpan.FromDays(7), "a duration", "such as 90s, 10m or 2h, from 1s to 7d");
        var shape = new Shape<UpgradeRequest>("the upgrade", () => new UpgradeRequest { Targets = [], Version = "" });
        shape.Required("targets", new ListKind<string>(Values.Name, maximum: 5_000, single: true), r => r.Targets, (r, v) => r with { Targets = v }, "Hosts, and profiles for all their hosts.");
        shape.Required("to", ClusterFields.KubernetesVersion, r => r.Version, (r, v) => r with { Version = v }, "The version they are to run.");
        shape.Default("wave", Values.Integer(1, 1_000), r => r.Wave, (r, v) => r with { Wave = v }, "How many hosts at once.");
        shape.Optional("pause", length, r => r.Pause == TimeSpan.Zero ? null : r.Pause, (r, v) => r with { Pause = v }, "Between a wave's end and the next one's begin.");
        shape.Default("inPlace", Values.Boolean, r => r.InPlace, (r, v) => r with { InPlace = v }, "By nodeadm upgrade on the host, instead of building it anew.");
        shape.Default("sameRack", Values.Boolean, r => r.SameRack, (r, v) => r with { SameRack = v }, "Hosts of one rack or zone may be away at once.");
        shape.Default("force", Values.Boolean, r => r.Force, (r, v) => r with { Force = v }, "Delete pods that no controller makes again.");
        shape.Default("drainTimeout", length, r => r.DrainTimeout, (r, v) => r with { DrainTimeout = v }, "For emptying one node.");
        shape.Default("timeout", length, r => r.Timeout, (r, v) => r with { Timeout = v }, "For one host to come back.");
        return shape;
    }
}
