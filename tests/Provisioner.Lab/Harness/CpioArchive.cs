using System.Buffers;
using System.Globalization;
using System.Text;

namespace Provisioner.Lab.Harness;

/// <summary>
/// An archive in the form a Linux kernel unpacks into its first root file system ("newc", initramfs buffer format in the kernel's
/// documentation), uncompressed. Everything in it belongs to root.
/// </summary>
internal sealed class CpioArchive
{
    private const int Directory = 0x4000, RegularFile = 0x8000, SymbolicLink = 0xA000;

    private readonly ArrayBufferWriter<byte> bytes = new();
    private readonly HashSet<string> directories = new(StringComparer.Ordinal);
    private int entries;

    /// <summary>Adds a file, and the directories it is in: the kernel makes none by itself and loses the file without a word.</summary>
    public void AddFile(string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        AddParents(path);
        AddEntry(path, RegularFile | (int)mode, content);
    }

    /// <summary>Adds a symbolic link, and the directories it is in.</summary>
    public void AddLink(string path, string target)
    {
        AddParents(path);
        AddEntry(path, SymbolicLink | 0x1FF, Encoding.UTF8.GetBytes(target));
    }

    /// <summary>Ends the archive and gives it.</summary>
    public byte[] Finish()
    {
        AddEntry("TRAILER!!!", 0, []);
        return bytes.WrittenSpan.ToArray();
    }

    private void AddParents(string path)
    {
        for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash > 0; slash = path.IndexOf('/', slash + 1))
        {
            // 0755: a directory that is there already gets the mode of the archive's.
            if (directories.Add(path[..slash]))
                AddEntry(path[..slash], Directory | 0x1ED, []);
        }
    }

    private void AddEntry(string path, int mode, ReadOnlySpan<byte> content)
    {
        var name = Encoding.UTF8.GetBytes(path + "\0");
        ReadOnlySpan<int> fields =
        [
            ++entries, // inode: two entries with the same one would be hard links
            mode,
            0, 0,      // owner, group
            1,         // links
            0,         // modified
            content.Length,
            0, 0, 0, 0, // device of the file system, device of the file
            name.Length,
            0,         // checksum, of another form
        ];
        var header = new StringBuilder("070701");
        foreach (var field in fields)
            header.Append(field.ToString("X8", CultureInfo.InvariantCulture));
        bytes.Write(Encoding.ASCII.GetBytes(header.ToString()));
        bytes.Write(name);
        Align();
        bytes.Write(content);
        Align();
    }

    private void Align()
    {
        while (bytes.WrittenCount % 4 != 0)
            bytes.Write([(byte)0]);
    }
}
