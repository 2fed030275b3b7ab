namespace Provisioner.Installing;

/// <summary>A file of the installed host.</summary>
/// <param name="Mode">In octal, such as <c>0600</c>.</param>
internal sealed record HostFile(string Path, string Mode, string Text);

/// <summary>What a host enrols and joins its cluster with: programs, their units, and what they must know.</summary>
/// <param name="Programs">The programs and their units, the same for every host.</param>
internal sealed record JoinFiles(IReadOnlyList<HostFile> Programs)
{
    private const string ResourcePrefix = "join/";

    private const string UnitDirectory = "/etc/systemd/system/";

    /// <summary>How the names of what every host has begin; their units are enabled by the seeds.</summary>
    private static readonly string[] OfCertificates = ["provisioner-certificate", "provisioner-enrol", "provisioner-renew"];

    /// <summary>Those that are built in.</summary>
    public static JoinFiles BuiltIn() => new(
    [
        .. typeof(JoinFiles).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(ResourcePrefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name => name.Contains('.', StringComparison.Ordinal)
                ? new HostFile($"{UnitDirectory}{name[ResourcePrefix.Length..]}", "0644", Read(name))
                : new HostFile($"/usr/local/sbin/{name[ResourcePrefix.Length..]}", "0755", Read(name))),
    ]);

    /// <summary>All of them for one host; the token, where it has one, stands nowhere else.</summary>
    public IEnumerable<HostFile> For(SeedContext context) =>
    [
        new("/etc/provisioner/join.conf", "0644", $"APPLIANCE={context.ApplianceSecureUrl}\nHOST={context.Host.Name}\nINSTALLATION={context.Installation.Id}\n"),
        .. context.Secrets.Token is { } token ? (HostFile[])[new("/etc/provisioner/token", "0600", token + "\n")] : [],
        new("/etc/provisioner/ca.pem", "0644", context.Secrets.CaPem),
        .. ProgramsFor(context),
    ];

    /// <summary>The units among them that are to start by themselves: those that say when.</summary>
    public IEnumerable<string> UnitsFor(SeedContext context) => ProgramsFor(context)
        .Where(file => file.Path.StartsWith(UnitDirectory, StringComparison.Ordinal) && IsForCluster(file) && file.Text.Contains("\n[Install]\n", StringComparison.Ordinal))
        .Select(file => file.Path[UnitDirectory.Length..]);

    // A host that joins no cluster enrols and renews all the same.
    private IEnumerable<HostFile> ProgramsFor(SeedContext context) => Programs.Where(file => context.Profile.Spec.Cluster is not null || !IsForCluster(file));

    private static bool IsForCluster(HostFile file) =>
        !Array.Exists(OfCertificates, name => file.Path[(file.Path.LastIndexOf('/') + 1)..].StartsWith(name, StringComparison.Ordinal));

    private static string Read(string resource)
    {
        using var reader = new StreamReader(typeof(JoinFiles).Assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }
}
