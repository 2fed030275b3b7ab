using System.Text.Json.Nodes;
using Provisioner.Certificates;
using Provisioner.Certificates.Keys;
using Provisioner.Kubernetes;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>Authorities, certificates, tokens and alerts.</summary>
internal static class CertificateEndpoints
{
    private sealed record RotateBody
    {
        public RotationStep? Step { get; init; }

        public TimeSpan? Over { get; init; }

        public bool Force { get; init; }

        public KeyAlgorithm? Algorithm { get; init; }
    }

    private sealed record RevokeBody
    {
        public RevocationReason Reason { get; init; } = RevocationReason.Unspecified;
    }

    private sealed record RetireBody
    {
        public RevocationReason Reason { get; init; } = RevocationReason.CessationOfOperation;

        public bool Force { get; init; }

        public TimeSpan Timeout { get; init; } = Retirement.DefaultTimeout;
    }

    private sealed record TokenBody
    {
        public TimeSpan? Window { get; init; }
    }

    private static readonly (string Word, RevocationReason Value)[] Reasons = [.. Enum.GetValues<RevocationReason>().Select(r => (Json.Word(r), r))];

    private static readonly Shape<RotateBody> RotateShape = Rotate();
    private static readonly Shape<RevokeBody> RevokeShape = Revoke();
    private static readonly Shape<RetireBody> RetireShape = Retire();
    private static readonly Shape<TokenBody> TokenShape = Token();

    public static IReadOnlyList<FieldDescription> RotateFields => RotateShape.Fields;

    public static IReadOnlyList<FieldDescription> RevokeFields => RevokeShape.Fields;

    public static IReadOnlyList<FieldDescription> RetireFields => RetireShape.Fields;

    public static IReadOnlyList<FieldDescription> TokenFields => TokenShape.Fields;

    public static void MapCertificates(this IEndpointRouteBuilder api)
    {
        api.MapGet("/authorities", (CurrentState state, RevocationLists lists, TimeProvider time) =>
            Json.Answer(Json.List(Authorities(state.Snapshot).Select(a => Describe(a, state.Snapshot, lists, time.GetUtcNow())))));
        api.MapGet("/authorities/{id}", (string id, CurrentState state, RevocationLists lists, TimeProvider time) =>
            state.Snapshot.Authorities.TryGetValue(id, out var found) ? Json.Answer(Describe(found, state.Snapshot, lists, time.GetUtcNow()))
                : throw new ChangeRefusedException(RefusalKind.NotFound, $"There is no authority '{Reading.Shorten(id)}'."));
        api.MapGet("/ca", (CurrentState state, RevocationLists lists, CertificateAuthority authority, TimeProvider time) => Json.Answer(ShowCa(state.Snapshot, lists, authority, time.GetUtcNow())));
        api.MapPost("/ca/rotate", RotateAsync);
        api.MapPost("/ca/request", async (HttpContext context, CertificateAuthority authority, bool next = false, string? algorithm = null) =>
            Results.Text(await authority.RequestAsync(next, AlgorithmOf(algorithm), Caller.Name(context), context.RequestAborted) + "\n", "application/x-pem-file"));
        api.MapPost("/ca/import", async (HttpContext context, CertificateAuthority authority, RevocationLists lists, ServerIdentity identity, CurrentState state, TimeProvider time) =>
        {
            var imported = await authority.ImportAsync(await Bodies.TextAsync(context), Caller.Name(context), context.RequestAborted);
            await lists.RefreshAsync(force: false, CancellationToken.None);
            await identity.RefreshAsync(CancellationToken.None);
            return Json.Answer(Describe(imported, state.Snapshot, lists, time.GetUtcNow()));
        });
        api.MapPost("/ca/crl", async (RevocationLists lists, HttpContext context, CurrentState state, string? authority = null, bool refresh = false) =>
        {
            if (refresh)
                await lists.RefreshAsync(force: true, context.RequestAborted);
            var list = authority is null ? lists.Present : lists.Of(authority);
            return list is not null ? Results.Text(list.Pem, "application/x-pem-file")
                : throw new ChangeRefusedException(RefusalKind.NotFound, authority is null ? "There is no authority yet, and no revocation list." : $"There is no revocation list of an authority '{Reading.Shorten(authority)}'.");
        });
        api.MapGet("/certificates", (HttpContext context, CurrentState state, TimeProvider time) =>
            Selection.Answer(context, state.Snapshot.Certificates.Values.Where(c => c.Purpose == CertificatePurpose.Host)
                .OrderBy(c => c.Host, StringComparer.Ordinal).ThenByDescending(c => c.IssuedAt).Select(c => Json.Of(c, state.Snapshot, time.GetUtcNow())), c => c["serial"]!.ToString()));
        api.MapGet("/certificates/{which}", (string which, CurrentState state, TimeProvider time) => Json.Answer(Certificates(which, state.Snapshot, time.GetUtcNow())));
        api.MapPost("/certificates/{which}/revoke", async (string which, HttpContext context, StateWriter writer, RevocationLists lists, CurrentState state, TimeProvider time) =>
        {
            var body = await Bodies.ReadAsync(context, RevokeShape);
            var actor = Caller.Name(context);
            var revoked = await writer.ChangeAsync(editor => CertificateChanges.Revoke(editor, which, body.Reason, actor), context.RequestAborted);
            await lists.RefreshAsync(force: false, CancellationToken.None);
            return Json.Answer(Revoked(revoked, lists, state.Snapshot, time.GetUtcNow()));
        });
        api.MapPost("/hosts/{name}/retire", RetireAsync);
        api.MapPost("/hosts/{name}/token", async (string name, HttpContext context, StateWriter writer, CurrentState state) =>
        {
            var body = await Bodies.ReadAsync(context, TokenShape);
            _ = ResourceEndpoints.Find(ResourceKind.Host, name, state.Snapshot);
            var (actor, token) = (Caller.Name(context), EnrolmentToken.Create());
            var installation = await writer.ChangeAsync(editor => CertificateChanges.GiveToken(editor, name, token, body.Window, actor), context.RequestAborted);
            context.Response.Headers.CacheControl = "no-store";
            return Json.Answer(new JsonObject
            {
                ["host"] = name,
                ["installation"] = installation.Id,
                ["token"] = token,
                ["closesAt"] = Json.At(installation.ClosesAt),
                ["enrolOnly"] = installation.EnrolOnly,
            });
        }).WithMetadata(new SecretAnswer());
        api.MapGet("/alerts", (HttpContext context, CurrentState state, bool all = false) =>
            Selection.Answer(context, state.Snapshot.Alerts.Values.Where(a => all || a.DismissedAt is null).OrderByDescending(a => a.Severity).ThenByDescending(a => a.LastAt).Select(Json.Of), a => a["id"]!.ToString()));
        api.MapGet("/alerts/{id}", (string id, CurrentState state) =>
            state.Snapshot.Alerts.TryGetValue(id, out var alert) ? Json.Answer(Json.Of(alert))
                : throw new ChangeRefusedException(RefusalKind.NotFound, $"There is no alert '{Reading.Shorten(id)}'."));
        api.MapPost("/alerts/{id}/dismiss", async (string id, HttpContext context, StateWriter writer) =>
        {
            var actor = Caller.Name(context);
            return await writer.ChangeAsync(editor => Json.Answer(Json.Of(CertificateChanges.Dismiss(editor, id, actor))), context.RequestAborted);
        });
    }

    // All at once for a program, step by step for whoever asks for events: emptying a node can take minutes.
    private static async Task<IResult> RetireAsync(string name, HttpContext context, Retirement retirement, RevocationLists lists, CurrentState state, TimeProvider time)
    {
        var body = await Bodies.ReadAsync(context, RetireShape);
        _ = ResourceEndpoints.Find(ResourceKind.Host, name, state.Snapshot);
        var steps = retirement.RunAsync(name, new RetireRequest(body.Reason, body.Force, body.Timeout, Caller.Name(context)), context.RequestAborted);
        if (Caller.WantsEvents(context.Request))
            return TypedResults.ServerSentEvents(TellAsync());
        var told = new List<RetireStep>();
        await foreach (var step in steps)
            told.Add(step);
        if (told is [.., { State: StepState.Failed } failed])
            throw new ChangeRefusedException(RefusalKind.Conflict, $"{failed.Name}: {failed.Message}");
        var answer = Ended();
        answer["steps"] = new JsonArray([.. told.Where(t => t.State != StepState.Doing).Select(t => (JsonNode)Of(t))]);
        return Json.Answer(answer);

        async IAsyncEnumerable<string> TellAsync()
        {
            var isFailed = false;
            await foreach (var step in steps)
            {
                isFailed = step.State == StepState.Failed;
                yield return Of(step).ToJsonString(Json.Options);
            }
            if (!isFailed)
                yield return Ended().ToJsonString(Json.Options);
        }

        JsonObject Ended()
        {
            var host = (Host)ResourceEndpoints.Find(ResourceKind.Host, name, state.Snapshot);
            var ended = Revoked([.. state.Snapshot.CertificatesOf(name).Where(c => c.RevokedAt == host.RetiredAt)], lists, state.Snapshot, time.GetUtcNow());
            ended["retiredAt"] = Json.At(host.RetiredAt);
            return ended;
        }

        static JsonObject Of(RetireStep step) => new() { ["step"] = step.Name, ["state"] = Json.Word(step.State), ["message"] = step.Message };
    }

    private static async Task<IResult> RotateAsync(
        HttpContext context, CertificateAuthority authority, StateWriter writer, RevocationLists lists, ServerIdentity identity, CurrentState state, TimeProvider time)
    {
        var body = await Bodies.ReadAsync(context, RotateShape);
        var (actor, ct) = (Caller.Name(context), context.RequestAborted);
        var step = body.Step ?? AuthorityChanges.NextStep(state.Snapshot, time.GetUtcNow());
        switch (step)
        {
            case RotationStep.Prepare:
                await authority.PrepareAsync(body.Algorithm, signSelf: true, actor, ct);
                break;
            case RotationStep.Switch:
                await writer.ChangeAsync(editor => AuthorityChanges.Switch(editor, body.Over ?? AuthorityChanges.DefaultMove, actor), ct);
                break;
            case RotationStep.Pause or RotationStep.Resume:
                await writer.ChangeAsync(editor => AuthorityChanges.SetPaused(editor, step == RotationStep.Pause, body.Over, actor), ct);
                break;
            case RotationStep.Retire:
                await writer.ChangeAsync(editor => AuthorityChanges.Retire(editor, body.Force, actor), ct);
                break;
            case RotationStep.Abort:
                await writer.ChangeAsync(editor => AuthorityChanges.Abort(editor, actor), ct);
                break;
        }
        await lists.RefreshAsync(force: false, CancellationToken.None);
        await identity.RefreshAsync(CancellationToken.None);
        var answer = ShowCa(state.Snapshot, lists, authority, time.GetUtcNow());
        answer["did"] = step is { } done ? Json.Word(done) : null;
        return Json.Answer(Json.WithoutNulls(answer));
    }

    private static JsonObject ShowCa(Snapshot snapshot, RevocationLists lists, CertificateAuthority authority, DateTimeOffset now)
    {
        var moving = AuthorityChanges.In(snapshot, AuthorityState.Previous);
        return Json.WithoutNulls(new JsonObject
        {
            ["whyNotIssuing"] = authority.WhyNotIssuing(now),
            ["authorities"] = new JsonArray([.. Authorities(snapshot).Where(a => a.State != AuthorityState.Retired).Select(a => Describe(a, snapshot, lists, now))]),
            ["retired"] = snapshot.Authorities.Values.Count(a => a.State == AuthorityState.Retired),
            ["hostsWithCertificate"] = snapshot.Hosts.Values.Count(h => snapshot.GoodCertificateOf(h.Name, now) is not null),
            ["hostsToMove"] = moving is null ? null : AuthorityChanges.HostsOf(moving, snapshot, now).Count,
            ["nextStep"] = AuthorityChanges.NextStep(snapshot, now) is { } step ? Json.Word(step) : null,
        });
    }

    private static IEnumerable<Authority> Authorities(Snapshot snapshot) =>
        snapshot.Authorities.Values.OrderBy(a => a.State == AuthorityState.Retired).ThenBy(a => a.CreatedAt).ThenBy(a => a.Id, StringComparer.Ordinal);

    private static JsonObject Describe(Authority authority, Snapshot snapshot, RevocationLists lists, DateTimeOffset now)
    {
        var list = lists.Of(authority.Id);
        return Json.WithoutNulls(new JsonObject
        {
            ["id"] = authority.Id,
            ["subject"] = authority.Subject,
            ["state"] = Json.Word(authority.State),
            ["algorithm"] = CertificateFields.Algorithms.First(a => a.Value == authority.Algorithm).Word,
            ["keyStore"] = authority.KeyStore,
            ["createdAt"] = Json.At(authority.CreatedAt),
            ["notBefore"] = authority.Der is null ? null : Json.At(authority.NotBefore),
            ["notAfter"] = authority.Der is null ? null : Json.At(authority.NotAfter),
            ["issuingSince"] = Json.At(authority.IssuingSince),
            ["retiredAt"] = Json.At(authority.RetiredAt),
            ["hosts"] = authority.IsLive ? AuthorityChanges.HostsOf(authority, snapshot, now).Count : null,
            ["move"] = authority.Move is not { } move ? null : Json.WithoutNulls(new JsonObject { ["from"] = Json.At(move.From), ["until"] = Json.At(move.Until), ["pausedAt"] = Json.At(move.PausedAt) }),
            ["crl"] = list is null ? null : new JsonObject
            {
                ["number"] = list.Number,
                ["entries"] = list.Entries,
                ["bytes"] = list.Pem.Length,
                ["thisUpdate"] = Json.At(list.ThisUpdate),
                ["nextUpdate"] = Json.At(list.NextUpdate),
            },
            ["fingerprint"] = authority.Der is { } der ? Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(der)) : null,
            ["certificate"] = authority.Der is null ? null : authority.ToPem(),
            ["chain"] = authority.Chain.IsEmpty ? null : new JsonArray([.. authority.Chain.Select(above => (JsonNode)System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", above))]),
        });
    }

    private static JsonObject Certificates(string which, Snapshot snapshot, DateTimeOffset now)
    {
        if (snapshot.Certificates.TryGetValue(which.ToLowerInvariant(), out var one))
        {
            var json = Json.Of(one, snapshot, now);
            json["certificate"] = one.ToPem();
            return json;
        }
        var all = snapshot.CertificatesOf(which).Where(c => c.Purpose == CertificatePurpose.Host).OrderByDescending(c => c.IssuedAt).ToList();
        if (all.Count > 0)
            return Json.List(all.Select(c => Json.Of(c, snapshot, now)));
        throw new ChangeRefusedException(RefusalKind.NotFound, snapshot.Hosts.ContainsKey(which) ? $"Host '{which}' has no certificate yet."
            : $"There is no host and no certificate '{Reading.Shorten(which)}'.");
    }

    private static JsonObject Revoked(IReadOnlyList<Certificate> revoked, RevocationLists lists, Snapshot snapshot, DateTimeOffset now) => Json.WithoutNulls(new JsonObject
    {
        ["revoked"] = new JsonArray([.. revoked.Select(c => Json.Of(c, snapshot, now))]),
        ["crlNumber"] = revoked.Count > 0 ? lists.Of(revoked[^1].Authority)?.Number : lists.Present?.Number,
    });

    private static KeyAlgorithm? AlgorithmOf(string? word)
    {
        if (word is null)
            return null;
        foreach (var (known, value) in CertificateFields.Algorithms)
        {
            if (known == word)
                return value;
        }
        throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake($"'{Reading.Shorten(word)}' is no kind of key")
        {
            Path = "algorithm", Value = Reading.Shorten(word), Expected = "one of " + string.Join(", ", CertificateFields.Algorithms.Select(a => a.Word)),
        }]);
    }

    private static Shape<RotateBody> Rotate()
    {
        var shape = new Shape<RotateBody>("rotate", () => new RotateBody());
        shape.Optional("step", Values.OneOf("a step", [.. Enum.GetValues<RotationStep>().Select(s => (Json.Word(s), s))]), b => b.Step, (b, v) => b with { Step = v }, "Which step; the next one when not given.");
        shape.Optional("over", Over, b => b.Over, (b, v) => b with { Over = v }, "The time over which hosts move.");
        shape.Default("force", Values.Boolean, b => b.Force, (b, v) => b with { Force = v }, "Retire though hosts still depend on it.");
        shape.Optional("algorithm", Values.OneOf("a kind of key", CertificateFields.Algorithms), b => b.Algorithm, (b, v) => b with { Algorithm = v }, "The next authority's key.");
        return shape;
    }

    // From "at once" to a quarter of a year.
    private static ScalarKind<TimeSpan> Over => Values.DurationBetween(TimeSpan.Zero, TimeSpan.FromDays(90),
        "a duration", "a duration such as 14d or 2h, from 0s to 90d");

    private static Shape<RevokeBody> Revoke()
    {
        var shape = new Shape<RevokeBody>("revoke", () => new RevokeBody());
        shape.Default("reason", Values.OneOf("a reason", Reasons), b => b.Reason, (b, v) => b with { Reason = v }, "Why (RFC 5280 §5.3.1).");
        return shape;
    }

    private static Shape<RetireBody> Retire()
    {
        var shape = new Shape<RetireBody>("retire", () => new RetireBody());
        shape.Default("reason", Values.OneOf("a reason", Reasons), b => b.Reason, (b, v) => b with { Reason = v }, "Why its certificates are revoked (RFC 5280 §5.3.1).");
        shape.Default("force", Values.Boolean, b => b.Force, (b, v) => b with { Force = v }, "Delete pods that no controller makes again, and go on when the cluster cannot be reached.");
        shape.Default("timeout", Values.DurationBetween(TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), "a duration", "such as 10m, from 1s to 1d"), b => b.Timeout, (b, v) => b with { Timeout = v }, "How long emptying its node may take.");
        return shape;
    }

    private static Shape<TokenBody> Token()
    {
        var shape = new Shape<TokenBody>("token", () => new TokenBody());
        shape.Optional("window", Values.Duration, b => b.Window, (b, v) => b with { Window = v }, "How long it is good when no Installation is open.");
        return shape;
    }
}
