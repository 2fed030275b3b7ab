using System.Text.Json;
using Provisioner.Boot.Http;
using Provisioner.Hosts;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Certificates.Est;

/// <summary>What a host asks and says of itself, with its certificate as its name: <c>/api/v1/self</c>.</summary>
internal sealed class SelfEndpoints(CurrentState state, StateWriter writer, TimeProvider time)
{
    private const int MaximumReport = 16 * 1024;

    private const int MaximumMessage = 500;

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/api/v1/self/renewal", (HttpContext context, SelfEndpoints self) => self.RenewalAsync(context));
        app.MapPost("/api/v1/self/report", (HttpContext context, SelfEndpoints self) => self.ReportAsync(context));
    }

    /// <summary>Lines of <c>key=value</c>, which a shell reads: <c>renew</c> (now or later), <c>renewAfter</c>, <c>reason</c>.</summary>
    private async Task RenewalAsync(HttpContext context)
    {
        var (snapshot, now) = (state.Snapshot, time.GetUtcNow());
        if (await SelfRequest.HostAsync(context, snapshot, now, evenOver: false) is not { } certificate)
            return;
        var plan = RenewalPlan.For(certificate, snapshot);
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync($"renew={(plan.IsDueAt(now) ? "now" : "later")}\nrenewAfter={plan.RenewAfter.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}\nreason={plan.Reason}\n", context.RequestAborted);
    }

    private async Task ReportAsync(HttpContext context)
    {
        var now = time.GetUtcNow();
        if (await SelfRequest.HostAsync(context, state.Snapshot, now, evenOver: true) is not { } certificate || await SelfRequest.BodyAsync(context, MaximumReport) is not { } body)
            return;
        if (!TryRead(body, certificate.Host, now, out var report, out var wrong))
        {
            await Refusal.SendAsync(context, StatusCodes.Status400BadRequest, wrong);
            return;
        }
        var stored = await SelfRequest.StoreAsync(context, () => writer.NoteAsync(editor =>
        {
            if (editor.Snapshot.Hosts.ContainsKey(report.Host) && !report.Repeats(editor.Snapshot.HostReports.GetValueOrDefault(report.Host)))
                CertificateChanges.Report(editor, report);
            return 0;
        }, context.RequestAborted));
        if (stored)
            context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static bool TryRead(ReadOnlyMemory<byte> body, string host, DateTimeOffset now, out HostReport report, out string wrong)
    {
        report = new HostReport { Host = host, At = now, Succeeded = false, Message = "" };
        wrong = "";
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("result", out var result) || result.GetString() is not ("ok" or "failed"))
            {
                wrong = "result: ok or failed is needed";
                return false;
            }
            var message = root.TryGetProperty("message", out var said) && said.ValueKind == JsonValueKind.String ? said.GetString()! : "";
            report = report with
            {
                Succeeded = result.ValueEquals("ok"),
                Message = Texts.OneLine(message.Trim(), MaximumMessage),
                Attempt = root.TryGetProperty("attempt", out var attempt) && attempt.TryGetInt32(out var count) ? Math.Clamp(count, 0, 1_000_000) : 0,
            };
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            wrong = "the report is to be a JSON object with stage, result and message";
            return false;
        }
    }
}
