using Provisioner.Cli;
using Provisioner.Joining;

namespace Provisioner.Doctor;

/// <summary>Whether there is room to write. Asked of the service, and by the command itself when no service runs.</summary>
internal static class DiskChecks
{
    /// <summary>From here on nobody can say how long it lasts.</summary>
    private const long LeastBytes = 100_000_000;

    /// <summary>A large disk needs no warning at a tenth.</summary>
    private const long EnoughBytes = 20_000_000_000;

    private const string Breaks = "Nothing can be registered, provisioned or enrolled any more; booting goes on.";

    /// <summary>Tries it: a disk that met an error takes no writes, whatever it says of itself.</summary>
    public static IEnumerable<Finding> Writable(string directory)
    {
        var probe = Path.Combine(directory, $".write-test-{Environment.ProcessId}");
        try
        {
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
            return [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [NotWritable($"Nothing can be written into {directory}: {e.Message}.")];
        }
    }

    private static Finding NotWritable(string found) => new("disk-writable", Verdict.Fail, found, Breaks,
        "See 'dmesg' for errors of the disk: the kernel mounts a damaged file system read-only. Repair it with fsck, or replace it and restore a backup; then mount it for writing, and restart the service.");

    public static IEnumerable<Finding> Of(string directory)
    {
        FileSystemUsage usage;
        try
        {
            usage = FileSystemUsage.Of(directory);
        }
        catch (IOException e)
        {
            return [new Finding("disk-space", Verdict.Fail, $"The data directory cannot be looked at: {e.Message}.", "The service cannot run.", "Make it, or name another with --data.")];
        }
        return Of(directory, usage);
    }

    /// <summary>Pure.</summary>
    internal static IEnumerable<Finding> Of(string directory, FileSystemUsage usage)
    {
        if (usage.IsReadOnly)
            yield return NotWritable($"The disk of {directory} is mounted read-only.");
        var room = $"{Words.Size(usage.FreeBytes)} of {Words.Size(usage.TotalBytes)} are free on the disk of {directory}";
        var percent = usage.TotalBytes == 0 ? 0 : usage.FreeBytes * 100.0 / usage.TotalBytes;
        const string MakeRoom = "Remove images that no profile names ('provisioner delete image NAME'), make the cache smaller (artifacts.maximumSize), keep fewer backups (backup.keep), or give the disk more room.";
        yield return usage.FreeBytes < LeastBytes || percent < 1 ? new Finding("disk-space", Verdict.Fail, $"Only {room}.", Breaks, MakeRoom)
            : percent < 10 && usage.FreeBytes < EnoughBytes ? new Finding("disk-space", Verdict.Warn, $"Only {room}.", $"When it is full: {Breaks}", MakeRoom)
            : new Finding("disk-space", Verdict.Pass, $"{room}.", "", "");
        // Some file systems make inodes as they go, and say 0.
        if (usage.TotalInodes > 0)
        {
            var left = usage.FreeInodes * 100.0 / usage.TotalInodes;
            var inodes = $"{usage.FreeInodes} of {usage.TotalInodes} inodes are free on the disk of {directory}";
            const string FewerFiles = "Find what makes so many files: 'du --inodes -x -d 2 DIRECTORY | sort -n'.";
            yield return left < 1 ? new Finding("disk-inodes", Verdict.Fail, $"Only {inodes}.", Breaks, FewerFiles)
                : left < 5 ? new Finding("disk-inodes", Verdict.Warn, $"Only {inodes}.", $"When there are none: {Breaks}", FewerFiles)
                : new Finding("disk-inodes", Verdict.Pass, $"{inodes}.", "", "");
        }
    }
}
