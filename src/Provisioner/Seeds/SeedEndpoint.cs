using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Provisioner.Boot;
using Provisioner.Boot.Http;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Networks;
using Provisioner.Progress;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Seeds;

/// <summary>
/// One Installation's own corner of the boot plane, <c>/seed/CAPABILITY/</c>: its answer files by GET, its installer's reports by POST. Only for
/// who knows the capability, only from the address the host was seen with, only inside the window; a host without a disk gets its own at each boot,
/// without the token.
/// </summary>
internal sealed class SeedEndpoint(
    CurrentState state, StateWriter writer, SeedKey keys, SeedFiles files, AddressBook addresses, StageRecorder recorder, InstallerLog log, BootJournal journal, TimeProvider time)
{
    public const string Prefix = "/seed/";

    private const int MaximumReport = 16 * 1024;

    /// <summary>After the window's end, or once it is installed, an installer that is just finishing is still heard.</summary>
    private static readonly TimeSpan LastWords = TimeSpan.FromHours(1);

    public async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value![Prefix.Length..];
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        var name = slash < 0 ? "" : path[(slash + 1)..];
        var client = BootConnection.ClientOf(context.Connection, state.Snapshot);
        if (slash < 0 || keys.Find(path.AsSpan(0, slash), state.Snapshot) is not { } installation)
        {
            await RefuseAsync(context, null, name, StatusCodes.Status404NotFound, "there is no such seed: its Installation was replaced, or never was");
            return;
        }
        if (state.Snapshot.Hosts.GetValueOrDefault(installation.Host) is not { } host)
        {
            await RefuseAsync(context, null, name, StatusCodes.Status404NotFound, $"host {installation.Host} is not registered any more");
            return;
        }
        if (addresses.Find(client.Address) is not { } mac || !host.Spec.MacAddresses.Contains(mac))
        {
            await RefuseAsync(context, host, name, StatusCodes.Status403Forbidden, $"it is asked for from {client.Address}, where {host.Name} was not seen");
            return;
        }
        recorder.Heard(host.Name);
        if (HttpMethods.IsPost(context.Request.Method))
            await TakeAsync(context, host, installation, name);
        else if (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method))
            await GiveAsync(context, host, installation, name, client.Endpoint);
        else
            await RefuseAsync(context, host, name, StatusCodes.Status405MethodNotAllowed, "GET, HEAD and POST are for seeds");
    }

    private async Task GiveAsync(HttpContext context, Host host, Installation installation, string name, BootEndpoint endpoint)
    {
        var now = time.GetUtcNow();
        if (!installation.BuildsAt(now) && !installation.RunsAt(now))
        {
            await RefuseAsync(context, host, name, StatusCodes.Status410Gone, installation.ClosedBecause is { } because
                ? $"the Installation was closed at {installation.ClosedAt:u}: {because}"
                : installation.EnrolOnly ? "the Installation only lets the host enrol"
                : $"the Installation's window ended at {installation.ClosesAt:u}");
            return;
        }
        SeedFile? file;
        try
        {
            file = files.Find(host, installation, name, endpoint, now);
        }
        catch (Exception e) when (e is Templates.TemplateException or Installing.SeedRefusedException)
        {
            await RefuseAsync(context, host, name, StatusCodes.Status500InternalServerError, e.Message);
            return;
        }
        if (file is null)
        {
            await RefuseAsync(context, host, name, StatusCodes.Status404NotFound, $"the seed has no file {Texts.OneLine(name, 60)}");
            return;
        }
        if (file.CarriesToken && !await IsTokenKnownAsync(context, host, installation))
            return;
        var body = Encoding.UTF8.GetBytes(file.Text);
        context.Response.ContentType = file.ContentType;
        context.Response.ContentLength = body.Length;
        context.Response.Headers.CacheControl = "no-store";
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
            files.Served(host, installation, name, endpoint, now);
        }
        Record(EventOutcome.Answered, host, $"{context.Request.Method} {Prefix}…/{name} → 200, {body.Length} bytes", file.Reason);
    }

    /// <summary>The token leaves only when its hash is stored: what a host holds must be good.</summary>
    private async Task<bool> IsTokenKnownAsync(HttpContext context, Host host, Installation installation)
    {
        var hash = Certificates.EnrolmentToken.Hash(keys.TokenOf(installation));
        if (installation.TokenHashes.Contains(hash))
            return true;
        try
        {
            await writer.ChangeAsync(editor =>
            {
                if (editor.Snapshot.FindInstallation(installation.Id) is { } stored && !stored.TokenHashes.Contains(hash))
                    editor.Put(stored with { TokenHashes = stored.TokenHashes.Add(hash) });
                return 0;
            }, context.RequestAborted);
            return true;
        }
        catch (StoreException e)
        {
            context.Response.Headers.RetryAfter = "30";
            await RefuseAsync(context, host, "", StatusCodes.Status503ServiceUnavailable, e.Message);
            return false;
        }
    }

    private async Task TakeAsync(HttpContext context, Host host, Installation installation, string name)
    {
        var now = time.GetUtcNow();
        if (installation.ClosedBecause is Installation.Cancelled || !installation.RunsAt(now) && now > (installation.ClosedAt ?? installation.ClosesAt) + LastWords)
        {
            await RefuseAsync(context, host, name, StatusCodes.Status410Gone, $"the Installation is over ({installation.ClosedBecause ?? "its window ended"})");
            return;
        }
        var limit = name == "report/log" ? InstallerLog.MaximumBytes : MaximumReport;
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = limit + 1;
        var buffer = new byte[limit + 1];
        var length = await context.Request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, context.RequestAborted);
        if (length > limit)
        {
            await RefuseAsync(context, host, name, StatusCodes.Status413PayloadTooLarge, $"a report has at most {limit} bytes");
            return;
        }
        var body = Encoding.UTF8.GetString(buffer, 0, length);
        switch (name)
        {
            case "report/log":
                log.Add(host.Name, body);
                log.Keep(host.Name);
                context.Response.StatusCode = StatusCodes.Status204NoContent;
                return;
            case "report" or "report/webhook":
                string? line = null;
                var report = name == "report" ? Form(body, out var wrong) : SubiquityReport.Read(body, out line, out wrong);
                if (wrong is not null)
                {
                    await RefuseAsync(context, host, name, StatusCodes.Status400BadRequest, wrong);
                    return;
                }
                if ((line ?? LineOf(report)) is { } said)
                    log.Add(host.Name, said);
                if (report is not null)
                    await StoreAsync(context, installation, report);
                if (!context.Response.HasStarted && context.Response.StatusCode == StatusCodes.Status200OK)
                    context.Response.StatusCode = StatusCodes.Status204NoContent;
                return;
            default:
                await RefuseAsync(context, host, name, StatusCodes.Status404NotFound, "reports go to report, report/log and report/webhook");
                return;
        }
    }

    private static string? LineOf(StageReport? report) =>
        report is null ? null : $"[{report.Stage}] {report.State.ToString().ToLowerInvariant()}{(report.Message is null ? "" : $": {report.Message}")}";

    private async Task StoreAsync(HttpContext context, Installation installation, StageReport report)
    {
        try
        {
            await recorder.ReportAsync(installation.Id, report, context.RequestAborted);
        }
        catch (StoreException e)
        {
            context.Response.Headers.RetryAfter = "30";
            await RefuseAsync(context, null, "report", StatusCodes.Status503ServiceUnavailable, e.Message);
        }
    }

    // stage=packages&state=started&message=…, which curl --data-urlencode writes.
    private static StageReport? Form(string body, out string? wrong)
    {
        var form = QueryHelpers.ParseQuery(body);
        var (stage, word) = (form.TryGetValue("stage", out var s) ? s.ToString() : "", form.TryGetValue("state", out var w) ? w.ToString() : "");
        wrong = !Stages.IsName(stage) ? $"stage: '{Texts.OneLine(stage, 40)}' is not a stage's name; lower-case letters, digits and dashes are, at most 32"
            : word is not ("started" or "done" or "failed") ? $"state: '{Texts.OneLine(word, 40)}' is none; started, done and failed are"
            : null;
        if (wrong is not null)
            return null;
        var message = form.TryGetValue("message", out var m) && m.ToString().Trim() is { Length: > 0 } said ? Texts.OneLine(said, 500) : null;
        return new StageReport(stage, word switch { "started" => StageState.Running, "done" => StageState.Done, _ => StageState.Failed }, message);
    }

    private async Task RefuseAsync(HttpContext context, Host? host, string name, int status, string reason)
    {
        // The capability itself is in no event and in no answer.
        Record(EventOutcome.Refused, host, $"{context.Request.Method} {Prefix}…/{Texts.OneLine(name, 60)} → {status}", reason);
        await Refusal.SendAsync(context, status, reason);
    }

    private void Record(EventOutcome outcome, Host? host, string what, string reason) => journal.Record(new Event
    {
        At = time.GetUtcNow(),
        Source = EventSource.Http,
        Outcome = outcome,
        Host = host?.Name,
        What = what,
        Reason = reason,
    });
}
