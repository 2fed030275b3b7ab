namespace Provisioner.Hosts;

/// <summary>What a host last said of its own certificate, or what was last answered when it asked for a new one.</summary>
public sealed record HostReport
{
    public required string Host { get; init; }

    public required DateTimeOffset At { get; init; }

    public required bool Succeeded { get; init; }

    /// <summary>One line, cleaned: a host's text is anybody's text.</summary>
    public required string Message { get; init; }

    /// <summary>How often it tried in a row.</summary>
    public int Attempt { get; init; }

    /// <summary>It says what was said a moment before: a host that reports in a loop fills no disk.</summary>
    internal bool Repeats(HostReport? before) =>
        before is not null && before.Succeeded == Succeeded && before.Message == Message && At - before.At < TimeSpan.FromMinutes(1);
}
