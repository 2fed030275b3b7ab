namespace Provisioner.Lab.Harness;

/// <summary>The packages of this processor, built once for all tests by appliance/package: of one version, and of a later one.</summary>
public sealed class BuiltPackages : IAsyncLifetime
{
    internal const string Before = "0.0.9";
    internal const string After = "0.0.10";

    /// <summary>Where the program was published to already, by who has done that for something else as well; published for these tests otherwise.</summary>
    private const string PublishedVariable = "PROVISIONER_LAB_PUBLISHED";

    private readonly string directory = Path.Combine(Path.GetTempPath(), Leftovers.NewName());

    internal static string Architecture => System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64";

    internal string Deb(string version) => Path.Combine(directory, $"provisioner_{version}_{Architecture}.deb");

    internal string Rpm(string version) => Path.Combine(directory, $"provisioner-{version}-1.{(Architecture == "arm64" ? "aarch64" : "x86_64")}.rpm");

    public async ValueTask InitializeAsync()
    {
        Container.SkipWithout();
        Leftovers.OwnDirectory(directory);
        var published = Environment.GetEnvironmentVariable(PublishedVariable) is { Length: > 0 } there ? there : Path.Combine(directory, "published");
        foreach (var version in new[] { Before, After })
        {
            (await LabProcess.RunAsync(Path.Combine(Prerequisites.Repository, "appliance", "package"),
                ["--arch", Architecture, "--version", version, "--published", published, "--quick", directory], TimeSpan.FromMinutes(15))).OrThrow();
        }
    }

    public ValueTask DisposeAsync()
    {
        if (Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
        Leftovers.DisownDirectory(directory);
        return ValueTask.CompletedTask;
    }
}
