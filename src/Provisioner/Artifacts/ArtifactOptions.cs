using System.Collections.Immutable;

namespace Provisioner.Artifacts;

/// <summary>What an upstream is, as far as it decides what is checked and what is kept how long.</summary>
public enum UpstreamKind
{
    /// <summary>Files by name: each is asked for again after a time.</summary>
    Files,

    /// <summary>nodeadm and what its manifest lists, each with a checksum file.</summary>
    Nodeadm,

    /// <summary>A Debian or Ubuntu archive.</summary>
    Apt,

    /// <summary>A repository of RPM packages.</summary>
    Dnf,
}

/// <summary>A place that artifacts may be fetched from: <c>/artifacts/NAME/REST</c> is its <paramref name="Url"/> and REST.</summary>
/// <param name="Url">Ends with a slash.</param>
public sealed record Upstream(string Name, Uri Url)
{
    public static TimeSpan UsualRevalidate { get; } = TimeSpan.FromMinutes(10);

    public UpstreamKind Kind { get; init; }

    /// <summary>For so long a file that may change under its name is served without asking whether it has.</summary>
    public TimeSpan Revalidate { get; init; } = UsualRevalidate;

    /// <summary>Its name may stand for an address of a private network.</summary>
    public bool PrivateAddresses { get; init; }
}

/// <summary>One file whose content is known beforehand, served as <c>/artifacts/files/NAME</c> and never evicted.</summary>
/// <param name="Sha256">Lower-case hexadecimal.</param>
public sealed record PinnedFile(string Name, Uri Url, string Sha256);

/// <summary>The configuration key <c>artifacts</c>.</summary>
public sealed record ArtifactOptions
{
    /// <summary>The name under which pinned files are served.</summary>
    public const string FilesName = "files";

    /// <summary>The upstreams there are without configuration. One of the same name replaces it.</summary>
    public static ImmutableArray<Upstream> BuiltInUpstreams { get; } =
    [
        new("nodeadm", new Uri("https://hybrid-assets.eks.amazonaws.com/")) { Kind = UpstreamKind.Nodeadm },
        new("ubuntu", new Uri("http://archive.ubuntu.com/ubuntu/")) { Kind = UpstreamKind.Apt },
        new("ubuntu-security", new Uri("http://security.ubuntu.com/ubuntu/")) { Kind = UpstreamKind.Apt },
        new("ubuntu-ports", new Uri("http://ports.ubuntu.com/ubuntu-ports/")) { Kind = UpstreamKind.Apt },
        new("docker-ubuntu", new Uri("https://download.docker.com/linux/ubuntu/")) { Kind = UpstreamKind.Apt },
        new("docker-rhel", new Uri("https://download.docker.com/linux/rhel/")) { Kind = UpstreamKind.Dnf },
        new("docker-centos", new Uri("https://download.docker.com/linux/centos/")) { Kind = UpstreamKind.Dnf },
    ];

    public ImmutableArray<Upstream> Upstreams { get; init; } = [];

    public ImmutableArray<PinnedFile> Files { get; init; } = [];

    /// <summary>Whether <see cref="BuiltInUpstreams"/> may be asked.</summary>
    public bool BuiltIn { get; init; } = true;

    /// <summary>In bytes. What was used longest ago goes first.</summary>
    public long MaximumSize { get; init; } = 50_000_000_000;

    /// <summary>What nobody asked for in so long goes.</summary>
    public TimeSpan MaximumAge { get; init; } = TimeSpan.FromDays(90);

    /// <summary>Serve what is there, ask nobody.</summary>
    public bool Offline { get; init; }

    /// <summary>Every upstream that may be asked.</summary>
    public IEnumerable<Upstream> Allowed =>
        BuiltIn ? Upstreams.Concat(BuiltInUpstreams.Where(b => !Upstreams.Any(u => u.Name == b.Name))) : Upstreams;
}

/// <summary>What is not for people to choose: times and sizes of the cache's inside.</summary>
internal sealed record ArtifactLimits
{
    /// <summary>The last octets of a file that is still arriving, kept back until its checksum is known to be right.</summary>
    public int HoldBack { get; init; } = 64 * 1024;

    /// <summary>Files that are fetched at one time; others wait.</summary>
    public int Downloads { get; init; } = 8;

    /// <summary>Attempts that bring nothing, one after the other, before a download fails.</summary>
    public int Attempts { get; init; } = 6;

    /// <summary>The time before the second attempt; it doubles for each next one, up to <see cref="LongestDelay"/>.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>How long an upstream may take to begin its answer, and be silent within it.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The same when there is an older copy to serve instead.</summary>
    public TimeSpan SilenceWithCopy { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>After a failure the same upstream file is not asked for again for so long.</summary>
    public TimeSpan Rest { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Never filled by the cache: the database needs it.</summary>
    public long KeepFreeBytes { get; init; } = 1L << 30;

    public TimeSpan SweepEvery { get; init; } = TimeSpan.FromMinutes(10);
}
