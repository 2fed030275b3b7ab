using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Provisioner.Api;
using Provisioner.Backup.Age;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Backup;

/// <summary>How the backups that were sent to a caller ended: HTTP/1.1 has said its status by then. The last few are kept.</summary>
internal sealed class BackupVerdicts
{
    private const int Kept = 16;

    private readonly ConcurrentQueue<(string Id, JsonObject Verdict)> verdicts = new();

    public void Add(string id, JsonObject verdict)
    {
        verdicts.Enqueue((id, verdict));
        while (verdicts.Count > Kept)
            verdicts.TryDequeue(out _);
    }

    public JsonObject? Find(string id) => verdicts.FirstOrDefault(v => v.Id == id).Verdict;
}

/// <summary>Backups by the API: the file is the answer's body, and whether it is good is asked for afterwards.</summary>
internal static class BackupEndpoints
{
    /// <summary>The header that names the verdict.</summary>
    public const string IdHeader = "Backup-Id";

    private static readonly Shape<Wish> Shape = Declare();

    public static IReadOnlyList<FieldDescription> Fields => Shape.Fields;

    public static void MapBackup(this IEndpointRouteBuilder api)
    {
        api.MapPost("/backup", SendAsync);
        api.MapGet("/backup/{id}", (string id, BackupVerdicts verdicts) => verdicts.Find(id) is { } verdict ? Json.Answer(verdict.DeepClone())
            : throw new ChangeRefusedException(RefusalKind.NotFound, $"nothing is known of a backup '{Reading.Shorten(id)}'"));
        api.MapPost("/backups", async (HttpContext context, BackupService backups) =>
        {
            var (path, outcome) = await backups.RunAsync(Caller.Name(context), context.RequestAborted);
            var answer = Describe(outcome);
            answer["file"] = path;
            return Json.Answer(answer);
        });
        api.MapGet("/backups", async (HttpContext context, BackupService backups) => Json.Answer(Json.List((await backups.ListAsync(context.RequestAborted))
            .Select(kept => new JsonObject { ["name"] = kept.Backup.Name, ["at"] = Json.At(kept.Backup.At), ["bytes"] = kept.Backup.Bytes, ["place"] = kept.Place }))));
    }

    private static async Task SendAsync(HttpContext context, BackupService backups, BackupVerdicts verdicts)
    {
        var wish = await Bodies.ReadAsync(context, Shape);
        var id = RandomNumberGenerator.GetHexString(32, lowercase: true);
        context.Response.ContentType = "application/octet-stream";
        context.Response.Headers[IdHeader] = id;
        try
        {
            var outcome = await backups.WriteAsync(context.Response.Body, wish.Lock, wish.Images, Caller.Name(context), context.RequestAborted);
            verdicts.Add(id, Describe(outcome));
        }
        catch (Exception e) when (e is BackupException or StoreException && context.Response.HasStarted)
        {
            verdicts.Add(id, new JsonObject { ["problem"] = e.Message });
            context.Abort();
        }
    }

    private static JsonObject Describe(BackupOutcome outcome) => new()
    {
        ["bytes"] = outcome.Bytes,
        ["sha256"] = outcome.Sha256,
        ["at"] = Json.At(outcome.Manifest.At),
        ["changes"] = outcome.Manifest.Changes,
        ["hosts"] = outcome.Manifest.Hosts,
        ["certificates"] = outcome.Manifest.Certificates,
        ["authorities"] = outcome.Manifest.Authorities,
        ["images"] = new JsonArray([.. outcome.Manifest.Images.Select(i => (JsonNode)new JsonObject { ["name"] = i.Name, ["bytes"] = i.Size, ["included"] = i.Included })]),
        ["needs"] = new JsonArray([.. outcome.Manifest.Needs.Select(n => (JsonNode)n)]),
    };

    /// <summary>The body of a request for a backup.</summary>
    private sealed record Wish
    {
        public string? Passphrase { get; init; }

        public ImmutableArray<string> Recipients { get; init; } = [];

        public bool Images { get; init; }

        public AgeLock Lock => Passphrase is { } passphrase ? AgeLock.With(passphrase) : new AgeLock { Recipients = [.. Recipients.Select(r => AgeRecipient.TryParse(r)!)] };
    }

    private static Shape<Wish> Declare()
    {
        var shape = new Shape<Wish>("the backup", () => new Wish());
        // Nothing of it is wrong but that it is not there: a mistake would say it again.
        shape.Optional("passphrase", Values.OfText("a passphrase", "a passphrase", text => text.Length == 0 ? "is empty" : null), w => w.Passphrase, (w, v) => w with { Passphrase = v }, "What it is encrypted with.");
        shape.Optional("recipients", new ListKind<string>(BackupFields.Recipient, maximum: 20), w => w.Recipients, (w, v) => w with { Recipients = v }, "Public keys of age that it is encrypted to instead.");
        shape.Default("images", Values.Boolean, w => w.Images, (w, v) => w with { Images = v }, "With the files of images.");
        shape.Check((wish, report) =>
        {
            if (wish.Passphrase is null == wish.Recipients.IsEmpty)
                report("recipients", "what the backup is to be encrypted to is not said, or said twice", null, "either a passphrase, or public keys of age");
        });
        return shape;
    }
}
