using System.Formats.Tar;
using CsCheck;
using Provisioner.Images;
using Provisioner.Resources;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Images;

public sealed class ImageArchiveTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Unpacks_and_hashes_plain_files()
    {
        var files = await UnpackAsync(BootFiles.Tar(("./a/kernel", BootFiles.BzImage()), ("empty", [])));
        Assert.Equal(["a/kernel", "empty"], files.Select(f => f.Path));
        Assert.Equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", files[1].Sha256);
        Assert.Equal(BootFiles.BzImage(), await File.ReadAllBytesAsync(Path.Combine(directory.Path, "a/kernel")));
    }

    [Theory]
    [InlineData("../evil", "leaves the image's directory by '..'")]
    [InlineData("a/../../evil", "leaves the image's directory by '..'")]
    [InlineData("/etc/evil", "is an absolute path; names in an image are relative to its directory")]
    [InlineData("a//b", "has an empty part or a '.' in its path")]
    [InlineData("a\\b", "has the character U+005C in its name")]
    [InlineData("a\u0001b", "has the character U+0001 in its name")]
    public async Task Refuses_names_that_do_not_stay_inside(string name, string reason)
    {
        Assert.Contains(reason, await RefusedAsync(BootFiles.Tar((name, [1]))), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
        Assert.False(File.Exists(Path.Combine(Path.GetDirectoryName(directory.Path)!, "evil")));
    }

    [Fact]
    public async Task Refuses_overlong_names()
    {
        Assert.Contains("is longer than 512 bytes", await RefusedAsync(BootFiles.Tar((string.Join('/', Enumerable.Repeat("abcdefgh", 60)), [1]))), StringComparison.Ordinal);
        Assert.Contains("has a part longer than 255 bytes", await RefusedAsync(BootFiles.Tar((new string('a', 300), [1]))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TarEntryType.SymbolicLink, "symbolic link")]
    [InlineData(TarEntryType.HardLink, "hard link")]
    [InlineData(TarEntryType.CharacterDevice, "device")]
    [InlineData(TarEntryType.BlockDevice, "device")]
    [InlineData(TarEntryType.Fifo, "named pipe")]
    public async Task Refuses_everything_but_plain_files(TarEntryType type, string name)
    {
        var refusal = await RefusedAsync(BootFiles.Tar(writer =>
        {
            var entry = new PaxTarEntry(type, "dir/odd");
            if (type is TarEntryType.SymbolicLink or TarEntryType.HardLink)
                entry.LinkName = "/etc/shadow";
            writer.WriteEntry(entry);
        }));
        Assert.Contains($"'dir/odd' is a {name}; an image takes plain files and directories only", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_the_same_name_twice_and_a_file_below_a_file()
    {
        Assert.Contains("'a' is in the archive twice", await RefusedAsync(BootFiles.Tar(("a", [1]), ("a", [2]))), StringComparison.Ordinal);
        directory.Empty();
        Assert.Contains("'a/b' lies below 'a', which is a file", await RefusedAsync(BootFiles.Tar(("a", [1]), ("a/b", [2]))), StringComparison.Ordinal);
        directory.Empty();
        Assert.Contains("'a' is in the archive twice", await RefusedAsync(BootFiles.Tar(("a/b", [1]), ("a", [2]))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_too_many_files_and_too_many_bytes()
    {
        Assert.Contains("at most 2 files", await RefusedAsync(BootFiles.Tar(("a", [1]), ("b", [2]), ("c", [3])), new ImageLimits { MaxFiles = 2 }), StringComparison.Ordinal);
        directory.Empty();
        Assert.Contains("larger than 10 bytes", await RefusedAsync(BootFiles.Tar(("a", new byte[6]), ("b", new byte[6])), new ImageLimits { MaxBytes = 10 }), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_what_would_fill_the_disk()
    {
        var refusal = await RefusedAsync(BootFiles.Tar(("big", new byte[2000])), new ImageLimits { KeepFreeBytes = 1000 }, freeBytes: 2999);
        Assert.Contains("'big' needs 2,000 bytes and the data directory's file system has too little room", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(700)]
    [InlineData(1800)]
    [InlineData(3000)]
    public async Task Refuses_an_archive_that_ends_early(int length)
    {
        var whole = BootFiles.Tar(("kernel", BootFiles.BzImage())).ToArray();
        var refusal = await RefusedAsync(new MemoryStream(whole[..length]));
        Assert.Contains("cut short", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_what_is_no_archive_or_empty()
    {
        Assert.Contains("not a tar archive", await RefusedAsync(new MemoryStream([.. Enumerable.Repeat((byte)'x', 2048)])), StringComparison.Ordinal);
        Assert.Contains("holds no files", await RefusedAsync(new MemoryStream([])), StringComparison.Ordinal);
    }

    [Fact]
    public Task Any_damage_gives_files_or_a_refusal_and_stays_inside()
    {
        var whole = BootFiles.Tar(("a/kernel", new byte[700]), ("b", [1, 2, 3])).ToArray();
        return Gen.Select(Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte).Array[1, 6], Gen.Int[0, whole.Length]).SampleAsync(async (damage, length) =>
        {
            using var own = new TemporaryDirectory();
            var inside = Path.Combine(own.Path, "staging");
            Directory.CreateDirectory(inside);
            var bytes = whole.ToArray();
            foreach (var (at, value) in damage)
                bytes[at] = value;
            try
            {
                await ImageArchive.UnpackAsync(new MemoryStream(bytes, 0, length), inside, new ImageLimits(), () => long.MaxValue, CancellationToken.None);
            }
            catch (ChangeRefusedException)
            {
                // A reason, as it should be.
            }
            Assert.Equal([inside], Directory.GetFileSystemEntries(own.Path));
        }, iter: 300);
    }

    private async Task<string> RefusedAsync(Stream tar, ImageLimits? limits = null, long freeBytes = long.MaxValue) =>
        (await Assert.ThrowsAsync<ChangeRefusedException>(() => UnpackAsync(tar, limits, freeBytes))).Message;

    private async Task<IReadOnlyList<StagedFile>> UnpackAsync(Stream tar, ImageLimits? limits = null, long freeBytes = long.MaxValue) =>
        await ImageArchive.UnpackAsync(tar, directory.Path, limits ?? new ImageLimits(), () => freeBytes, CancellationToken.None);
}
