using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Profiles;

namespace Provisioner.Boot;

/// <summary>What a host is to do now, before it is said in any protocol. Closed.</summary>
/// <param name="Reason">Why, as a sentence for people.</param>
public abstract record BootIntent(string Reason)
{
    /// <summary>It has an open Installation; or it has no disk, and the image of its last one is its system.</summary>
    public sealed record Install(Host Host, Profile Profile, Image Image, Installation Installation, string Reason) : BootIntent(Reason);

    /// <summary>It has none: it starts what is on its disk.</summary>
    public sealed record LocalDisk(Host Host, LocalBoot Method, string Reason) : BootIntent(Reason);

    /// <summary>Nobody registered it: it shows that it waits, then starts what is on its disk.</summary>
    public sealed record AwaitAdoption(string Reason) : BootIntent(Reason);

    /// <summary>It should be installed and cannot be: a profile or file is missing or does not fit.</summary>
    public sealed record Blocked(Host Host, string Reason) : BootIntent(Reason);
}

/// <summary>The answer to a <see cref="BootRequest"/>. Closed.</summary>
/// <param name="Reason">Why, as a sentence for people; recorded with the answer.</param>
public abstract record BootDecision(string Reason)
{
    /// <summary>
    /// Load this. <paramref name="File"/> is what goes into the packet: a TFTP name for PXE clients, a URL for HTTP Boot and iPXE.
    /// </summary>
    public sealed record BootFile(string File, string Reason) : BootDecision(Reason)
    {
        /// <summary>A URL as opposed to a name on our TFTP server.</summary>
        public bool IsUrl => File.Contains("://", StringComparison.Ordinal);
    }

    /// <summary>Run a script that carries out this intent.</summary>
    public sealed record Script(BootIntent Intent, string Reason) : BootDecision(Reason);

    /// <summary>Answer, and name nothing to boot: a lease without a boot file, HTTP 404, no proxy offer.</summary>
    public sealed record NoBootFile(string Reason) : BootDecision(Reason);
}
