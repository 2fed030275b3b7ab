using System.Collections.Immutable;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Storage;

namespace Provisioner.Progress;

/// <summary>What an installer says of a stage.</summary>
/// <param name="Stage">Its name.</param>
/// <param name="Message">One line, cleaned already; null when it said nothing more.</param>
/// <param name="Inner">It is said of something inside the stage, which is no stage of its own.</param>
public sealed record StageReport(string Stage, StageState State, string? Message, bool Inner = false);

/// <summary>How an Installation goes on, for <see cref="StateWriter.ChangeAsync{T}"/>. Pure but for the editor.</summary>
internal static class InstallationProgress
{
    /// <summary>Whoever has the seed's address could report stages without end; an installation has a dozen. More take the last place, one after the other.</summary>
    public const int MaximumStages = 64;

    public static string StalledAlert(string host) => $"stalled:{host}";

    public static string FailedAlert(string host) => $"failed:{host}";

    /// <summary>Takes a report. One that ends the Installation closes it: the host boots its disk from now on.</summary>
    public static Installation Report(StateEditor editor, Installation installation, StageReport report)
    {
        if (report.Inner)
            return ReportInner(editor, installation, report);
        // Without a disk nothing of the boot before is left, its key neither: this one has a timeline of its own.
        var boots = report is { Stage: Stages.Start, State: StageState.Running } && installation.RunsAt(editor.Now);
        var stages = boots ? [] : installation.Stages;
        var last = stages.IsEmpty ? null : stages[^1];
        if (IsKnown(stages, last, report))
            return Heard(editor, installation);
        if (report.State == StageState.Done && LateEnd(stages, report.Stage) is { } ended)
            return Heard(editor, installation with { Stages = stages.SetItem(ended, stages[ended] with { EndedAt = editor.Now, EndPresumed = false, Message = report.Message ?? stages[ended].Message }) });

        var began = last is not { State: StageState.Running } || last.Name != report.Stage;
        var isEnd = report is { Stage: Stages.Installed, State: StageState.Done };
        var isMany = began && stages.Length >= MaximumStages;
        if (began && last is { State: StageState.Running })
            stages = stages.SetItem(stages.Length - 1, last with { State = StageState.Done, EndedAt = editor.Now, EndPresumed = true });
        // None is ignored, or the end would be lost as well: the last place is for the newest.
        if (isMany)
            stages = stages.RemoveAt(stages.Length - 1);
        if (began)
            stages = stages.Add(new InstallationStage(report.Stage, editor.Now));
        stages = stages.SetItem(stages.Length - 1, Took(stages[^1], report, editor.Now));
        installation = installation with { Stages = stages, HeardAt = editor.Now };
        if (isEnd)
        {
            installation = installation with
            {
                InstalledAt = installation.Diskless ? editor.Now : installation.InstalledAt ?? editor.Now,
                // It is so after the end of the window, too: nothing is opened by that.
                ClosedAt = installation.ClosedAt ?? editor.Now,
                ClosedBecause = installation.ClosedBecause ?? Installation.Installed,
            };
        }
        editor.Put(installation);
        editor.Lower(StalledAlert(installation.Host));
        if (report.State == StageState.Failed)
        {
            var message = stages[^1].Message;
            editor.Raise(new Alert
            {
                Id = FailedAlert(installation.Host),
                Severity = AlertSeverity.Critical,
                Host = installation.Host,
                Message = $"The installation of {installation.Host} failed in stage {report.Stage}{(message is null ? "." : $": {message}")}",
                Remedy = $"'provisioner log {installation.Host}' has its last lines.",
            });
        }
        else
        {
            // It goes on.
            editor.Lower(FailedAlert(installation.Host));
        }
        if (!isMany || isEnd || report.State == StageState.Failed)
            Record(editor, installation, report, began);
        return installation;
    }

    /// <summary>It was said before, as by a client whose answer was lost; or it is a failure that follows from one that is known.</summary>
    private static bool IsKnown(ImmutableArray<InstallationStage> stages, InstallationStage? last, StageReport report) => report.State switch
    {
        StageState.Running => last is { State: StageState.Running } && last.Name == report.Stage && (report.Message is null || report.Message == last.Message),
        StageState.Done => last is { State: StageState.Done, EndPresumed: false } && last.Name == report.Stage,
        // The script that failed says why. That the installer gave up over it, it says afterwards.
        _ => last is { State: StageState.Failed },
    };

    /// <summary>Where the stage is whose end is told only now that others began; null when there is none.</summary>
    private static int? LateEnd(ImmutableArray<InstallationStage> stages, string name)
    {
        for (var i = stages.Length - 1; i >= 0; i--)
        {
            if (stages[i].Name == name)
                return stages[i] is { State: StageState.Done, EndPresumed: true } ? i : null;
        }
        return null;
    }

    private static InstallationStage Took(InstallationStage stage, StageReport report, DateTimeOffset now) => stage with
    {
        State = report.State,
        EndedAt = report.State == StageState.Running ? null : now,
        Message = report.State != StageState.Failed || stage.Fault is null ? report.Message ?? stage.Message
            : report.Message is null || report.Message == stage.Fault ? stage.Fault
            : $"{stage.Fault}: {report.Message}",
    };

    // What begins inside a stage is its message. What fails inside it may be tried again, or not matter: it is kept for the case that the stage fails.
    private static Installation ReportInner(StateEditor editor, Installation installation, StageReport report)
    {
        var stages = installation.Stages;
        if (stages.IsEmpty || stages[^1] is not { State: StageState.Running } current || current.Name != report.Stage || report.State == StageState.Done)
            return Heard(editor, installation);
        current = report.State == StageState.Failed
            ? current with { Fault = current.Fault ?? report.Message }
            : current with { Message = report.Message ?? current.Message, Fault = null };
        return Heard(editor, installation with { Stages = stages.SetItem(stages.Length - 1, current) });
    }

    /// <summary>It was heard of, and nothing else changed.</summary>
    public static Installation Heard(StateEditor editor, Installation installation)
    {
        installation = installation with { HeardAt = editor.Now };
        editor.Put(installation);
        editor.Lower(StalledAlert(installation.Host));
        return installation;
    }

    private static void Record(StateEditor editor, Installation installation, StageReport report, bool began)
    {
        var current = installation.Stages[^1];
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Installer,
            Outcome = report.State == StageState.Failed ? EventOutcome.Failed : EventOutcome.Changed,
            Host = installation.Host,
            What = Stages.Describe(report, current, began, editor.Now),
            Reason = (report.State == StageState.Failed ? current.Message : report.Message) ?? (installation.ClosedBecause == Installation.Installed && report.Stage == Stages.Installed ? installation.Diskless ? "the host is up" : "the host boots its disk from now on" : "reported by the installer"),
        });
    }
}
