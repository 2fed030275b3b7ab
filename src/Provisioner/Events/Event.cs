using Provisioner.Protocols;

namespace Provisioner.Events;

/// <summary>Where an event comes from.</summary>
public enum EventSource
{
    Service,
    Api,
    Dhcp,
    ProxyDhcp,
    Tftp,
    Http,

    /// <summary>The secure plane: certificates, and what hosts report.</summary>
    Est,

    /// <summary>What an installer said of itself, by a report or by syslog.</summary>
    Installer,

    /// <summary>What a cluster shows of its nodes.</summary>
    Cluster,

    /// <summary>People and programs at the secure plane: who signed in, and who was refused.</summary>
    Access,
}

public enum EventOutcome
{
    /// <summary>A question was answered, a transfer began or ended well.</summary>
    Answered,

    /// <summary>Nothing was sent, on purpose.</summary>
    Silent,

    /// <summary>A refusal was sent.</summary>
    Refused,

    /// <summary>It began and broke.</summary>
    Failed,

    /// <summary>A resource or record was changed.</summary>
    Changed,
}

/// <summary>Append-only: who or what, when, what was answered and why. Never holds a secret.</summary>
public sealed record Event
{
    /// <summary>Given by the store; grows with time.</summary>
    public long Id { get; init; }

    public required DateTimeOffset At { get; init; }

    public required EventSource Source { get; init; }

    public required EventOutcome Outcome { get; init; }

    public string? Host { get; init; }

    public MacAddress? MacAddress { get; init; }

    /// <summary>What was asked and answered, in one line, such as <c>DISCOVER from UEFI x64 → OFFER 10.77.0.21, file snponly.efi</c>.</summary>
    public required string What { get; init; }

    /// <summary>Why.</summary>
    public required string Reason { get; init; }

    /// <summary>The person or program behind a change; null for what the appliance does itself.</summary>
    public string? Actor { get; init; }

    /// <summary>The kind and name of the resource changed, such as <c>Profile/worker</c>.</summary>
    public string? Subject { get; init; }
}
