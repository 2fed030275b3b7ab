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
        if (PresentedCertificate.HostOf(context, snapshot, now, evenOver: false, out var refusal) is not { } certificate)
        {
            await Refusal.SendAsync(context, StatusCodes.Status403Forbidden, refusal);
            return;
        }
        var plan = RenewalPlan.For(certificate, snapshot);
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync($"renew={(plan.IsDueAt(now) ? "now" : "later")}\nrenewAfter={plan.RenewAfter.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}\nreason={plan.Reason}\n", context.RequestAborted);
    }

    private async Task ReportAsync(HttpContext context)
    {
        var now = time.GetUtcNow();
        if (PresentedCertificate.HostOf(context, state.Snapshot, now, evenOver: true, out var refusal) is not { } certificate)
        {
            await Refusal.SendAsync(context, StatusCodes.Status403Forbidden, refusal);
            return;
        }
        var buffer = new byte[MaximumReport + 1];
        var length = await context.Request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, context.RequestAborted);
        if (length > MaximumReport)
        {
            await Refusal.SendAsync(context, StatusCodes.Status413PayloadTooLarge, $"a report has at most {MaximumReport} bytes");
            return;
        }
        if (TryRead(buffer.AsMemory(0, length), certificate.Host, now, out var report, out var wrong))
        {
            try
            {
                await writer.NoteAsync(editor =>
                {
                    if (editor.Snapshot.Hosts.ContainsKey(report.Host) && !report.Repeats(editor.Snapshot.HostReports.GetValueOrDefault(report.Host)))
                        CertificateChanges.Report(editor, report);
                    return 0;
                }, context.RequestAborted);
                context.Response.StatusCode = StatusCodes.Status204NoContent;
            }
            catch (StoreException e)
            {
                context.Response.Headers.RetryAfter = "30";
                await Refusal.SendAsync(context, StatusCodes.Status503ServiceUnavailable, e.Message);
            }
            return;
        }
        await Refusal.SendAsync(context, StatusCodes.Status400BadRequest, wrong);
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
