using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace Provisioner.Progress;

public enum StageState
{
    Running,
    Done,
    Failed,
}

/// <summary>One step of an Installation, as the installer reported it.</summary>
/// <param name="Name">A word such as <c>partitioning</c>.</param>
public sealed record InstallationStage(string Name, DateTimeOffset StartedAt)
{
    public StageState State { get; init; } = StageState.Running;

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Its end was not told: the next one began. When it is told after all, it counts.</summary>
    public bool EndPresumed { get; init; }

    /// <summary>What the installer said last of it, one line.</summary>
    public string? Message { get; init; }

    /// <summary>What failed first inside it since something last began there: the cause, when the stage itself fails in the end.</summary>
    public string? Fault { get; init; }
}

/// <summary>How long a stage may be silent, and what it usually means when it is.</summary>
public static partial class Stages
{
    /// <summary>From the first answered boot question to the first word of the installer.</summary>
    public const string Boot = "boot";

    /// <summary>The first of a host that runs from memory, at each boot.</summary>
    public const string Start = "start";

    /// <summary>The last one: the operating system is on the disk (or, without a disk, up).</summary>
    public const string Installed = "installed";

    public const int LongestName = 32;

    private static readonly TimeSpan Usual = TimeSpan.FromMinutes(30);

    private static readonly (string Name, TimeSpan Limit, string Cause)[] Known =
    [
        (Boot, TimeSpan.FromMinutes(15), "the kernel did not start, its installer cannot reach the appliance (route, firewall, VLAN of the installed bond), or its console waits for an answer"),
        ("installer", TimeSpan.FromMinutes(15), "no disk fits the profile, or one is in use by a RAID or LVM of before"),
        ("before", TimeSpan.FromMinutes(30), "the profile's steps before the installation wait for something"),
        // From the choice of disks to the end of the packages nothing else is reported.
        ("disks", TimeSpan.FromMinutes(60), "a repository cannot be reached or is slow: see spec.install.repositories, proxy, and the appliance's cache"),
        // Ubuntu's own, by its webhook.
        ("configure-apt", TimeSpan.FromMinutes(15), "no package repository can be reached: see spec.install.repositories, proxy, and the appliance's cache"),
        ("curthooks", TimeSpan.FromMinutes(45), "packages of the kernel or boot loader cannot be fetched, or the firmware does not take a boot entry"),
        ("postinstall", TimeSpan.FromMinutes(60), "a package repository cannot be reached or is slow; security updates are part of it"),
        ("configure", TimeSpan.FromMinutes(30), "writing into the installed system waits for something, such as the network"),
        ("steps", TimeSpan.FromMinutes(30), "the profile's steps after the installation wait for something"),
        ("seal", TimeSpan.FromMinutes(15), "the TPM does not answer"),
        (Start, TimeSpan.FromMinutes(15), "a command of the seed waits for something, such as a package repository"),
    ];

    /// <summary>A stage's name: what may stand in an event and an address.</summary>
    public static bool IsName(string name) => StageName().IsMatch(name);

    /// <summary>The stages after a report: the one it is of goes on, ends or begins, and the one before it is over, whether its end was told or not.</summary>
    /// <param name="maximum">Whoever may report could do it without end; past so many, the last place is for the newest.</param>
    /// <param name="began">The report begins a stage.</param>
    /// <returns>Null when it says nothing new.</returns>
    internal static ImmutableArray<InstallationStage>? After(ImmutableArray<InstallationStage> stages, StageReport report, DateTimeOffset now, int maximum, out bool began)
    {
        var last = stages.IsEmpty ? null : stages[^1];
        began = last is null || last.Name != report.Stage || last.State != StageState.Running;
        if (began && last is not null && last.Name == report.Stage && last.State == report.State)
            return null;
        if (began && last is { State: StageState.Running })
            stages = stages.SetItem(stages.Length - 1, last with { State = StageState.Done, EndedAt = now });
        // A host that tries through a night comes here, and how it ends is still to be known.
        if (began && stages.Length >= maximum)
            stages = stages.RemoveAt(stages.Length - 1);
        if (began)
            stages = stages.Add(new InstallationStage(report.Stage, now));
        var current = stages[^1];
        return stages.SetItem(stages.Length - 1, current with
        {
            State = report.State, Message = report.Message ?? current.Message, EndedAt = report.State == StageState.Running ? null : now,
        });
    }

    /// <summary>What an event says of a report.</summary>
    internal static string Describe(StageReport report, InstallationStage current, bool began, DateTimeOffset now)
    {
        var took = report.State == StageState.Running || began ? "" : $" after {(now - current.StartedAt).TotalSeconds:0} s";
        return report.State switch
        {
            StageState.Running => began ? $"Stage {report.Stage} began" : $"Stage {report.Stage}",
            StageState.Done => $"Stage {report.Stage} done{took}",
            _ => $"Stage {report.Stage} failed{took}",
        };
    }

    /// <summary>How long nothing may be heard in that stage.</summary>
    public static TimeSpan LimitOf(string name) => Array.Find(Known, k => k.Name == name) is { Name: not null } known ? known.Limit : Usual;

    /// <summary>What it usually means when nothing is heard for so long.</summary>
    public static string CauseOf(string name) => Array.Find(Known, k => k.Name == name) is { Name: not null } known ? known.Cause : "the installer hangs, was switched off, or cannot reach the appliance any more";

    [GeneratedRegex(@"\A[a-z][a-z0-9-]{0,31}\z", RegexOptions.NonBacktracking)]
    private static partial Regex StageName();
}
