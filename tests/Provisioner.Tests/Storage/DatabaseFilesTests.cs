using Provisioner.Storage;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Storage;

public sealed class DatabaseFilesTests : IDisposable
{
    private static readonly byte[] Page = new byte[8192];

    private readonly TemporaryDirectory directory = new();

    private string Database => directory["provisioner.db"];

    private string Log => directory["provisioner-log.db"];

    [Fact]
    public void Held_the_log_is_synchronised_once_and_before_the_data_file_is_written()
    {
        using var files = new DatabaseFiles(Database);
        files.Hold();
        for (var page = 0; page < 3; page++)
        {
            files.Log.Write(Page, 0, Page.Length);
            files.Log.Flush();
            Assert.False(files.LogIsOnDisk);
        }
        files.Data.Write(Page, 0, Page.Length);
        Assert.True(files.LogIsOnDisk);
    }

    [Fact]
    public void The_log_is_on_the_disk_before_the_data_file_is_written_though_nobody_asked()
    {
        using var files = new DatabaseFiles(Database);
        files.Log.Write(Page, 0, Page.Length);
        Assert.False(files.LogIsOnDisk);
        files.Data.Write(Page, 0, Page.Length);
        Assert.True(files.LogIsOnDisk);
    }

    [Fact]
    public void What_was_held_back_is_made_up_for_at_the_release_and_nothing_after_it()
    {
        using var files = new DatabaseFiles(Database);
        files.Hold();
        files.Log.Write(Page, 0, Page.Length);
        files.Log.Flush();
        files.Release();
        Assert.True(files.LogIsOnDisk);
        files.Log.Write(Page, 0, Page.Length);
        files.Log.Flush();
        Assert.True(files.LogIsOnDisk);
    }

    [Fact]
    public void Keeps_a_log_that_holds_something_and_removes_an_empty_one()
    {
        using (var files = new DatabaseFiles(Database))
            files.Log.Write(Page, 0, Page.Length);
        Assert.Equal(Page.Length, new FileInfo(Log).Length);
        using (var files = new DatabaseFiles(Database))
            files.Log.SetLength(0);
        Assert.False(File.Exists(Log));
    }

    [Fact]
    public void Leaves_nothing_open_when_the_data_file_cannot_be_opened()
    {
        Directory.CreateDirectory(Database);
        Assert.ThrowsAny<Exception>(() => new DatabaseFiles(Database).Dispose());
        using var log = new FileStream(Log, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Assert.Equal(0, log.Length);
    }

    public void Dispose() => directory.Dispose();
}
