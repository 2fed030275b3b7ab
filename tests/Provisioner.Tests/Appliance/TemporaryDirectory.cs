namespace Provisioner.Tests.Appliance;

/// <summary>A directory of one test, removed with it. Its path is short enough for a unix socket.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    /// <summary>One that is there already; it is removed as well.</summary>
    public TemporaryDirectory(string path) => Path = path;

    public TemporaryDirectory() => Path = Directory.CreateTempSubdirectory("pv-").FullName;

    public string Path { get; }

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Empty()
    {
        Directory.Delete(Path, recursive: true);
        Directory.CreateDirectory(Path);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
