using System.Text.Json.Nodes;
using Provisioner.Auth;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Kubernetes;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>Apply, read and delete resources.</summary>
internal static class ResourceEndpoints
{
    public static void MapResources(this IEndpointRouteBuilder api)
    {
        api.MapPost("/apply", ApplyAsync);
        foreach (var kind in ResourceKind.All)
        {
            api.MapGet($"/{kind.Plural}", (CurrentState state, EventLog events, NodeTracking tracking, TimeProvider time) =>
                Json.Answer(Json.List(state.Snapshot.All(kind.Name).Select(resource => Write(resource, state.Snapshot, events, tracking, time)))));
            api.MapGet($"/{kind.Plural}/{{name}}", (string name, CurrentState state, EventLog events, NodeTracking tracking, TimeProvider time) =>
                Json.Answer(Write(Find(kind, name, state.Snapshot), state.Snapshot, events, tracking, time)));
            api.MapDelete($"/{kind.Plural}/{{name}}", (string name, HttpContext context, StateWriter writer, CurrentState state, ImageStore images) =>
                DeleteAsync(kind, name, context, writer, state, images));
        }
    }

    /// <summary>The resource, or the refusal that says what there is instead.</summary>
    public static IResource Find(ResourceKind kind, string name, Snapshot snapshot) =>
        snapshot.All(kind.Name).FirstOrDefault(resource => resource.Metadata.Name == name) ?? throw NotFound(kind, name, snapshot);

    private static async Task<IResult> ApplyAsync(HttpContext context, StateWriter writer, CurrentState state, TimeProvider time, bool dryRun = false)
    {
        var read = ResourceReader.Read(await Bodies.TextAsync(context));
        if (read.Mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, read.Mistakes);
        foreach (var kind in read.Documents.Select(d => d.Resource.Kind).Distinct())
            Caller.Require(context, AccessRules.RoleToChange(kind), $"apply a {kind}");
        var actor = Caller.Name(context);
        // A dry run is the same change on an editor that is thrown away.
        var outcomes = dryRun
            ? ResourceChanges.Apply(new StateEditor(state.Snapshot, time.GetUtcNow()), read.Documents, actor)
            : await writer.ChangeAsync(editor => ResourceChanges.Apply(editor, read.Documents, actor), context.RequestAborted);
        return Json.Answer(new JsonObject
        {
            ["dryRun"] = dryRun,
            ["results"] = new JsonArray([.. outcomes.Select(outcome => new JsonObject
            {
                ["kind"] = outcome.Kind,
                ["name"] = outcome.Name,
                ["result"] = Json.Word(outcome.Result),
            })]),
        });
    }

    private static async Task<IResult> DeleteAsync(
        ResourceKind kind, string name, HttpContext context, StateWriter writer, CurrentState state, ImageStore images)
    {
        _ = Find(kind, name, state.Snapshot);
        var actor = Caller.Name(context);
        var deleted = await writer.ChangeAsync(editor => ResourceChanges.Delete(editor, kind.Name, name, actor), context.RequestAborted);
        if (deleted is Image)
            await images.RemoveDeletedAsync(name, state, CancellationToken.None);
        return Json.Answer(new JsonObject { ["kind"] = kind.Name, ["name"] = name, ["result"] = "deleted" });
    }

    private static JsonObject Write(IResource resource, Snapshot snapshot, EventLog events, NodeTracking tracking, TimeProvider time)
    {
        var json = ResourceWriter.ToJson(resource);
        if (resource is Host host)
        {
            var now = time.GetUtcNow();
            var installation = snapshot.Installations.GetValueOrDefault(host.Name);
            var certificate = snapshot.GoodCertificateOf(host.Name, now);
            var lastAnswered = events.LastAnswered(host);
            var standing = HostStanding.Of(host, installation, lastAnswered, certificate?.IssuedAt, now, snapshot.Joins.GetValueOrDefault(host.Name), snapshot.NodeOf(host.Name));
            json["status"] = Json.WithoutNulls(new JsonObject
            {
                ["state"] = standing.State.ToString(),
                ["stage"] = standing.Stage,
                ["reason"] = standing.Reason,
                ["lastAnswered"] = Json.At(lastAnswered),
                ["retiredAt"] = Json.At(host.RetiredAt),
                ["certificate"] = certificate is null ? null : Json.Of(certificate, snapshot, now),
                ["installation"] = installation is null ? null : Json.Of(installation, now),
                ["join"] = snapshot.Joins.GetValueOrDefault(host.Name) is { } join ? Json.Of(join, now) : null,
                ["node"] = snapshot.NodeOf(host.Name) is { } node ? NodeEndpoints.Of(node, tracking.Find(node.Cluster)) : null,
            });
        }
        else if (resource is Cluster cluster)
        {
            json["status"] = NodeEndpoints.StatusOf(cluster.Name, snapshot, tracking);
        }
        return json;
    }

    private static ChangeRefusedException NotFound(ResourceKind kind, string name, Snapshot snapshot)
    {
        var names = snapshot.All(kind.Name).Select(r => r.Metadata.Name).ToList();
        var nearest = Spelling.Nearest(name, names);
        var hint = nearest is not null ? $" Did you mean '{nearest}'?"
            : names.Count == 0 ? $" There is no {kind.Name} yet."
            : names.Count <= 8 ? $" There is: {string.Join(", ", names)}."
            : $" There are {names.Count}: provisioner get {kind.Plural}.";
        return new ChangeRefusedException(RefusalKind.NotFound, $"There is no {kind.Name} '{Reading.Shorten(name)}'.{hint}");
    }
}
