using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Provisioner.Artifacts;
using Provisioner.Boot;
using Provisioner.Hosts;
using Provisioner.Installing;
using Provisioner.Progress;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Seeds;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>What people do with hosts: provision, cancel, adopt.</summary>
internal static class HostEndpoints
{
    private sealed record ProvisionBody
    {
        public TimeSpan? Window { get; init; }
    }

    private sealed record AdoptBody
    {
        public string Name { get; init; } = "";

        public string? Profile { get; init; }

        public CpuArchitecture? Architecture { get; init; }
    }

    private sealed record IgnoreBody
    {
        public bool Ignored { get; init; } = true;
    }

    private static readonly Shape<ProvisionBody> ProvisionShape = Provision();
    private static readonly Shape<AdoptBody> AdoptShape = Adopt();
    private static readonly Shape<IgnoreBody> IgnoreShape = Ignore();

    public static IReadOnlyList<FieldDescription> ProvisionFields => ProvisionShape.Fields;

    public static IReadOnlyList<FieldDescription> AdoptFields => AdoptShape.Fields;

    public static IReadOnlyList<FieldDescription> IgnoreFields => IgnoreShape.Fields;

    public static void MapHosts(this IEndpointRouteBuilder api)
    {
        api.MapPost("/hosts/{name}/provision", async (string name, HttpContext context, StateWriter writer, CurrentState state, ArtifactOptions artifacts) =>
        {
            var body = await Bodies.ReadAsync(context, ProvisionShape);
            _ = ResourceEndpoints.Find(ResourceKind.Host, name, state.Snapshot);
            var actor = Caller.Name(context);
            return await writer.ChangeAsync(editor => Json.Answer(Json.Of(OpenInstallation(editor, name, body.Window, artifacts, actor), editor.Now)), context.RequestAborted);
        });
        api.MapPost("/hosts/{name}/cancel", async (string name, HttpContext context, StateWriter writer, CurrentState state) =>
        {
            _ = ResourceEndpoints.Find(ResourceKind.Host, name, state.Snapshot);
            var actor = Caller.Name(context);
            return await writer.ChangeAsync(editor => Json.Answer(Json.Of(HostChanges.Cancel(editor, name, actor), editor.Now)), context.RequestAborted);
        });
        api.MapPost("/hosts/{name}/disk-passphrase", async (string name, HttpContext context, CurrentState state, IStore store, StateWriter writer, SeedKey keys) =>
        {
            _ = ResourceEndpoints.Find(ResourceKind.Host, name, state.Snapshot);
            // The Installation that built the disk: later ones may only have let the host enrol.
            var built = store.LoadInstallations(name).FirstOrDefault(i => i is { EnrolOnly: false, Stages.IsEmpty: false })
                ?? throw new ChangeRefusedException(RefusalKind.Conflict, $"Host {name} was not installed from here: there is no passphrase of its disk.");
            var actor = Caller.Name(context);
            await writer.ChangeAsync(editor =>
            {
                HostChanges.Record(editor, HostChanges.Find(editor, name), "The passphrase of its disk was shown", $"of the Installation opened at {built.OpenedAt:u}", actor);
                return 0;
            }, context.RequestAborted);
            context.Response.Headers.CacheControl = "no-store";
            return Json.Answer(new JsonObject { ["host"] = name, ["passphrase"] = keys.DiskPassphraseOf(built) });
        }).WithMetadata(new SecretAnswer());
        // A host that is gone has its last lines still.
        api.MapGet("/hosts/{name}/log", IResult (string name, HttpContext context, InstallerLog log, CurrentState state, IHostApplicationLifetime lifetime, bool follow = false) =>
        {
            var text = Texts.Name(name, 64) is null ? log.Read(name) : "";
            if (text.Length == 0)
                _ = ResourceEndpoints.Find(ResourceKind.Host, name, state.Snapshot);
            return follow || Caller.WantsEvents(context.Request)
                ? TypedResults.ServerSentEvents(FollowLogAsync(name, log, context.Request.Headers["Last-Event-ID"], lifetime.ApplicationStopping, context.RequestAborted))
                : Results.Text(text, "text/plain; charset=utf-8");
        });
        api.MapPost("/discovered/{mac}/ignore", async (string mac, HttpContext context, StateWriter writer) =>
        {
            var body = await Bodies.ReadAsync(context, IgnoreShape);
            var actor = Caller.Name(context);
            return Json.Answer(Json.Of(await writer.ChangeAsync(editor => HostChanges.Ignore(editor, MacOf(mac), body.Ignored, actor), context.RequestAborted)));
        });
        api.MapPost("/discovered/{mac}/adopt", async (string mac, HttpContext context, StateWriter writer) =>
        {
            var body = await Bodies.ReadAsync(context, AdoptShape);
            var adoption = new Adoption(MacOf(mac), body.Name) { Profile = body.Profile, Architecture = body.Architecture };
            var actor = Caller.Name(context);
            var host = await writer.ChangeAsync(editor => HostChanges.Adopt(editor, adoption, actor), context.RequestAborted);
            return Json.Answer(ResourceWriter.ToJson(host), StatusCodes.Status201Created);
        });
    }

    private static async IAsyncEnumerable<SseItem<string>> FollowLogAsync(string host, InstallerLog log, string? place, CancellationToken stopping, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, cancellation);
        var bell = new Bell();
        void Added(string by)
        {
            if (by == host)
                bell.Ring();
        }
        log.Added += Added;
        try
        {
            do
            {
                foreach (var line in log.ReadAfter(host, place))
                {
                    place = line.Place;
                    yield return new SseItem<string>(new JsonObject { ["line"] = line.Text }.ToJsonString(Json.Options)) { EventId = line.Place };
                }
            }
            while (await bell.HearAsync(either.Token));
        }
        finally
        {
            log.Added -= Added;
        }
    }

    /// <summary>Opens an Installation that this appliance can carry out as it is configured.</summary>
    public static Installation OpenInstallation(StateEditor editor, string name, TimeSpan? window, ArtifactOptions artifacts, string actor)
    {
        var installation = HostChanges.Provision(editor, name, window, actor);
        // Resources know nothing of this appliance's configuration; it is told here, before the host boots.
        if (editor.Snapshot.Profiles[installation.Profile].Spec.Install is { } install
            && PackageSource.WhyNotHere(installation.Profile, install, [.. artifacts.Allowed.Select(u => u.Name)]) is { } nowhere)
            throw new ChangeRefusedException(RefusalKind.Conflict, nowhere);
        return installation;
    }

    /// <summary>The MAC address in a path or query.</summary>
    public static MacAddress MacOf(string text) => MacAddress.TryParse(text, out var mac) ? mac
        : throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake($"'{Reading.Shorten(text)}' is not a MAC address")
        {
            Path = "mac", Value = Reading.Shorten(text), Expected = "six octets such as 52:54:00:12:34:56",
        }]);

    private static Shape<ProvisionBody> Provision()
    {
        var shape = new Shape<ProvisionBody>("provision", () => new ProvisionBody());
        shape.Optional("window", Values.Duration, b => b.Window, (b, v) => b with { Window = v }, "How long the Installation stays open.");
        return shape;
    }

    private static Shape<IgnoreBody> Ignore()
    {
        var shape = new Shape<IgnoreBody>("the body", () => new IgnoreBody());
        shape.Default("ignored", Values.Boolean, b => b.Ignored, (b, v) => b with { Ignored = v }, "False: it waits to be adopted again.");
        return shape;
    }

    private static Shape<AdoptBody> Adopt()
    {
        var shape = new Shape<AdoptBody>("adopt", () => new AdoptBody());
        shape.Required("name", Values.Name, b => b.Name, (b, v) => b with { Name = v }, "The host's name.");
        shape.Optional("profile", Values.Name, b => b.Profile, (b, v) => b with { Profile = v }, "The profile it is built by.");
        shape.Optional("architecture", Values.CpuArchitecture, b => b.Architecture, (b, v) => b with { Architecture = v }, "Needed only when the machine did not say its own.");
        return shape;
    }
}
