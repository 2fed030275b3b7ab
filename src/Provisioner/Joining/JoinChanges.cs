using Provisioner.Events;
using Provisioner.Progress;
using Provisioner.Storage;

namespace Provisioner.Joining;

/// <summary>How joining goes on, for <see cref="StateWriter.ChangeAsync{T}"/>. Pure but for the editor.</summary>
internal static class JoinChanges
{
    private const int MaximumStages = 64;

    public static string FailedAlert(string host) => $"join-failed:{host}";

    public static string StalledAlert(string host) => $"join-stalled:{host}";

    public static string FindingsAlert(string host) => $"preflight:{host}";

    /// <summary>Takes what the host says of a step. With the first one an attempt begins anew.</summary>
    public static HostJoin Report(StateEditor editor, string host, StageReport report)
    {
        var before = editor.Snapshot.Joins.GetValueOrDefault(host);
        var join = before ?? new HostJoin { Host = host, StartedAt = editor.Now };
        var last = join.Stages.IsEmpty ? null : join.Stages[^1];
        var again = report is { Stage: JoinStages.Preflight, State: StageState.Running } && last is not null and not { Name: JoinStages.Preflight, State: StageState.Running };
        if (again || join.JoinedAt is not null && report.Stage != JoinStages.Joined)
            join = join with { StartedAt = editor.Now, Attempt = join.JoinedAt is null ? join.Attempt + 1 : 1, Stages = [], JoinedAt = null };

        editor.Lower(StalledAlert(host));
        if (Stages.After(join.Stages, report, editor.Now, MaximumStages, out var began) is not { } stages)
        {
            join = join with { HeardAt = editor.Now };
            editor.Put(join);
            return join;
        }
        join = join with { Stages = stages, HeardAt = editor.Now };
        if (report is { Stage: JoinStages.Joined, State: StageState.Done })
            join = join with { JoinedAt = editor.Now };
        editor.Put(join);
        if (report.State == StageState.Failed)
        {
            editor.Raise(new Alert
            {
                Id = FailedAlert(host),
                Severity = AlertSeverity.Critical,
                Host = host,
                Message = $"{host} does not join its cluster: stage {report.Stage} failed{(report.Message is null ? "." : $": {report.Message}")}",
                Remedy = report.Stage == JoinStages.Preflight
                    ? $"'provisioner get findings {host}' says what was found, what it breaks and what to ask for. The host tries again by itself."
                    : $"'provisioner log {host}' has its last lines. The host tries again by itself.",
            });
        }
        else if (join.JoinedAt is not null)
        {
            editor.Lower(FailedAlert(host));
        }
        // What goes on and on the alert and the last stage say; that it ended is news.
        if (stages.Length < MaximumStages || join.JoinedAt is not null)
        {
            Record(editor, host, report.State == StageState.Failed ? EventOutcome.Failed : EventOutcome.Changed,
                Stages.Describe(report, stages[^1], began, editor.Now), report.Message ?? "reported by the host");
        }
        return join;
    }

    /// <summary>A NodeConfig leaves for the host: what is to be known of it later. The activation's code is not.</summary>
    public static void Given(StateEditor editor, JoinPlan plan, Activation? activation, bool isNews)
    {
        var host = plan.Host.Name;
        var before = editor.Snapshot.Joins.GetValueOrDefault(host);
        var join = (before ?? new HostJoin { Host = host, StartedAt = editor.Now }) with { NodeIp = plan.NodeIp, KubernetesVersion = editor.Snapshot.DesiredVersionOf(host) };
        if (activation is not null)
            join = join with { ActivationId = activation.Id, ActivationEndsAt = activation.ExpiresAt };
        if (join != before)
            editor.Put(join);
        if (isNews)
        {
            Record(editor, host, EventOutcome.Answered, $"GET nodeconfig → 200, node address {plan.NodeIp}",
                $"for Cluster {plan.Cluster!.Name} by Profile {plan.Profile!.Name}{(activation is null ? ", by IAM Roles Anywhere" : $", by the activation {activation.Id}, which ends at {activation.ExpiresAt:u}")}");
        }
    }

    /// <summary>Keeps what the host found; what the appliance found itself stays.</summary>
    public static void Found(StateEditor editor, HostFindings findings)
    {
        var before = editor.Snapshot.Findings.GetValueOrDefault(findings.Host);
        Judge(editor, before, findings with { Findings = [.. findings.Findings, .. before?.Findings.Where(f => f.ProbedAt is not null) ?? []] });
    }

    /// <summary>Keeps what the appliance found, in the place of what it found before under that code.</summary>
    public static void Probed(StateEditor editor, string host, Finding finding)
    {
        var before = editor.Snapshot.Findings.GetValueOrDefault(host);
        var findings = before ?? new HostFindings { Host = host, At = editor.Now };
        Judge(editor, before, findings with { Findings = [.. findings.Findings.Where(f => f.ProbedAt is null || f.Code != finding.Code), finding with { ProbedAt = editor.Now }] });
    }

    private static void Judge(StateEditor editor, HostFindings? before, HostFindings findings)
    {
        editor.Put(findings);
        var (host, failed) = (findings.Host, findings.Findings.Where(f => f.Verdict == Verdict.Fail).ToList());
        if (failed.Count > 0)
        {
            var first = failed[0];
            editor.Raise(new Alert
            {
                Id = FindingsAlert(host),
                Severity = AlertSeverity.Critical,
                Host = host,
                Message = $"{host}: {first.Code}: {first.Found}{(first.Breaks.Length > 0 ? $" {first.Breaks}" : "")}{(failed.Count > 1 ? $" And {failed.Count - 1} more." : "")}",
                Remedy = $"{(first.Ask.Length > 0 ? $"{first.Ask} " : "")}All of it: 'provisioner get findings {host}'.",
            });
        }
        else
        {
            editor.Lower(FindingsAlert(host));
        }
        if (before is not null && before.Findings.Select(f => (f.Code, f.Verdict)).SequenceEqual(findings.Findings.Select(f => (f.Code, f.Verdict))))
            return;
        var others = findings.Findings.Count(f => f.Verdict == Verdict.Warn);
        Record(editor, host, failed.Count > 0 ? EventOutcome.Failed : EventOutcome.Changed,
            failed.Count > 0 ? $"Preflight failed: {string.Join(", ", failed.Select(f => f.Code).Distinct().Take(8))}" : others > 0 ? $"Preflight passed, {others} to look at" : "Preflight passed",
            failed.Count > 0 ? $"{failed[0].Found}{(failed[0].Breaks.Length > 0 ? $" {failed[0].Breaks}" : "")}" : $"{findings.Findings.Length} findings");
    }

    private static void Record(StateEditor editor, string host, EventOutcome outcome, string what, string reason) => editor.Record(new Event
    {
        At = editor.Now,
        Source = EventSource.Est,
        Outcome = outcome,
        Host = host,
        What = what,
        Reason = reason,
    });
}
