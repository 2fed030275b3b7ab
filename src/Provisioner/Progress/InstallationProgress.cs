using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Storage;

namespace Provisioner.Progress;

/// <summary>What an installer says of a stage.</summary>
/// <param name="Stage">Its name.</param>
/// <param name="Message">One line, cleaned already; null when it said nothing more.</param>
public sealed record StageReport(string Stage, StageState State, string? Message);

/// <summary>How an Installation goes on, for <see cref="StateWriter.ChangeAsync{T}"/>. Pure but for the editor.</summary>
internal static class InstallationProgress
{
    /// <summary>Whoever has the seed's address could report stages without end; an installation has a dozen.</summary>
    public const int MaximumStages = 64;

    public static string StalledAlert(string host) => $"stalled:{host}";

    public static string FailedAlert(string host) => $"failed:{host}";

    /// <summary>Takes a report. One that ends the Installation closes it: the host boots its disk from now on.</summary>
    public static Installation Report(StateEditor editor, Installation installation, StageReport report)
    {
        var stages = installation.Stages;
        var last = stages.IsEmpty ? null : stages[^1];
        var began = last is null || last.Name != report.Stage || last.State != StageState.Running;
        if (began && last is not null && last.Name == report.Stage && last.State == report.State)
            return Heard(editor, installation);
        if (began && stages.Length >= MaximumStages)
            return Heard(editor, installation);
        // The next one begins: the one before is over, whether its end was told or not.
        if (began && last is { State: StageState.Running })
            stages = stages.SetItem(stages.Length - 1, last with { State = StageState.Done, EndedAt = editor.Now });
        if (began)
            stages = stages.Add(new InstallationStage(report.Stage, editor.Now));
        var current = stages[^1];
        current = current with { State = report.State, Message = report.Message ?? current.Message, EndedAt = report.State == StageState.Running ? null : editor.Now };
        stages = stages.SetItem(stages.Length - 1, current);
        installation = installation with { Stages = stages, HeardAt = editor.Now };
        if (report is { Stage: Stages.Installed, State: StageState.Done } && installation.IsOpenAt(editor.Now))
            installation = installation with { InstalledAt = editor.Now, ClosedAt = editor.Now, ClosedBecause = Installation.Installed };
        editor.Put(installation);
        editor.Lower(StalledAlert(installation.Host));
        if (report.State == StageState.Failed)
        {
            editor.Raise(new Alert
            {
                Id = FailedAlert(installation.Host),
                Severity = AlertSeverity.Critical,
                Host = installation.Host,
                Message = $"The installation of {installation.Host} failed in stage {report.Stage}{(report.Message is null ? "." : $": {report.Message}")}",
                Remedy = $"'provisioner log {installation.Host}' has its last lines.",
            });
        }
        else if (installation.InstalledAt is not null)
        {
            editor.Lower(FailedAlert(installation.Host));
        }
        Record(editor, installation, report, began);
        return installation;
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
        var took = report.State == StageState.Running || began ? "" : $" after {(editor.Now - current.StartedAt).TotalSeconds:0} s";
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Installer,
            Outcome = report.State == StageState.Failed ? EventOutcome.Failed : EventOutcome.Changed,
            Host = installation.Host,
            What = report.State switch
            {
                StageState.Running => began ? $"Stage {report.Stage} began" : $"Stage {report.Stage}",
                StageState.Done => $"Stage {report.Stage} done{took}",
                _ => $"Stage {report.Stage} failed{took}",
            },
            Reason = report.Message ?? (installation.ClosedBecause == Installation.Installed && report.Stage == Stages.Installed ? "the host boots its disk from now on" : "reported by the installer"),
        });
    }
}
