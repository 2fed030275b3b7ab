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
        if (Stages.After(installation.Stages, report, editor.Now, MaximumStages, out var began) is not { } stages)
            return Heard(editor, installation);
        installation = installation with { Stages = stages, HeardAt = editor.Now };
        if (report is { Stage: Stages.Installed, State: StageState.Done } && installation.IsOpenAt(editor.Now))
            installation = installation with { InstalledAt = editor.Now, ClosedAt = editor.Now, ClosedBecause = "installed" };
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
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Installer,
            Outcome = report.State == StageState.Failed ? EventOutcome.Failed : EventOutcome.Changed,
            Host = installation.Host,
            What = Stages.Describe(report, installation.Stages[^1], began, editor.Now),
            Reason = report.Message ?? (installation.ClosedBecause == "installed" && report.Stage == Stages.Installed ? "the host boots its disk from now on" : "reported by the installer"),
        });
    }
}
