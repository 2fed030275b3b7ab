using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Provisioner.Backup.Age;
using Provisioner.Storage;

namespace Provisioner.Backup;

/// <summary>What was restored.</summary>
/// <param name="SetAside">Where what was there before is now; null when there was nothing.</param>
/// <param name="Configuration">Where the configuration was put; null when the backup has none.</param>
/// <param name="JournalKept">The journal that was there goes on where the backup's ends, so that it was kept: certificates issued after the backup are known.</param>
internal sealed record Restored(BackupManifest Manifest, string? SetAside, string? Configuration, bool JournalKept);

/// <summary>
/// Brings a backup back. It is read, compared and opened beside the data directory first; only when all of it is right, names change. Until then
/// nothing has changed, and afterwards what was there before is there still, under another name.
/// </summary>
internal static partial class Restore
{
    /// <summary>Where the data directory is a mount point, what was there before is in a directory inside it whose name begins so.</summary>
    public const string AsidePrefix = "before-";

    private const string Journal = "certificates.journal";

    /// <exception cref="BackupException">It cannot be restored; says why. Nothing was changed.</exception>
    public static async Task<Restored> RunAsync(string file, string directory, AgeUnlock by, bool replace, string? configurationFile, TimeProvider time, CancellationToken ct)
    {
        directory = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        using var held = Claim(directory, replace);
        if (configurationFile is not null && File.Exists(configurationFile))
            throw new BackupException($"there is a configuration in {configurationFile} already: name another file, or leave --config out");
        // A mount point cannot be renamed: there, the new files are made inside.
        var isMount = Directory.Exists(directory) && IsMountPoint(directory);
        var suffix = $"{time.GetUtcNow().UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture)}";
        var staging = isMount ? Path.Combine(directory, $".restoring-{suffix}") : $"{directory}.restoring-{suffix}";
        try
        {
            Directory.CreateDirectory(staging, BackupArchive.PrivateDirectory);
            var manifest = await ExtractAsync(file, staging, by, ct);
            var fresh = Path.Combine(staging, "data");
            var journalKept = KeepJournal(directory, fresh);
            BackupArchive.Verify(fresh, manifest, journalKept);
            var configuration = PlaceConfiguration(staging, fresh, configurationFile);
            GiveTo(directory, fresh);
            SyncAll(fresh);
            var aside = isMount ? MoveInto(fresh, directory, suffix) : Swap(fresh, directory, suffix);
            return new Restored(manifest, aside, configuration, journalKept);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException($"it cannot be written there: {e.Message}", e);
        }
        finally
        {
            if (Directory.Exists(staging))
                Directory.Delete(staging, recursive: true);
        }
    }

    private static async Task<BackupManifest> ExtractAsync(string file, string staging, AgeUnlock by, CancellationToken ct)
    {
        try
        {
            await using var input = File.OpenRead(file);
            await using var age = await AgeReader.OpenAsync(input, by, ct);
            return await BackupArchive.ExtractAsync(age, staging, keepImages: true, ct);
        }
        catch (AgeException e)
        {
            throw new BackupException(e.Message, e);
        }
    }

    /// <summary>Makes sure that no service works there, and that nothing is lost without being asked for.</summary>
    private static DirectoryLock? Claim(string directory, bool replace)
    {
        if (!Directory.Exists(directory))
            return null;
        if (!replace && Directory.EnumerateFileSystemEntries(directory).Select(Path.GetFileName).FirstOrDefault(n => n is not "lost+found") is { } there)
            throw new BackupException($"{directory} is not empty ('{there}' is in it): name an empty directory, or say --replace, which keeps what is there under another name");
        try
        {
            return File.Exists(Path.Combine(directory, "provisioner.lock")) ? DirectoryLock.Take(directory) : null;
        }
        catch (StoreException e)
        {
            throw new BackupException(e.Message, e);
        }
    }

    // What the old journal has beyond the backup was issued since: forgotten, those certificates could not be revoked.
    private static bool KeepJournal(string directory, string fresh)
    {
        var (old, restored) = (Path.Combine(directory, Journal), Path.Combine(fresh, Journal));
        if (!File.Exists(old) || new FileInfo(old).Length <= new FileInfo(restored).Length)
            return false;
        using (var longer = File.OpenRead(old))
        using (var shorter = File.OpenRead(restored))
        {
            var (one, other) = (new byte[64 * 1024], new byte[64 * 1024]);
            while (shorter.ReadAtLeast(other, other.Length, throwOnEndOfStream: false) is var read and > 0)
            {
                longer.ReadExactly(one, 0, read);
                if (!one.AsSpan(0, read).SequenceEqual(other.AsSpan(0, read)))
                    return false;
            }
        }
        File.Copy(old, restored, overwrite: true);
        return true;
    }

    private static string? PlaceConfiguration(string staging, string fresh, string? wanted)
    {
        var restored = Path.Combine(staging, BackupFile.Configuration);
        if (!File.Exists(restored))
            return null;
        if (wanted is not null)
        {
            File.Copy(restored, wanted);
            return wanted;
        }
        Directory.CreateDirectory(Path.Combine(fresh, "restored"), BackupArchive.PrivateDirectory);
        File.Move(restored, Path.Combine(fresh, "restored", BackupFile.Configuration));
        return Path.Combine("restored", BackupFile.Configuration);
    }

    // Restored by root, the files are the service's user's, whose directory it was.
    private static void GiveTo(string directory, string fresh)
    {
        if (!Directory.Exists(directory) || !Environment.IsPrivilegedProcess)
            return;
        File.SetUnixFileMode(fresh, File.GetUnixFileMode(directory));
        using var chown = Process.Start(new ProcessStartInfo("chown") { ArgumentList = { "-R", "--reference", directory, "--", fresh }, RedirectStandardError = true, UseShellExecute = false })!;
        var error = chown.StandardError.ReadToEnd();
        chown.WaitForExit();
        if (chown.ExitCode != 0)
            throw new BackupException($"the restored files cannot be given to the owner of {directory}: {error.Trim()}");
    }

    private static void SyncAll(string directory)
    {
        foreach (var inside in Directory.EnumerateDirectories(directory))
            SyncAll(inside);
        DirectorySync.Flush(directory);
    }

    private static string? Swap(string fresh, string directory, string suffix)
    {
        string? aside = null;
        if (!Directory.Exists(directory))
        {
            Directory.Move(fresh, directory);
        }
        else
        {
            // In one step: a service that started in between would begin anew, with another authority.
            if (Exchange(AtWorkingDirectory, fresh, AtWorkingDirectory, directory, ExchangeBoth) != 0)
                throw new IOException($"{directory} cannot be exchanged: {Marshal.GetLastPInvokeErrorMessage()}");
            if (Directory.EnumerateFileSystemEntries(fresh).Any())
                Directory.Move(fresh, aside = $"{directory}.before-{suffix}");
        }
        DirectorySync.Flush(Path.GetDirectoryName(directory)!);
        return aside;
    }

    private const int AtWorkingDirectory = -100; // AT_FDCWD

    private const uint ExchangeBoth = 2; // RENAME_EXCHANGE

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Exchange(int fromDirectory, string from, int toDirectory, string to, uint flags);

    // The database comes last: until it is there, a service that starts refuses, because its sequence says that there was one.
    private static string? MoveInto(string fresh, string directory, string suffix)
    {
        var old = Directory.EnumerateFileSystemEntries(directory).Where(e => !fresh.StartsWith(e, StringComparison.Ordinal) && Path.GetFileName(e) != "lost+found").ToList();
        string? aside = null;
        if (old.Count > 0)
        {
            aside = Path.Combine(directory, AsidePrefix + suffix);
            Directory.CreateDirectory(aside, BackupArchive.PrivateDirectory);
            foreach (var entry in old.OrderBy(e => Path.GetFileName(e) == "provisioner.db" ? 0 : 1))
                Directory.Move(entry, Path.Combine(aside, Path.GetFileName(entry)));
        }
        foreach (var entry in Directory.EnumerateFileSystemEntries(fresh).OrderBy(e => Path.GetFileName(e) switch { "provisioner.sequence" => 0, "provisioner.db" => 2, _ => 1 }).ToImmutableArray())
            Directory.Move(entry, Path.Combine(directory, Path.GetFileName(entry)));
        DirectorySync.Flush(directory);
        return aside;
    }

    private static bool IsMountPoint(string directory) => File.ReadLines("/proc/self/mountinfo").Select(l => l.Split(' ')).Any(f => f.Length > 4 && f[4].Replace(@"\040", " ", StringComparison.Ordinal) == directory);
}
