using System.Text.Json.Nodes;
using Provisioner.Audit;
using Provisioner.Resources;

namespace Provisioner.Api;

/// <summary>Who changed what: read, exported, checked.</summary>
internal static class AuditEndpoints
{
    /// <summary>One JSON document a line (https://jsonlines.org).</summary>
    public const string JsonLines = "application/jsonl";

    public static void MapAudit(this IEndpointRouteBuilder api)
    {
        api.MapGet("/audit", (AuditLog log, string? actor = null, string? subject = null, long? before = null, int limit = 100) =>
        {
            if (limit is < 1 or > 1_000)
                throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake($"limit={limit} is out of bounds") { Path = "limit", Value = $"{limit}", Expected = "1 to 1000" }]);
            return Json.Answer(Json.List(log.Find(new AuditQuery { Actor = actor, Subject = subject, Before = before, Limit = limit })));
        });
        // The lines as they are, so that whoever has them can check them.
        api.MapGet("/audit/export", (HttpContext context, AuditLog log) => Results.Stream(output => log.CopyToAsync(output, context.RequestAborted), JsonLines, "audit.jsonl"));
        api.MapGet("/audit/verify", (AuditLog log) =>
        {
            var found = log.Verify();
            return Json.Answer(Json.WithoutNulls(new JsonObject { ["intact"] = found.Wrong is null, ["entries"] = found.Entries, ["head"] = found.Head, ["wrong"] = found.Wrong }));
        });
    }
}
