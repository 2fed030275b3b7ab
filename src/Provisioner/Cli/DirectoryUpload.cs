using System.Buffers.Binary;
using System.Formats.Tar;
using System.Net;
using System.Runtime.InteropServices;

namespace Provisioner.Cli;

/// <summary>
/// A directory as a tar stream: its plain files, and what links inside it point to inside it. A link that leaves the directory
/// is refused by name, because what it points to was not meant by whoever named the directory.
/// </summary>
internal sealed partial class DirectoryUpload : ImageUpload
{
    private const int MaxDepth = 32;
    private const int MaxFiles = 100_000;

    private readonly string root;
    private readonly List<(string Name, string Path, long Size)> files = [];
    private readonly List<string> refused = [];

    private DirectoryUpload(string root) => this.root = root;

    /// <exception cref="CommandFailedException">It is no directory, is empty, or holds what cannot be imported: all of that by name.</exception>
    public static DirectoryUpload Of(string path)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (!Directory.Exists(full))
            throw new CommandFailedException($"there is no directory and no file '{path}'.");
        var upload = new DirectoryUpload(new DirectoryInfo(full).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? full);
        try
        {
            upload.Walk(upload.root, "", 0);
        }
        catch (UnauthorizedAccessException denied)
        {
            throw new CommandFailedException($"not everything in '{path}' can be read: {denied.Message}");
        }
        if (upload.refused.Count > 0)
            throw new CommandFailedException(upload.refused);
        if (upload.files.Count == 0)
            throw new CommandFailedException($"'{path}' holds no files.");
        return upload;
    }

    public override HttpContent Content(Action<long> progress) => new TarContent(files, progress);

    private void Walk(string directory, string prefix, int depth)
    {
        if (depth > MaxDepth)
        {
            refused.Add($"'{prefix.TrimEnd('/')}' is nested more than {MaxDepth} directories deep.");
            return;
        }
        foreach (var entry in new DirectoryInfo(directory).EnumerateFileSystemInfos().OrderBy(e => e.Name, StringComparer.Ordinal))
        {
            var name = prefix + entry.Name;
            if (files.Count > MaxFiles)
                throw new CommandFailedException($"there are more than {MaxFiles} files. Give the directory of the netboot files alone.");
            if (entry.LinkTarget is not null)
                Follow(entry, name, depth);
            else if (entry is DirectoryInfo)
                Walk(entry.FullName, name + "/", depth + 1);
            else
                Add(name, (FileInfo)entry);
        }
    }

    private void Follow(FileSystemInfo link, string name, int depth)
    {
        FileSystemInfo? target = null;
        try
        {
            target = Real(link.FullName);
        }
        catch (IOException)
        {
            // A link to itself, by one way or another.
        }
        if (target is not { Exists: true })
            refused.Add($"'{name}' is a link to '{link.LinkTarget}', which is not there.");
        else if (!IsInside(target.FullName))
            refused.Add($"'{name}' is a link to '{link.LinkTarget}', outside the directory. Copy what it points to, or import the directory that holds both.");
        else if (target is FileInfo file)
            Add(name, file);
        else if ((link.FullName + "/").StartsWith(target.FullName + "/", StringComparison.Ordinal))
            refused.Add($"'{name}' is a link to '{link.LinkTarget}', a directory it lies in itself.");
        else
            Walk(target.FullName, name + "/", depth + 1);
    }

    private void Add(string name, FileInfo file)
    {
        // To open a named pipe would wait for a writer for ever.
        if (!IsPlain(file.FullName))
        {
            refused.Add($"'{name}' is not a plain file.");
            return;
        }
        files.Add((name, file.FullName, file.Length));
        Bytes += file.Length;
    }

    /// <summary>statx(2): .NET tells permissions, not the kind of a file. Its layout is the same on every architecture.</summary>
    private static bool IsPlain(string path)
    {
        const int ModeOffset = 28, KindMask = 0xF000, Regular = 0x8000;
        Span<byte> status = stackalloc byte[256];
        return StatX(-100 /* AT_FDCWD */, path, 0, 1 /* STATX_TYPE */, ref MemoryMarshal.GetReference(status)) == 0
            && (BinaryPrimitives.ReadUInt16LittleEndian(status[ModeOffset..]) & KindMask) == Regular;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, ref byte status);

    /// <summary>Where a path leads with every link in it resolved, not only the last one.</summary>
    private static FileSystemInfo Real(string path)
    {
        var resolved = "/";
        var left = new Stack<string>(path.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse());
        for (var links = 0; left.TryPop(out var part);)
        {
            if (part == ".")
                continue;
            if (part == "..")
            {
                resolved = Path.GetDirectoryName(resolved) ?? "/";
                continue;
            }
            var next = Path.Combine(resolved, part);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                resolved = next;
                continue;
            }
            if (++links > 40)
                throw new IOException("Too many links.");
            if (target.StartsWith('/'))
                resolved = "/";
            foreach (var piece in target.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse())
                left.Push(piece);
        }
        return Directory.Exists(resolved) ? new DirectoryInfo(resolved) : new FileInfo(resolved);
    }

    private bool IsInside(string path) => path == root || path.StartsWith(root + "/", StringComparison.Ordinal);

    private sealed class TarContent(IReadOnlyList<(string Name, string Path, long Size)> files, Action<long> progress) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellation)
        {
            await using var tar = new TarWriter(stream, TarEntryFormat.Pax, leaveOpen: true);
            foreach (var (name, path, _) in files)
            {
                await using var file = new ReadCounter(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0), progress);
                await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = file }, cancellation);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    /// <summary>Tells how much of a file was read.</summary>
    private sealed class ReadCounter(Stream inner, Action<long> progress) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => inner.CanSeek;

        public override bool CanWrite => false;

        public override long Length => inner.Length;

        public override long Position { get => inner.Position; set => inner.Position = value; }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = inner.Read(buffer, offset, count);
            progress(read);
            return read;
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            progress(read);
            return read;
        }

        public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            await base.DisposeAsync();
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
