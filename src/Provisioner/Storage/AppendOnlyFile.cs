using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Provisioner.Storage;

/// <summary>
/// A file of lines to which lines are added and nothing else happens, on the disk before <see cref="Append"/> returns. Only its end is read when it
/// is opened: to check the whole file at each start would take longer every year.
/// </summary>
internal sealed class AppendOnlyFile : IDisposable
{
    private readonly string path;
    private readonly SafeFileHandle file;
    private long length;

    private AppendOnlyFile(string path, SafeFileHandle file, long length, string? lastLine)
    {
        this.path = path;
        this.file = file;
        this.length = length;
        LastLine = lastLine;
    }

    /// <summary>The last whole line when it was opened; null when there was none.</summary>
    public string? LastLine { get; }

    /// <summary>Opens the file or makes it, for the service's user alone, and cuts off a last line that a crash left half-written.</summary>
    /// <exception cref="StoreException">It cannot be opened.</exception>
    public static AppendOnlyFile Open(string path)
    {
        SafeFileHandle? opening = null;
        try
        {
            var isNew = !File.Exists(path);
            opening = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
            if (isNew)
            {
                File.SetUnixFileMode(opening, UnixFileMode.UserRead | UnixFileMode.UserWrite);
                DirectorySync.Flush(Path.GetDirectoryName(path)!);
            }
            var (end, last) = FindEnd(opening);
            if (end < RandomAccess.GetLength(opening))
            {
                RandomAccess.SetLength(opening, end);
                RandomAccess.FlushToDisk(opening);
            }
            var opened = new AppendOnlyFile(path, opening, end, last);
            opening = null;
            return opened;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"{path} cannot be opened: {e.Message}", e);
        }
        finally
        {
            opening?.Dispose();
        }
    }

    /// <summary>Appends whole lines; on the disk when it returns.</summary>
    /// <exception cref="IOException">Nothing of it counts; it can be tried again.</exception>
    public void Append(ReadOnlySpan<byte> lines)
    {
        try
        {
            RandomAccess.Write(file, lines, length);
            RandomAccess.FlushToDisk(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A half-written line would be taken for damage once another follows it; on a full disk, cutting still works.
            try
            {
                RandomAccess.SetLength(file, length);
            }
            catch (IOException)
            {
                // The next append writes over it, from the same place.
            }
            throw new IOException($"{path} cannot be written: {e.Message}", e);
        }
        length += lines.Length;
    }

    public void Dispose() => file.Dispose();

    private static (long Length, string? LastLine) FindEnd(SafeFileHandle handle)
    {
        var size = RandomAccess.GetLength(handle);
        for (var window = 1 << 16; ; window *= 4)
        {
            var start = Math.Max(0, size - window);
            var tail = new byte[size - start];
            ReadExactly(handle, tail, start);
            var end = tail.AsSpan().LastIndexOf((byte)'\n') + 1;
            if (end == 0 && start > 0)
                continue;
            if (end == 0)
                return (0, null);
            var begin = tail.AsSpan(0, end - 1).LastIndexOf((byte)'\n') + 1;
            if (begin == 0 && start > 0)
                continue;
            return (start + end, Encoding.UTF8.GetString(tail, begin, end - 1 - begin));
        }
    }

    private static void ReadExactly(SafeFileHandle handle, Span<byte> into, long offset)
    {
        while (into.Length > 0)
        {
            var read = RandomAccess.Read(handle, into, offset);
            if (read == 0)
                throw new EndOfStreamException();
            into = into[read..];
            offset += read;
        }
    }
}
