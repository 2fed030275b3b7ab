using System.Collections.Frozen;
using System.Reflection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Primitives;

namespace Provisioner.Web;

/// <summary>The console's styles and scripts, out of the program itself.</summary>
internal sealed class ConsoleFiles : IFileProvider
{
    private const string Prefix = "console/";

    private static readonly Assembly Program = typeof(ConsoleFiles).Assembly;

    private static readonly DateTimeOffset BuiltAt = new(File.GetLastWriteTimeUtc(Program.Location));

    private readonly FrozenDictionary<string, IFileInfo> files = Program.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
        .ToFrozenDictionary(name => "/" + name[Prefix.Length..], IFileInfo (name) => new Embedded(name), StringComparer.Ordinal);

    public IFileInfo GetFileInfo(string subpath) => files.GetValueOrDefault(subpath) ?? new NotFoundFileInfo(subpath);

    public IDirectoryContents GetDirectoryContents(string subpath) => NotFoundDirectoryContents.Singleton;

    public IChangeToken Watch(string filter) => NullChangeToken.Singleton;

    private sealed class Embedded(string resource) : IFileInfo
    {
        public bool Exists => true;

        public long Length { get; } = Open(resource).Length;

        public string? PhysicalPath => null;

        public string Name => Path.GetFileName(resource);

        public DateTimeOffset LastModified => BuiltAt;

        public bool IsDirectory => false;

        public Stream CreateReadStream() => Open(resource);

        private static Stream Open(string resource) => Program.GetManifestResourceStream(resource)!;
    }
}
