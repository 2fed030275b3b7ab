namespace Provisioner.Installing;

/// <summary>A file of the installed host.</summary>
/// <param name="Mode">In octal, such as <c>0600</c>.</param>
internal sealed record HostFile(string Path, string Mode, string Text);

/// <summary>What a host enrols with: the program, its units, and what it must know.</summary>
/// <param name="Programs">The program and its units, the same for every host.</param>
internal sealed record JoinFiles(IReadOnlyList<HostFile> Programs)
{
    private const string ResourcePrefix = "join/";

    /// <summary>Those that are built in.</summary>
    public static JoinFiles BuiltIn() => new(
    [
        .. typeof(JoinFiles).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(ResourcePrefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name => name.Contains('.', StringComparison.Ordinal)
                ? new HostFile($"/etc/systemd/system/{name[ResourcePrefix.Length..]}", "0644", Read(name))
                : new HostFile($"/usr/local/sbin/{name[ResourcePrefix.Length..]}", "0755", Read(name))),
    ]);

    /// <summary>All of them for one host; the token, where it has one, stands nowhere else.</summary>
    public IEnumerable<HostFile> For(SeedContext context) =>
    [
        new("/etc/provisioner/join.conf", "0644", $"APPLIANCE={context.ApplianceSecureUrl}\nHOST={context.Host.Name}\nINSTALLATION={context.Installation.Id}\n"),
        .. context.Secrets.Token is { } token ? (HostFile[])[new("/etc/provisioner/token", "0600", token + "\n")] : [],
        new("/etc/provisioner/ca.pem", "0644", context.Secrets.CaPem),
        .. Programs,
    ];

    private static string Read(string resource)
    {
        using var reader = new StreamReader(typeof(JoinFiles).Assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }
}
