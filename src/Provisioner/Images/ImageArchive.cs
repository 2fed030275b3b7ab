using System.Buffers;
using System.Collections.Immutable;
using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using Provisioner.Protocols.Pe;
using Provisioner.Resources;

namespace Provisioner.Images;

/// <summary>How much one import may bring.</summary>
internal sealed record ImageLimits
{
    /// <summary>The file list is part of the Image resource, and a stored document has at most 16 MB.</summary>
    public int MaxFiles { get; init; } = 20_000;

    /// <summary>All files together, in bytes.</summary>
    public long MaxBytes { get; init; } = 64L << 30;

    /// <summary>What has to stay free for the database and its backups, in bytes.</summary>
    public long KeepFreeBytes { get; init; } = 256L << 20;

    /// <summary>Length of one path, in UTF-8 bytes.</summary>
    public int MaxPathBytes { get; init; } = 512;
}

/// <summary>
/// Unpacks a tar stream into a staging directory. The stream is not trusted: only plain files and directories with names that
/// stay inside are taken, everything else is refused by name, and every file is hashed and looked at while it is written.
/// </summary>
internal static class ImageArchive
{
    private const int BufferSize = 128 * 1024;

    /// <exception cref="ChangeRefusedException">Something in it is not acceptable; the caller removes the staging directory.</exception>
    public static async Task<ImmutableArray<StagedFile>> UnpackAsync(
        Stream tar, string directory, ImageLimits limits, Func<long> freeBytes, CancellationToken cancellation)
    {
        try
        {
            return await UnpackEntriesAsync(tar, directory, limits, freeBytes, cancellation);
        }
        catch (ArchiveDamagedException damaged)
        {
            throw Refused("", damaged.EndsEarly
                ? "The tar archive ends early: it was cut short on its way here. Import it again"
                : "This is not a tar archive, or it is damaged");
        }
    }

    private static async Task<ImmutableArray<StagedFile>> UnpackEntriesAsync(
        Stream tar, string directory, ImageLimits limits, Func<long> freeBytes, CancellationToken cancellation)
    {
        var files = ImmutableArray.CreateBuilder<StagedFile>();
        var names = new ArchiveNames();
        long total = 0;
        await using var reader = new TarReader(tar, leaveOpen: true);
        while (await NextAsync(reader, cancellation) is { } entry)
        {
            if (entry.EntryType is TarEntryType.GlobalExtendedAttributes)
                continue;
            var path = PathOf(entry.Name, limits);
            if (entry.EntryType is TarEntryType.Directory)
            {
                names.AddDirectory(path);
                continue;
            }
            if (!IsPlain(entry.EntryType))
                throw Refused(entry.Name, $"is a {Name(entry.EntryType)}; an image takes plain files and directories only");
            if (path.Length == 0)
                throw Refused(entry.Name, "is a file without a name");
            names.AddFile(path);
            if (files.Count == limits.MaxFiles)
                throw Refused(path, $"is one file too many; an image takes at most {limits.MaxFiles:N0} files");
            if (entry.Length > limits.MaxBytes - total)
                throw Refused(path, $"makes the image larger than {limits.MaxBytes:N0} bytes, the most one image may have");
            if (entry.Length > freeBytes() - limits.KeepFreeBytes)
                throw NoSpace(path, entry.Length);
            total += entry.Length;
            files.Add(await WriteAsync(entry, path, directory, md5: null, cancellation));
        }
        if (files.Count == 0)
            throw Refused("", "The archive holds no files");
        return files.DrainToImmutable();
    }

    internal static bool IsPlain(TarEntryType type) => type is TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile;

    /// <exception cref="ArchiveDamagedException">There is no whole entry next.</exception>
    internal static async ValueTask<TarEntry?> NextAsync(TarReader reader, CancellationToken cancellation)
    {
        try
        {
            return await reader.GetNextEntryAsync(copyData: false, cancellation);
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or OverflowException or NotSupportedException)
        {
            throw new ArchiveDamagedException(exception);
        }
    }

    /// <summary>Writes one entry below a directory, hashing it and looking at its beginning.</summary>
    /// <param name="entry">A plain file.</param>
    /// <param name="path">Its confined name.</param>
    /// <param name="directory">Where to.</param>
    /// <param name="md5">Gets its bytes as well, when a list of the disc's own has that sum of it.</param>
    /// <exception cref="ArchiveDamagedException">The entry ends early.</exception>
    internal static async Task<StagedFile> WriteAsync(TarEntry entry, string path, string directory, IncrementalHash? md5, CancellationToken cancellation)
    {
        var target = Path.Combine(directory, path);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        try
        {
            await using var file = new FileStream(target, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, useAsync: false);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var start = new byte[(int)Math.Min(entry.Length, PeHeader.EnoughBytes)];
            var startLength = 0;
            await ReadAsync(entry, async part =>
            {
                var head = Math.Min(part.Length, start.Length - startLength);
                part.Span[..head].CopyTo(start.AsSpan(startLength));
                startLength += head;
                hash.AppendData(part.Span);
                md5?.AppendData(part.Span);
                await file.WriteAsync(part, cancellation);
            }, cancellation);
            return StagedFile.Inspect(path, entry.Length, Convert.ToHexStringLower(hash.GetHashAndReset()), start);
        }
        catch (IOException exception) when (exception.HResult == NoSpaceLeft)
        {
            throw NoSpace(path, entry.Length);
        }
    }

    /// <summary>Hands the bytes of an entry on, all of them.</summary>
    /// <exception cref="ArchiveDamagedException">The entry ends early.</exception>
    internal static async Task ReadAsync(TarEntry entry, Func<ReadOnlyMemory<byte>, ValueTask> take, CancellationToken cancellation)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            long size = 0;
            if (entry.DataStream is { } data)
            {
                while (await ReadAsync(data, buffer, cancellation) is var read and > 0)
                {
                    await take(buffer.AsMemory(0, read));
                    size += read;
                }
            }
            if (size != entry.Length)
                throw new ArchiveDamagedException(new EndOfStreamException());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>ENOSPC: .NET hands the errno through where it has no type of its own.</summary>
    internal const int NoSpaceLeft = 28;

    private static async ValueTask<int> ReadAsync(Stream data, Memory<byte> buffer, CancellationToken cancellation)
    {
        try
        {
            return await data.ReadAsync(buffer, cancellation);
        }
        catch (Exception exception) when (exception is EndOfStreamException or InvalidDataException)
        {
            throw new ArchiveDamagedException(exception);
        }
    }

    /// <summary>The entry's name, confined: relative, no <c>..</c>, no empty part, nothing a URL or a TFTP name could not carry.</summary>
    internal static string PathOf(string name, ImageLimits limits)
    {
        if (name.StartsWith('/'))
            throw Refused(name, "is an absolute path; names in an image are relative to its directory");
        var path = name.EndsWith('/') ? name[..^1] : name;
        while (path.StartsWith("./", StringComparison.Ordinal))
            path = path[2..];
        if (path is "." or "")
            return "";
        if (Encoding.UTF8.GetByteCount(path) > limits.MaxPathBytes)
            throw Refused(path, $"is longer than {limits.MaxPathBytes} bytes");
        foreach (var c in path)
        {
            if (char.IsControl(c) || c is '\\' or '\uFFFD')
                throw Refused(path, $"has the character U+{(int)c:X4} in its name");
        }
        foreach (var part in path.Split('/'))
        {
            if (part is "..")
                throw Refused(name, "leaves the image's directory by '..'");
            if (part is "" or ".")
                throw Refused(name, "has an empty part or a '.' in its path");
            if (Encoding.UTF8.GetByteCount(part) > 255)
                throw Refused(path, "has a part longer than 255 bytes");
        }
        return path;
    }

    internal static string Shorten(string path)
    {
        var printable = string.Concat(path.Select(c => char.IsControl(c) ? '?' : c));
        return printable.Length <= 80 ? printable : printable[..77] + "...";
    }

    internal static string Name(TarEntryType type) => type switch
    {
        TarEntryType.SymbolicLink => "symbolic link",
        TarEntryType.HardLink => "hard link",
        TarEntryType.BlockDevice or TarEntryType.CharacterDevice => "device",
        TarEntryType.Fifo => "named pipe",
        TarEntryType.SparseFile => "sparse file",
        _ => $"tar entry of kind {type}",
    };

    internal static ChangeRefusedException NoSpace(string path, long size) =>
        Refused(path, $"needs {size:N0} bytes and the data directory's file system has too little room; free some, or start with --data on a larger one");

    internal static ChangeRefusedException Refused(string path, string message) =>
        new(RefusalKind.Invalid, [path.Length == 0
            ? new Mistake($"{message}")
            : new Mistake($"'{Shorten(path)}' {message}") { Path = "file", Value = Shorten(path) }]);
}

/// <summary>The names in an archive so far: what a name means may not depend on the order of the entries.</summary>
internal sealed class ArchiveNames
{
    private readonly HashSet<string> files = new(StringComparer.Ordinal);
    private readonly HashSet<string> links = new(StringComparer.Ordinal);
    private readonly HashSet<string> directories = new(StringComparer.Ordinal);

    public int Count => files.Count + links.Count + directories.Count;

    public bool HasFile(string path) => files.Contains(path);

    /// <summary>Whether a path goes through a symbolic link.</summary>
    public bool LeadsThroughLink(string path) => links.Contains(path) || Folders(path).Any(links.Contains);

    public void AddDirectory(string path)
    {
        if (path.Length > 0)
            AddFolders(path + "/");
    }

    public void AddFile(string path)
    {
        if (directories.Contains(path) || links.Contains(path) || !files.Add(path))
            throw ImageArchive.Refused(path, "is in the archive twice");
        AddFolders(path);
    }

    /// <summary>A symbolic link, which is not followed.</summary>
    public void AddLink(string path)
    {
        if (directories.Contains(path) || files.Contains(path) || !links.Add(path))
            throw ImageArchive.Refused(path, "is in the archive twice");
        AddFolders(path);
    }

    private void AddFolders(string path)
    {
        foreach (var folder in Folders(path))
        {
            if (files.Contains(folder))
                throw ImageArchive.Refused(path, $"lies below '{ImageArchive.Shorten(folder)}', which is a file");
            if (links.Contains(folder))
                throw ImageArchive.Refused(path, $"lies below '{ImageArchive.Shorten(folder)}', which is a symbolic link");
            directories.Add(folder);
        }
    }

    private static IEnumerable<string> Folders(string path)
    {
        for (var slash = path.IndexOf('/'); slash >= 0; slash = path.IndexOf('/', slash + 1))
            yield return path[..slash];
    }
}

/// <summary>An archive is not one, or not whole.</summary>
internal sealed class ArchiveDamagedException(Exception cause) : Exception(cause is EndOfStreamException ? "it ends early" : "it is damaged", cause)
{
    public bool EndsEarly => InnerException is EndOfStreamException;
}
