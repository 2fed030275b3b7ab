using System.Collections.Immutable;
using Provisioner.Progress;

namespace Provisioner.Hosts;

/// <summary>One intent to build one host. While its window is open the host boots its installer, otherwise its own disk.</summary>
public sealed record Installation
{
    /// <summary>Why it is closed when its operating system is in place.</summary>
    public const string Installed = "installed";

    /// <summary>Why it is closed when a person closed it.</summary>
    public const string Cancelled = "cancelled";

    /// <summary>Why it is closed when its token was used.</summary>
    public const string Enrolled = "the host enrolled";

    /// <summary>128 random bits in hexadecimal; not a secret.</summary>
    public required string Id { get; init; }

    public required string Host { get; init; }

    /// <summary>The profile and image as they were when it was opened.</summary>
    public required string Profile { get; init; }

    public required string Image { get; init; }

    public required DateTimeOffset OpenedAt { get; init; }

    /// <summary>The end of its window.</summary>
    public required DateTimeOffset ClosesAt { get; init; }

    /// <summary>Set when it was over before its window ended: installed, enrolled, cancelled, replaced; with the reason.</summary>
    public DateTimeOffset? ClosedAt { get; init; }

    public string? ClosedBecause { get; init; }

    /// <summary>
    /// SHA-256 of each one-time token that was given out for it, in hexadecimal, newest last. A seed that is fetched twice carries another
    /// token each time; the first that is used spends them all.
    /// </summary>
    public ImmutableArray<string> TokenHashes { get; init; } = [];

    /// <summary>It only lets the host enrol again; the host goes on booting its own disk.</summary>
    public bool EnrolOnly { get; init; }

    /// <summary>Its profile was diskless when it was opened: the image is the host's system, and booted each time.</summary>
    public bool Diskless { get; init; }

    /// <summary>What the installer reported, in order. Of a host without a disk: what its latest boot did.</summary>
    public ImmutableArray<InstallationStage> Stages { get; init; } = [];

    /// <summary>When the host was last heard of in it: a report, a file of the seed, a line of syslog.</summary>
    public DateTimeOffset? HeardAt { get; init; }

    /// <summary>When the operating system was in place; the host boots its disk from then on. Without a disk: when it was last up.</summary>
    public DateTimeOffset? InstalledAt { get; init; }

    /// <summary>Who opened it.</summary>
    public string? Actor { get; init; }

    public bool IsOpenAt(DateTimeOffset now) => ClosedAt is null && now >= OpenedAt && now < ClosesAt;

    /// <summary>
    /// Its token may be used. Until the end of the window also once it is installed: the installed system asks for its certificate at its first
    /// boot, and by then it boots its disk. The certificate closes it for good.
    /// </summary>
    public bool MayEnrolAt(DateTimeOffset now) => (ClosedAt is null || ClosedBecause == Installed) && now >= OpenedAt && now < ClosesAt;

    /// <summary>
    /// The host has no disk, and boots the image as its system, for as long as nobody cancels it. Nothing is given to it by that: the token is
    /// good as <see cref="MayEnrolAt"/> says, and never again.
    /// </summary>
    public bool RunsAt(DateTimeOffset now) => Diskless && !BuildsAt(now) && now >= OpenedAt && ClosedBecause is (null or Installed or Enrolled);

    /// <summary>The host boots its installer now.</summary>
    public bool BuildsAt(DateTimeOffset now) => IsOpenAt(now) && !EnrolOnly;
}
