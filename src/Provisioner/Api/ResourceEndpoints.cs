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
            api.MapGet($"/{kind.Plural}", (HttpContext context, CurrentState state, EventLog events, NodeTracking tracking, TimeProvider time) =>
                Selection.Answer(context, state.Snapshot.All(kind.Name).Select(resource => Write(resource, context, state.Snapshot, events, tracking, time)),
                    resource => resource["metadata"]!["name"]!.ToString(), isSorted: true));
            api.MapGet($"/{kind.Plural}/{{name}}", (string name, HttpContext context, CurrentState state, EventLog events, NodeTracking tracking, TimeProvider time) =>
            {
                var found = Find(kind, name, state.Snapshot);
                Versions.Show(context, found);
                return Json.Answer(Write(found, context, state.Snapshot, events, tracking, time));
            });
            api.MapPut($"/{kind.Plural}/{{name}}", (string name, HttpContext context, StateWriter writer, CurrentState state, TimeProvider time, bool dryRun = false) =>
                PutAsync(kind, name, context, writer, state, time, dryRun));
            api.MapDelete($"/{kind.Plural}/{{name}}", (string name, HttpContext context, StateWriter writer, CurrentState state, ImageStore images, TimeProvider time, bool dryRun = false) =>
                DeleteAsync(kind, name, context, writer, state, images, time, dryRun));
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
        var outcomes = await ChangeAsync(editor => ResourceChanges.Apply(editor, read.Documents, actor), writer, state, time, dryRun, context.RequestAborted);
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

    /// <summary>One document, at the address it belongs to. What it does not say is as if it was never said.</summary>
    private static async Task<IResult> PutAsync(ResourceKind kind, string name, HttpContext context, StateWriter writer, CurrentState state, TimeProvider time, bool dryRun)
    {
        var read = ResourceReader.Read(await Bodies.TextAsync(context));
        if (read.Mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, read.Mistakes);
        if (read.Documents is not [var document])
            throw new ChangeRefusedException(RefusalKind.Invalid, $"There are {read.Documents.Count} documents in the body; one belongs here. POST /api/v1/apply takes many.");
        if (document.Resource.Kind != kind.Name)
            throw new ChangeRefusedException(RefusalKind.Invalid, [document.MistakeAt("kind", $"is not what this address is for", document.Resource.Kind, kind.Name)]);
        if (document.Resource.Metadata.Name != name)
            throw new ChangeRefusedException(RefusalKind.Invalid, [document.MistakeAt("metadata.name", "is not the name in the address", document.Resource.Metadata.Name, name)]);
        var actor = Caller.Name(context);
        var outcome = await ChangeAsync(editor =>
        {
            Versions.Require(context, editor.Snapshot.Find(kind.Name, name));
            var result = ResourceChanges.Apply(editor, [document], actor)[0].Result;
            return (Result: result, Stored: editor.Snapshot.Find(kind.Name, name)!);
        }, writer, state, time, dryRun, context.RequestAborted);
        if (!dryRun)
            Versions.Show(context, outcome.Stored);
        return Json.Answer(Shown(ResourceWriter.ToJson(outcome.Stored), context), outcome.Result == ApplyResult.Created && !dryRun ? StatusCodes.Status201Created : StatusCodes.Status200OK);
    }

    private static async Task<IResult> DeleteAsync(
        ResourceKind kind, string name, HttpContext context, StateWriter writer, CurrentState state, ImageStore images, TimeProvider time, bool dryRun)
    {
        _ = Find(kind, name, state.Snapshot);
        var actor = Caller.Name(context);
        var deleted = await ChangeAsync(editor =>
        {
            Versions.Require(context, editor.Snapshot.Find(kind.Name, name));
            return ResourceChanges.Delete(editor, kind.Name, name, actor);
        }, writer, state, time, dryRun, context.RequestAborted);
        if (deleted is Image && !dryRun)
            await images.RemoveDeletedAsync(name, state, CancellationToken.None);
        return Json.Answer(new JsonObject { ["kind"] = kind.Name, ["name"] = name, ["result"] = "deleted", ["dryRun"] = dryRun });
    }

    // A dry run is the same change on an editor that is thrown away.
    private static Task<T> ChangeAsync<T>(Func<StateEditor, T> change, StateWriter writer, CurrentState state, TimeProvider time, bool dryRun, CancellationToken ct) =>
        dryRun ? Task.FromResult(change(new StateEditor(state.Snapshot, time.GetUtcNow()))) : writer.ChangeAsync(change, ct);

    /// <summary>Hashes of passwords are for those alone who may set them.</summary>
    private static JsonObject Shown(JsonObject resource, HttpContext context) =>
        Caller.IsLocal(context) || Identities.RoleOf(context.User) == Role.Admin ? resource : SecretKeys.LeaveOut(resource);

    private static JsonObject Write(IResource resource, HttpContext context, Snapshot snapshot, EventLog events, NodeTracking tracking, TimeProvider time)
    {
        var json = Shown(ResourceWriter.ToJson(resource), context);
        if (resource is Host host)
        {
            var now = time.GetUtcNow();
            var installation = snapshot.Installations.GetValueOrDefault(host.Name);
            var certificate = snapshot.GoodCertificateOf(host.Name, now);
            var lastAnswered = events.LastAnswered(host);
            var standing = HostStanding.Of(host, snapshot, lastAnswered, now);
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
