using System.Formats.Tar;
using CsCheck;
using Provisioner.Boot;
using Provisioner.Images;
using Provisioner.Resources;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Images;

/// <summary>What no maker of ISO images makes, and a reader of them might be led to say.</summary>
public sealed class DiscArchiveTests : IDisposable
{
    private static readonly Disc AnyDisc = new(DistributionFamily.Rhel, "rhel", "9.4", CpuArchitecture.X64, "vmlinuz", "initrd.img");

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task A_file_may_have_two_names()
    {
        var contents = await UnpackAsync(BootFiles.Tar(writer =>
        {
            writer.WriteEntry(File("isolinux/vmlinuz", 5));
            writer.WriteEntry(Link(TarEntryType.HardLink, "images/vmlinuz", "isolinux/vmlinuz"));
        }));
        Assert.Equal(["isolinux/vmlinuz", "images/vmlinuz"], contents.Files.Select(f => f.Path));
        Assert.Equal(contents.Files[0].Sha256, contents.Files[1].Sha256);
        Assert.Equal(5, new FileInfo(Path.Combine(directory.Path, "images/vmlinuz")).Length);
    }

    [Fact]
    public async Task The_second_name_of_what_is_left_behind_is_told()
    {
        var contents = await UnpackAsync(BootFiles.Tar(writer =>
        {
            writer.WriteEntry(File("isolinux/vmlinuz", 5));
            writer.WriteEntry(Link(TarEntryType.HardLink, "images/vmlinuz", "isolinux/vmlinuz"));
        }), takes: path => path.StartsWith("images/", StringComparison.Ordinal));
        Assert.Empty(contents.Files);
        Assert.Equal([new DiscLink("images/vmlinuz", "isolinux/vmlinuz")], contents.Links);
    }

    [Theory]
    [InlineData(TarEntryType.HardLink, "a", "/etc/shadow", "is an absolute path")]
    [InlineData(TarEntryType.HardLink, "a", "../shadow", "leaves the image's directory by '..'")]
    [InlineData(TarEntryType.HardLink, "a", "later", "'a' is a hard link to 'later', which is no file before it on the disc")]
    [InlineData(TarEntryType.HardLink, "a", "a", "'a' is a hard link to 'a', which is no file before it on the disc")]
    [InlineData(TarEntryType.SymbolicLink, "a", "..", "'a' is a symbolic link to '..', outside the disc")]
    [InlineData(TarEntryType.SymbolicLink, "d/e", "../../x", "'d/e' is a symbolic link to '../../x', outside the disc")]
    [InlineData(TarEntryType.SymbolicLink, "d/e", "f/../../../d/x", "'d/e' is a symbolic link to 'f/../../../d/x', outside the disc")]
    [InlineData(TarEntryType.BlockDevice, "a", null, "'a' is a device")]
    public async Task Refuses_links_that_lead_out(TarEntryType type, string path, string? target, string reason)
    {
        Assert.Contains(reason, await RefusedAsync(BootFiles.Tar(writer => writer.WriteEntry(Link(type, path, target)))), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
    }

    [Theory]
    [InlineData("d", "d/a")]
    [InlineData("d", "d/b/a")]
    [InlineData("d", "d")]
    public async Task Refuses_what_lies_below_a_link(string link, string file)
    {
        Assert.Contains($"'{file}' ", await RefusedAsync(BootFiles.Tar(writer =>
        {
            writer.WriteEntry(Link(TarEntryType.SymbolicLink, link, "elsewhere"));
            writer.WriteEntry(File(file, 1));
        })), StringComparison.Ordinal);
        Assert.Contains($"'{link}' is in the archive twice", await RefusedAsync(BootFiles.Tar(writer =>
        {
            writer.WriteEntry(File(file, 1));
            writer.WriteEntry(Link(TarEntryType.SymbolicLink, link, "elsewhere"));
        })), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_files_that_are_larger_than_their_disc()
    {
        Assert.Contains("'a' claims 1,001 bytes, and the whole disc has 1,000", await RefusedAsync(BootFiles.Tar(writer => writer.WriteEntry(File("a", 1001)))), StringComparison.Ordinal);
        Assert.Contains("'b' makes the files larger than the disc", await RefusedAsync(BootFiles.Tar(writer =>
        {
            writer.WriteEntry(File("a", 600));
            writer.WriteEntry(File("b", 600));
        })), StringComparison.Ordinal);
    }

    [Fact]
    public Task Any_damage_gives_files_or_a_refusal_and_stays_inside()
    {
        var whole = BootFiles.Tar(writer =>
        {
            writer.WriteEntry(File("a/kernel", 700));
            writer.WriteEntry(Link(TarEntryType.HardLink, "b", "a/kernel"));
            writer.WriteEntry(Link(TarEntryType.SymbolicLink, "c", "a"));
        }).ToArray();
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
                await new DiscArchive(AnyDisc, 1000, new ImageLimits(), () => long.MaxValue).UnpackAsync(new MemoryStream(bytes, 0, length), inside, _ => true, CancellationToken.None);
            }
            catch (Exception exception) when (exception is ChangeRefusedException or ArchiveDamagedException)
            {
                // A reason, as it should be.
            }
            Assert.Equal([inside], Directory.GetFileSystemEntries(own.Path));
        }, iter: 200);
    }

    private static PaxTarEntry File(string path, int size) => new(TarEntryType.RegularFile, path) { DataStream = new MemoryStream(new byte[size]) };

    private static PaxTarEntry Link(TarEntryType type, string path, string? target)
    {
        var entry = new PaxTarEntry(type, path);
        if (target is not null)
            entry.LinkName = target;
        return entry;
    }

    private async Task<string> RefusedAsync(Stream tar)
    {
        directory.Empty();
        return (await Assert.ThrowsAsync<ChangeRefusedException>(() => UnpackAsync(tar))).Message;
    }

    private Task<DiscContents> UnpackAsync(Stream tar, Func<string, bool>? takes = null) =>
        new DiscArchive(AnyDisc, 1000, new ImageLimits(), () => long.MaxValue).UnpackAsync(tar, directory.Path, takes ?? (_ => true), CancellationToken.None);
}
