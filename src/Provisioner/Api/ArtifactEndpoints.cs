using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Provisioner.Artifacts;
using Provisioner.Events;
using Provisioner.Resources;

namespace Provisioner.Api;

/// <summary>The artifact cache: what is in it, filling it, checking it, emptying it.</summary>
internal static class ArtifactEndpoints
{
    private static readonly Shape<WarmRequest> WarmBody = DeclareWarm();

    private static readonly Shape<EvictRequest> EvictBody = DeclareEvict();

    public static IReadOnlyList<FieldDescription> WarmFields => WarmBody.Fields;

    public static IReadOnlyList<FieldDescription> EvictFields => EvictBody.Fields;

    public static void MapArtifacts(this IEndpointRouteBuilder api)
    {
        api.MapGet("/artifacts", (ArtifactCache cache) => Json.Answer(List(cache)));
        api.MapPost("/artifacts/warm", WarmAsync);
        api.MapPost("/artifacts/verify", VerifyAsync);
        api.MapPost("/artifacts/evict", EvictAsync);
    }

    private static JsonObject List(ArtifactCache cache)
    {
        var list = Json.List(cache.Store.All().Select(item => Json.WithoutNulls(new JsonObject
        {
            ["path"] = item.Artifact.Path,
            ["url"] = item.Artifact.Url,
            ["sha256"] = item.Artifact.Sha256,
            ["size"] = item.Artifact.Size,
            ["fetchedAt"] = Json.At(item.Artifact.FetchedAt),
            ["lastUsed"] = Json.At(item.LastUsed),
            ["verifiedBy"] = item.Artifact.VerifiedBy,
            ["pinned"] = cache.IsPinned(item.Artifact.Path) ? true : null,
        })));
        list["size"] = cache.Store.Size;
        list["maximumSize"] = cache.Options.MaximumSize;
        list["offline"] = cache.Options.Offline;
        return list;
    }

    private static async Task<IResult> WarmAsync(HttpContext context, ArtifactWarming warming, IHostApplicationLifetime lifetime)
    {
        var request = await Bodies.ReadAsync(context, WarmBody);
        // What is wrong with the request is an answer of its own; what is wrong with a path is told in the stream.
        var plan = await warming.PlanAsync(request, context.RequestAborted);
        return TypedResults.ServerSentEvents(StepsAsync(warming, plan, lifetime.ApplicationStopping, context.RequestAborted));
    }

    private static async IAsyncEnumerable<SseItem<string>> StepsAsync(
        ArtifactWarming warming, WarmPlan plan, CancellationToken stopping, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, cancellation);
        await foreach (var step in warming.RunAsync(plan, either.Token))
        {
            yield return new SseItem<string>(Json.WithoutNulls(new JsonObject
            {
                ["path"] = step.Path,
                ["state"] = Json.Word(step.State),
                ["received"] = step.Received,
                ["length"] = step.Length,
                ["reason"] = step.Reason,
            }).ToJsonString(Json.Options));
        }
    }

    private static async Task<IResult> VerifyAsync(HttpContext context, ArtifactCache cache)
    {
        var differences = new JsonArray();
        var (files, bytes) = (0, 0L);
        await foreach (var (artifact, wrong) in cache.Store.VerifyAsync(context.RequestAborted))
        {
            files++;
            bytes += artifact.Size;
            if (wrong is not null)
                differences.Add($"{artifact.Path}: {wrong}");
        }
        return Json.Answer(new JsonObject { ["files"] = files, ["bytes"] = bytes, ["differences"] = differences });
    }

    private static async Task<IResult> EvictAsync(HttpContext context, ArtifactCache cache, BootJournal journal, TimeProvider time)
    {
        var request = await Bodies.ReadAsync(context, EvictBody);
        var known = cache.Store.All();
        var chosen = request switch
        {
            { All: true } => known,
            { Unused: { } unused } => [.. known.Where(item => item.LastUsed < time.GetUtcNow() - unused && !cache.IsPinned(item.Artifact.Path))],
            _ => request.Paths.Select(path => known.FirstOrDefault(item => item.Artifact.Path == path) is { Artifact: not null } found ? found
                : throw new ChangeRefusedException(RefusalKind.NotFound, $"'{Reading.Shorten(path)}' is not in the cache. provisioner cache list shows what is.")).ToList(),
        };
        if (request is { All: false, Unused: null, Paths.Count: 0 })
            throw new ChangeRefusedException(RefusalKind.Invalid, "Nothing is named: give paths, a time in 'unused', or 'all: true'.");
        var evicted = chosen.Where(item => cache.Store.Remove(item.Artifact.Path)).Select(item => item.Artifact).ToList();
        journal.Record(new Event
        {
            At = time.GetUtcNow(),
            Source = EventSource.Api,
            Outcome = EventOutcome.Changed,
            What = $"evicted {evicted.Count} artifacts" + (evicted.Count is > 0 and <= 3 ? $": {string.Join(", ", evicted.Select(e => e.Path))}" : ""),
            Reason = "asked for",
            Actor = Caller.Name(context),
        });
        return Json.Answer(new JsonObject { ["evicted"] = evicted.Count, ["bytes"] = evicted.Sum(e => e.Size) });
    }

    private static Shape<WarmRequest> DeclareWarm()
    {
        var word = Values.OfText("a version", "such as 1.34 or latest", text =>
            text.Length is > 0 and <= 32 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_') ? null : "is not a version");
        var shape = new Shape<WarmRequest>("the request", () => new WarmRequest());
        shape.Optional("profiles", new ListKind<string>(Values.Name, maximum: 100), r => [.. r.Profiles], (r, v) => r with { Profiles = v }, "Profiles: everything their hosts fetch.");
        shape.Optional("paths", new ListKind<string>(Path, maximum: 10_000), r => [.. r.Paths], (r, v) => r with { Paths = v }, "Paths below /artifacts/.");
        shape.Optional("nodeadm", word, r => r.Nodeadm, (r, v) => r with { Nodeadm = v }, "nodeadm itself: a version, or latest.");
        shape.Optional("kubernetes", word, r => r.Kubernetes, (r, v) => r with { Kubernetes = v }, "What nodeadm install fetches for this version.");
        shape.Optional("architectures", new ListKind<string>(Values.OneOf("an architecture", ("amd64", "amd64"), ("arm64", "arm64"))), r => [.. r.Architectures], (r, v) => r with { Architectures = v },
            "amd64, arm64; both when not said.");
        shape.Default("upstream", Values.Name, r => r.Upstream, (r, v) => r with { Upstream = v }, "The upstream nodeadm comes from.");
        return shape;
    }

    private static Shape<EvictRequest> DeclareEvict()
    {
        var shape = new Shape<EvictRequest>("the request", () => new EvictRequest());
        shape.Optional("paths", new ListKind<string>(Path, maximum: 10_000), r => [.. r.Paths], (r, v) => r with { Paths = v }, "Paths as the list shows them.");
        shape.Optional("unused", Values.Days(0, 3_650), r => r.Unused, (r, v) => r with { Unused = v }, "Everything that is not pinned and was not used for so long.");
        shape.Default("all", Values.Boolean, r => r.All, (r, v) => r with { All = v }, "Everything.");
        return shape;
    }

    private static ScalarKind<string> Path => Values.OfText("an artifact's path", "such as ubuntu/dists/noble/InRelease", text => text.Length is > 0 and <= 1024 ? null : "has no length a path has");

    private sealed record EvictRequest
    {
        public IReadOnlyList<string> Paths { get; init; } = [];

        public TimeSpan? Unused { get; init; }

        public bool All { get; init; }
    }
}
