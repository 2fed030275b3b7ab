using Provisioner.Clusters;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Profiles;

namespace Provisioner.Installing;

/// <summary>Everything the answers of one installation are made of.</summary>
/// <param name="Profile">As it was when the installation was opened.</param>
/// <param name="Network">The one the host boots on, when the appliance knows it.</param>
/// <param name="SeedRoot">Where this host's answers are: <c>http://10.77.0.1:8080/seed/CAPABILITY</c>.</param>
/// <param name="ReportUrl">Where the installer says how far it is; a capability as well.</param>
/// <param name="SyslogServer">An address and perhaps a port, or empty for no log over the network.</param>
/// <param name="ApplianceSecureUrl">Where the installed host enrols: <c>https://10.77.0.1:8443</c>.</param>
/// <param name="Cluster">The one the profile names.</param>
internal sealed record SeedContext(
    Host Host,
    Profile Profile,
    Image Image,
    Network? Network,
    Installation Installation,
    string SeedRoot,
    string ReportUrl,
    string SyslogServer,
    string ApplianceSecureUrl,
    SeedSecrets Secrets,
    Cluster? Cluster = null)
{
    /// <summary>The names that this appliance's cache has upstreams for.</summary>
    public IReadOnlyCollection<string> Upstreams { get; init; } = [];

    /// <summary>Where the image's files are served: beside the seeds.</summary>
    public string ImageRoot => $"{Authority}/images/{Image.Name}";

    /// <summary>Where the installer finds what it installs: a mirror where the image says so, its own files otherwise.</summary>
    public string Source => Image.InstallSourceUrl(Authority) ?? ImageRoot;

    /// <summary>The appliance as this host reaches it.</summary>
    public string ApplianceHost => new Uri(SeedRoot).Host;

    private string Authority => new Uri(SeedRoot).GetLeftPart(UriPartial.Authority);

    /// <summary>Where this host finds packages: a URL as it is, what is in the cache at the appliance.</summary>
    public string AddressOf(string source) => PackageSource.AddressOf(source, Authority);
}

/// <summary>What only this host may know, and what it knows the appliance by.</summary>
/// <param name="Token">One-time, for the enrolment; null for a boot that may not enrol.</param>
/// <param name="CaPem">The authorities to trust; no secret.</param>
/// <param name="DiskPassphrase">Only where the profile's disk says <c>encryption: passphrase</c>; letters, digits and hyphens.</param>
internal sealed record SeedSecrets(string? Token, string CaPem, string? DiskPassphrase = null)
{
    /// <summary>For previews: everything is there but what is secret.</summary>
    public static SeedSecrets Redacted(string caPem) => new("REDACTED", caPem, "REDACTED");

    /// <summary>Never in a log or a debugger's window by accident.</summary>
    public override string ToString() => "SeedSecrets (redacted)";
}

/// <summary>This host has no answers: the message says every reason.</summary>
public sealed class SeedRefusedException(string message) : Exception(message);
