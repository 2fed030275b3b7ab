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
        var files = ImmutableArray.CreateBuilder<StagedFile>();
        var taken = new HashSet<string>(StringComparer.Ordinal);
        var directories = new HashSet<string>(StringComparer.Ordinal);
        long total = 0;
        await using var reader = new TarReader(tar, leaveOpen: true);
        while (await NextAsync(reader, cancellation) is { } entry)
        {
            if (entry.EntryType is TarEntryType.GlobalExtendedAttributes)
                continue;
            var path = PathOf(entry, limits);
            if (entry.EntryType is TarEntryType.Directory)
            {
                if (path.Length > 0)
                    AddDirectories(path + "/", taken, directories);
                continue;
            }
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile))
                throw Refused(entry.Name, $"is a {Name(entry.EntryType)}; an image takes plain files and directories only");
            if (path.Length == 0)
                throw Refused(entry.Name, "is a file without a name");
            if (directories.Contains(path) || !taken.Add(path))
                throw Refused(path, "is in the archive twice");
            AddDirectories(path, taken, directories);
            if (files.Count == limits.MaxFiles)
                throw Refused(path, $"is one file too many; an image takes at most {limits.MaxFiles:N0} files");
            if (entry.Length > limits.MaxBytes - total)
                throw Refused(path, $"makes the image larger than {limits.MaxBytes:N0} bytes, the most one image may have");
            if (entry.Length > freeBytes() - limits.KeepFreeBytes)
                throw NoSpace(path, entry.Length);
            total += entry.Length;
            files.Add(await WriteAsync(entry, path, directory, cancellation));
        }
        if (files.Count == 0)
            throw Refused("", "The archive holds no files");
        return files.DrainToImmutable();
    }

    private static async ValueTask<TarEntry?> NextAsync(TarReader reader, CancellationToken cancellation)
    {
        try
        {
            return await reader.GetNextEntryAsync(copyData: false, cancellation);
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or OverflowException or NotSupportedException)
        {
            throw NotWhole(exception);
        }
    }

    private static async Task<StagedFile> WriteAsync(TarEntry entry, string path, string directory, CancellationToken cancellation)
    {
        var target = Path.Combine(directory, path);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        var start = ArrayPool<byte>.Shared.Rent(PeHeader.EnoughBytes);
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            await using var file = new FileStream(target, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, useAsync: false);
            long size = 0;
            var startLength = 0;
            if (entry.DataStream is { } data)
            {
                while (await ReadAsync(data, buffer, cancellation) is var read and > 0)
                {
                    var part = buffer.AsMemory(0, read);
                    var head = Math.Min(read, PeHeader.EnoughBytes - startLength);
                    part.Span[..head].CopyTo(start.AsSpan(startLength));
                    startLength += head;
                    hash.AppendData(part.Span);
                    await file.WriteAsync(part, cancellation);
                    size += read;
                }
            }
            if (size != entry.Length)
                throw NotWhole(new EndOfStreamException());
            return StagedFile.Inspect(path, size, Convert.ToHexStringLower(hash.GetHashAndReset()), start.AsSpan(0, startLength));
        }
        catch (IOException exception) when (exception.HResult == NoSpaceLeft)
        {
            throw NoSpace(path, entry.Length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            ArrayPool<byte>.Shared.Return(start);
        }
    }

    /// <summary>ENOSPC: .NET hands the errno through where it has no type of its own.</summary>
    private const int NoSpaceLeft = 28;

    private static async ValueTask<int> ReadAsync(Stream data, Memory<byte> buffer, CancellationToken cancellation)
    {
        try
        {
            return await data.ReadAsync(buffer, cancellation);
        }
        catch (Exception exception) when (exception is EndOfStreamException or InvalidDataException)
        {
            throw NotWhole(exception);
        }
    }

    private static void AddDirectories(string path, HashSet<string> taken, HashSet<string> directories)
    {
        for (var slash = path.IndexOf('/'); slash >= 0; slash = path.IndexOf('/', slash + 1))
        {
            var folder = path[..slash];
            if (taken.Contains(folder))
                throw Refused(path, $"lies below '{folder}', which is a file");
            directories.Add(folder);
        }
    }

    /// <summary>The entry's name, confined: relative, no <c>..</c>, no empty part, nothing a URL or a TFTP name could not carry.</summary>
    private static string PathOf(TarEntry entry, ImageLimits limits)
    {
        var name = entry.Name;
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

    private static string Shorten(string path)
    {
        var printable = string.Concat(path.Select(c => char.IsControl(c) ? '?' : c));
        return printable.Length <= 80 ? printable : printable[..77] + "...";
    }

    private static string Name(TarEntryType type) => type switch
    {
        TarEntryType.SymbolicLink => "symbolic link",
        TarEntryType.HardLink => "hard link",
        TarEntryType.BlockDevice or TarEntryType.CharacterDevice => "device",
        TarEntryType.Fifo => "named pipe",
        TarEntryType.SparseFile => "sparse file",
        _ => $"tar entry of kind {type}",
    };

    private static ChangeRefusedException NotWhole(Exception exception) => exception is EndOfStreamException
        ? Refused("", "The tar archive ends early: it was cut short on its way here. Import it again")
        : Refused("", "This is not a tar archive, or it is damaged");

    private static ChangeRefusedException NoSpace(string path, long size) =>
        Refused(path, $"needs {size:N0} bytes and the data directory's file system has too little room; free some, or start with --data on a larger one");

    private static ChangeRefusedException Refused(string path, string message) =>
        new(RefusalKind.Invalid, [path.Length == 0
            ? new Mistake($"{message}")
            : new Mistake($"'{Shorten(path)}' {message}") { Path = "file", Value = Shorten(path) }]);
}
