using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using Provisioner.Boot;
using Provisioner.Boot.Http;
using Provisioner.Certificates.Est;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Progress;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Joining;

/// <summary>
/// What a host asks and reports while it joins its cluster, with its certificate as its name: <c>/api/v1/self/{join,nodeconfig,stage,preflight,log}</c>
/// on the secure plane. docs/joining.md has each of them.
/// </summary>
internal sealed class JoinEndpoints(
    CurrentState state, StateWriter writer, JoinAnswers answers, HostActivations activations, InstallerLog log, BootHttpService boot, BootJournal journal, TimeProvider time)
{
    private const int MaximumStage = 16 * 1024;

    private const int MaximumMessage = 500;

    /// <summary>Between two events that say the same of a host that asks in a loop, or waits.</summary>
    private static readonly TimeSpan EventPause = TimeSpan.FromHours(1);

    private static readonly string AskAgain = "60";

    private readonly ConcurrentDictionary<(string Host, string Question), (string What, DateTimeOffset At)> told = new();
    private readonly ReportPace pace = new();

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/api/v1/self/join", (HttpContext context, JoinEndpoints self) => self.JoinAsync(context));
        app.MapGet("/api/v1/self/nodeconfig", (HttpContext context, JoinEndpoints self) => self.NodeConfigAsync(context));
        app.MapPost("/api/v1/self/stage", (HttpContext context, JoinEndpoints self) => self.StageAsync(context));
        app.MapPost("/api/v1/self/preflight", (HttpContext context, JoinEndpoints self) => self.PreflightAsync(context));
        app.MapPost("/api/v1/self/log", (HttpContext context, JoinEndpoints self) => self.LogAsync(context));
    }

    private async Task JoinAsync(HttpContext context)
    {
        if (await HostAsync(context) is not { } host)
            return;
        var plan = JoinPlan.Of(host, state.Snapshot, AddressOf(context));
        if (plan.Readiness == JoinReadiness.Wait)
            context.Response.Headers.RetryAfter = AskAgain;
        if (plan.Readiness != JoinReadiness.Ready)
            Tell(host.Name, "join", plan.Readiness == JoinReadiness.Wait ? "wait" : "refused", plan.Reason!);
        var text = await answers.WriteAsync(plan, EndpointFor(context), state.Snapshot.DesiredVersions.GetValueOrDefault(plan.Host.Name)?.Version, context.RequestAborted);
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(text, context.RequestAborted);
    }

    private async Task NodeConfigAsync(HttpContext context)
    {
        if (await HostAsync(context) is not { } host)
            return;
        var plan = JoinPlan.Of(host, state.Snapshot, AddressOf(context));
        string yaml;
        Activation? activation = null;
        try
        {
            if (plan.Readiness == JoinReadiness.Ready && plan.Provider == CredentialProvider.Ssm)
                activation = await activations.GiveAsync(host, plan.Cluster!, context.RequestAborted);
            yaml = plan.ToNodeConfig(activation).ToYaml();
        }
        catch (ClusterAccessException e)
        {
            await RefuseAsync(context, host.Name, StatusCodes.Status503ServiceUnavailable, e.Message);
            return;
        }
        catch (JoinRefusedException e)
        {
            await RefuseAsync(context, host.Name, e.Readiness == JoinReadiness.Wait ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status409Conflict, e.Message);
            return;
        }
        // What is to be known of it later is stored before it leaves.
        var isNews = IsNews(host.Name, "nodeconfig", $"{plan.Cluster!.Name} {plan.NodeIp} {activation?.Id}");
        if (!await SelfRequest.StoreAsync(context, () => writer.ChangeAsync(editor =>
            {
                if (editor.Snapshot.Hosts.ContainsKey(host.Name))
                    JoinChanges.Given(editor, plan, activation, isNews);
                return 0;
            }, context.RequestAborted)))
            return;
        context.Response.ContentType = "application/yaml";
        context.Response.Headers.CacheControl = "no-store";
        await context.Response.WriteAsync(yaml, context.RequestAborted);
    }

    private async Task StageAsync(HttpContext context)
    {
        if (await ReporterAsync(context) is not { } host || await SelfRequest.BodyAsync(context, MaximumStage) is not { } body)
            return;
        if (!TryRead(body, host.Name, out var report, out var wrong))
        {
            await Refusal.SendAsync(context, StatusCodes.Status400BadRequest, wrong);
            return;
        }
        log.Add(host.Name, $"[{report.Stage}] {(report.State == StageState.Running ? "started" : Api.Json.Word(report.State))}{(report.Message is null ? "" : $": {report.Message}")}");
        if (!await SelfRequest.StoreAsync(context, () => writer.ChangeAsync(editor =>
            {
                if (editor.Snapshot.Hosts.ContainsKey(host.Name))
                    JoinChanges.Report(editor, host.Name, report);
                return 0;
            }, context.RequestAborted)))
            return;
        if (report is { Stage: JoinStages.Init or JoinStages.Joined, State: StageState.Done })
            activations.Forget(host.Name);
        if (report.State == StageState.Failed || report.Stage == JoinStages.Joined)
            KeepLog(host.Name);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task PreflightAsync(HttpContext context)
    {
        if (await ReporterAsync(context) is not { } host || await SelfRequest.BodyAsync(context, PreflightReport.MaximumBytes) is not { } body)
            return;
        if (!PreflightReport.TryParse(activations.Redact(host.Name, Encoding.UTF8.GetString(body.Span)), out var findings, out var wrong))
        {
            await Refusal.SendAsync(context, StatusCodes.Status400BadRequest, wrong);
            return;
        }
        if (await SelfRequest.StoreAsync(context, () => writer.ChangeAsync(editor =>
            {
                if (editor.Snapshot.Hosts.ContainsKey(host.Name))
                    JoinChanges.Found(editor, new HostFindings { Host = host.Name, At = editor.Now, Findings = findings });
                return 0;
            }, context.RequestAborted)))
            context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task LogAsync(HttpContext context)
    {
        if (await ReporterAsync(context) is not { } host || await SelfRequest.BodyAsync(context, InstallerLog.MaximumBytes) is not { } body)
            return;
        log.Add(host.Name, Redaction.Of(activations.Redact(host.Name, Encoding.UTF8.GetString(body.Span))));
        KeepLog(host.Name);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task<Host?> HostAsync(HttpContext context) =>
        await SelfRequest.HostAsync(context, state.Snapshot, time.GetUtcNow(), evenOver: false) is { } certificate ? state.Snapshot.Hosts.GetValueOrDefault(certificate.Host) : null;

    /// <summary>The host that reports, unless it does so in a loop.</summary>
    private async Task<Host?> ReporterAsync(HttpContext context)
    {
        if (await HostAsync(context) is not { } host)
            return null;
        if (pace.MayReport(host.Name, time.GetUtcNow()))
            return host;
        context.Response.Headers.RetryAfter = AskAgain;
        await Refusal.SendAsync(context, StatusCodes.Status429TooManyRequests, $"{host.Name} reports more than {ReportPace.PerMinute} times a minute");
        return null;
    }

    private async Task RefuseAsync(HttpContext context, string host, int status, string reason)
    {
        Tell(host, "nodeconfig", $"{status}", reason);
        context.Response.Headers.RetryAfter = AskAgain;
        context.Response.Headers.CacheControl = "no-store";
        await Refusal.SendAsync(context, status, Texts.OneLine(reason, 1_000));
    }

    // Where the host was asked from, as far as it has an address of IPv4; a node of EKS Hybrid Nodes has.
    private static Ipv4Address? AddressOf(HttpContext context) =>
        Ipv4Address.From(context.Connection.RemoteIpAddress ?? IPAddress.None) is { IsAny: false } address ? address : null;

    private BootEndpoint EndpointFor(HttpContext context) =>
        BootConnection.ClientOf(context.Connection, state.Snapshot).Endpoint with { HttpPort = boot.Port };

    private void Tell(string host, string question, string answer, string reason)
    {
        if (!IsNews(host, question, $"{answer}: {reason}"))
            return;
        journal.Record(new Event
        {
            At = time.GetUtcNow(),
            Source = EventSource.Est,
            Outcome = EventOutcome.Refused,
            Host = host,
            What = $"GET {question} → {answer}",
            Reason = Texts.OneLine(reason, 1_000),
        });
    }

    private bool IsNews(string host, string question, string what)
    {
        var now = time.GetUtcNow();
        if (told.TryGetValue((host, question), out var last) && last.What == what && now - last.At < EventPause)
            return false;
        told[(host, question)] = (what, now);
        return true;
    }

    private void KeepLog(string host)
    {
        try
        {
            log.Keep(host);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is in memory still; a full disk is told of elsewhere.
        }
    }

    private bool TryRead(ReadOnlyMemory<byte> body, string host, out StageReport report, out string wrong)
    {
        (report, wrong) = (new StageReport("", StageState.Running, null), "");
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                wrong = "a stage is reported as a JSON object with stage, state and message";
                return false;
            }
            string Text(string key) => root.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
            var (stage, word, message) = (Text("stage"), Text("state"), Text("message").Trim());
            wrong = !JoinStages.IsName(stage) ? $"stage: '{Texts.OneLine(stage, 40)}' is none of {string.Join(", ", JoinStages.Names)}"
                : word is not ("started" or "done" or "failed") ? $"state: '{Texts.OneLine(word, 40)}' is none; started, done and failed are"
                : "";
            var said = message.Length == 0 ? null : Redaction.Of(activations.Redact(host, Texts.OneLine(message, MaximumMessage)));
            report = new StageReport(stage, word switch { "done" => StageState.Done, "failed" => StageState.Failed, _ => StageState.Running }, said);
            return wrong.Length == 0;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            wrong = "a stage is reported as a JSON object with stage, state and message";
            return false;
        }
    }
}

/// <summary>How often a host may report: what it reports is stored, and one that does so in a loop is not to fill the disk.</summary>
internal sealed class ReportPace
{
    /// <summary>Joining makes a dozen reports; a log in pieces and an attempt that follows at once, a few more.</summary>
    public const int PerMinute = 60;

    private readonly ConcurrentDictionary<string, (long Minute, int Reports)> reports = new(StringComparer.Ordinal);

    public bool MayReport(string host, DateTimeOffset now)
    {
        var minute = now.ToUnixTimeSeconds() / 60;
        return reports.AddOrUpdate(host, (minute, 1), (_, before) => before.Minute == minute ? (minute, before.Reports + 1) : (minute, 1)).Reports <= PerMinute;
    }
}
