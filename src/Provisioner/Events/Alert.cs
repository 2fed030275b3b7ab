namespace Provisioner.Events;

public enum AlertSeverity
{
    Warning,
    Critical,
}

/// <summary>Something a person has to see: it stays until its cause is gone or somebody dismisses it. Never holds a secret.</summary>
public sealed record Alert
{
    /// <summary>What and whom it concerns, such as <c>expiry:web-1</c>; raised again, it is the same alert.</summary>
    public required string Id { get; init; }

    public required AlertSeverity Severity { get; init; }

    public string? Host { get; init; }

    /// <summary>What is wrong, as a sentence.</summary>
    public required string Message { get; init; }

    /// <summary>What to do about it.</summary>
    public required string Remedy { get; init; }

    /// <summary>The number of days left that raised it, for alerts of what ends.</summary>
    public int? Threshold { get; init; }

    public DateTimeOffset FirstAt { get; init; }

    public DateTimeOffset LastAt { get; init; }

    public long Times { get; init; } = 1;

    /// <summary>A person has seen it. It is shown again when it happens again, or gets worse.</summary>
    public DateTimeOffset? DismissedAt { get; init; }
}
