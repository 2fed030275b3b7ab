using System.Collections.Immutable;
using System.Formats.Tar;
using System.Security.Cryptography;
using Provisioner.Resources;

namespace Provisioner.Images;

/// <summary>A file of a disc that is another name of one whose bytes were not taken.</summary>
internal readonly record struct DiscLink(string Path, string Target);

/// <summary>What was taken off a disc.</summary>
/// <param name="Files">Each with its hash.</param>
/// <param name="Links">Files that were to be taken, and are further names of files that were not.</param>
/// <param name="Checked">How many files were compared with the disc's own list.</param>
internal sealed record DiscContents(ImmutableArray<StagedFile> Files, ImmutableArray<DiscLink> Links, int Checked);

/// <summary>
/// Takes files out of the tar stream that an ISO image was turned into. Every name on the disc is looked at, also of what is left behind:
/// one that leads out of it says that somebody made the disc for that.
/// </summary>
internal sealed class DiscArchive(Disc disc, long volumeBytes, ImageLimits limits, Func<long> freeBytes)
{
    private readonly ArchiveNames names = new();
    private readonly HashSet<string> compared = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StagedFile> files = new(StringComparer.Ordinal);
    private readonly List<DiscLink> links = [];
    private long total;

    /// <summary>The first bytes of a disc: the files it is known by, in memory.</summary>
    public static async Task<Dictionary<string, byte[]>> ReadMarksAsync(Stream tar, ImageLimits limits, CancellationToken cancellation)
    {
        var marks = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        await using var reader = new TarReader(tar, leaveOpen: true);
        while (await ImageArchive.NextAsync(reader, cancellation) is { } entry)
        {
            if (!ImageArchive.IsPlain(entry.EntryType) || ImageArchive.PathOf(entry.Name, limits) is var path && !Disc.Marks.Contains(path))
                continue;
            if (entry.Length > Disc.LargestMark)
                throw ImageArchive.Refused(path, $"has {entry.Length:N0} bytes; at most {Disc.LargestMark:N0} are read");
            var content = new MemoryStream();
            await ImageArchive.ReadAsync(entry, async part => await content.WriteAsync(part, cancellation), cancellation);
            marks[path] = content.ToArray();
        }
        return marks;
    }

    /// <summary>Unpacks what is wanted into a staging directory.</summary>
    /// <exception cref="ChangeRefusedException">Something on the disc is not acceptable; the caller removes the staging directory.</exception>
    /// <exception cref="ArchiveDamagedException">The stream is not whole.</exception>
    public async Task<DiscContents> UnpackAsync(Stream tar, string directory, Func<string, bool> takes, CancellationToken cancellation)
    {
        await using var reader = new TarReader(tar, leaveOpen: true);
        while (await ImageArchive.NextAsync(reader, cancellation) is { } entry)
        {
            if (entry.EntryType is TarEntryType.GlobalExtendedAttributes)
                continue;
            var path = ImageArchive.PathOf(entry.Name, limits);
            if (names.Count > 10 * limits.MaxFiles)
                throw ImageArchive.Refused(path, $"is one name too many; a disc may have {10 * limits.MaxFiles:N0}");
            if (entry.EntryType is TarEntryType.Directory)
            {
                names.AddDirectory(path);
                continue;
            }
            if (path.Length == 0)
                throw ImageArchive.Refused(entry.Name, "is a file without a name");
            switch (entry.EntryType)
            {
                case TarEntryType.SymbolicLink:
                    names.AddLink(path);
                    if (LeavesDisc(path, entry.LinkName))
                        throw ImageArchive.Refused(path, $"is a symbolic link to '{ImageArchive.Shorten(entry.LinkName)}', outside the disc");
                    break;
                case TarEntryType.HardLink:
                    Link(path, entry.LinkName, directory, takes);
                    break;
                case var plain when ImageArchive.IsPlain(plain):
                    await FileAsync(entry, path, directory, takes, cancellation);
                    break;
                default:
                    throw ImageArchive.Refused(path, $"is a {ImageArchive.Name(entry.EntryType)}; a disc has files, directories and links only");
            }
        }
        return new([.. files.Values], [.. links], compared.Count);
    }

    /// <summary>After all of it came: what the disc's list names and the disc does not have.</summary>
    public void RefuseMissing()
    {
        foreach (var path in disc.Sha256.Keys.Concat(disc.Md5.Keys.Order(StringComparer.Ordinal)))
        {
            // Debian's tools list files by every way that leads to them.
            if (!names.HasFile(path) && !names.LeadsThroughLink(path) && !IsWrittenLater(path))
                throw ImageArchive.Refused(path, $"is in the disc's own {disc.ListedIn} and not on the disc");
        }
    }

    private async Task FileAsync(TarEntry entry, string path, string directory, Func<string, bool> takes, CancellationToken cancellation)
    {
        names.AddFile(path);
        // What shares its bytes is a further name of one file, so all of them together are no more than the disc.
        if (entry.Length > volumeBytes - total)
            throw ImageArchive.Refused(path, entry.Length > volumeBytes
                ? $"claims {entry.Length:N0} bytes, and the whole disc has {volumeBytes:N0}"
                : $"makes the files larger than the disc they are on, which has {volumeBytes:N0} bytes");
        total += entry.Length;

        var sha256 = disc.Sha256.GetValueOrDefault(path);
        var md5 = IsWrittenLater(path) ? null : disc.Md5.GetValueOrDefault(path);
#pragma warning disable CA5351 // Debian and Ubuntu list their discs so; it finds damage, nobody is kept out by it.
        using var oldSum = md5 is null ? null : IncrementalHash.CreateHash(HashAlgorithmName.MD5);
#pragma warning restore CA5351
        string? newSum = null;
        if (takes(path))
        {
            if (files.Count == limits.MaxFiles)
                throw ImageArchive.Refused(path, $"is one file too many; an image takes at most {limits.MaxFiles:N0} files");
            if (entry.Length > freeBytes() - limits.KeepFreeBytes)
                throw ImageArchive.NoSpace(path, entry.Length);
            var file = files[path] = await ImageArchive.WriteAsync(entry, path, directory, oldSum, cancellation);
            newSum = file.Sha256;
        }
        else
        {
            using var hash = sha256 is null ? null : IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            await ImageArchive.ReadAsync(entry, part =>
            {
                hash?.AppendData(part.Span);
                oldSum?.AppendData(part.Span);
                return ValueTask.CompletedTask;
            }, cancellation);
            newSum = hash is null ? null : Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        Compare(path, "SHA-256", sha256, newSum);
        Compare(path, "MD5", md5, oldSum is null ? null : Convert.ToHexStringLower(oldSum.GetHashAndReset()));
    }

    private void Compare(string path, string kind, string? listed, string? found)
    {
        if (listed is null)
            return;
        if (listed != found)
            throw ImageArchive.Refused(path, $"has {kind} {found} and {listed} in the disc's own {disc.ListedIn}: the ISO image is damaged, or is not what it claims to be");
        compared.Add(path);
    }

    // libarchive makes a file that begins where another does a hard link to it: RHEL's isolinux/vmlinuz and images/pxeboot/vmlinuz are one.
    private void Link(string path, string targetName, string directory, Func<string, bool> takes)
    {
        var target = ImageArchive.PathOf(targetName, limits);
        names.AddFile(path);
        if (!names.HasFile(target) || target == path)
            throw ImageArchive.Refused(path, $"is a hard link to '{ImageArchive.Shorten(targetName)}', which is no file before it on the disc");
        if (!takes(path))
            return;
        if (!files.TryGetValue(target, out var file))
        {
            links.Add(new(path, target));
            return;
        }
        if (file.Size > freeBytes() - limits.KeepFreeBytes)
            throw ImageArchive.NoSpace(path, file.Size);
        Add(file with { Path = path }, directory, Path.Combine(directory, target));
    }

    private void Add(StagedFile file, string directory, string from)
    {
        var to = Path.Combine(directory, file.Path);
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        File.Copy(from, to);
        Compare(file.Path, "SHA-256", disc.Sha256.GetValueOrDefault(file.Path), file.Sha256);
        files[file.Path] = file;
    }

    private static bool LeavesDisc(string path, string target)
    {
        if (target.StartsWith('/'))
            return true;
        var depth = path.Count(c => c == '/');
        foreach (var part in target.Split('/'))
        {
            depth += part switch { "" or "." => 0, ".." => -1, _ => 1 };
            if (depth < 0)
                return true;
        }
        return false;
    }

    // A boot image gets a table of where it lies on the disc (El Torito's boot information table), and the catalogue names it: both are
    // written after the list of sums.
    private static bool IsWrittenLater(string path) =>
        path is "isolinux/isolinux.bin" or "isolinux/boot.cat" or "boot.catalog" or "boot/grub/i386-pc/eltorito.img" or "md5sum.txt";
}
