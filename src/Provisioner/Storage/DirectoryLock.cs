using System.Globalization;

namespace Provisioner.Storage;

/// <summary>
/// The data directory belongs to one process: LiteDB takes no lock on Linux, and a second process would silently undo the first
/// one's writes. The lock (flock, by <see cref="FileShare.None"/>) ends with the process, whatever ends it.
/// </summary>
internal sealed class DirectoryLock : IDisposable
{
    private readonly FileStream held;

    private DirectoryLock(FileStream held) => this.held = held;

    /// <exception cref="StoreException">Another process holds it, or the directory cannot be written.</exception>
    public static DirectoryLock Take(string directory)
    {
        var path = Path.Combine(directory, "provisioner.lock");
        // Beside the lock, because a locked file cannot be read by those who are shut out.
        var holder = Path.Combine(directory, "provisioner.pid");
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StoreException($"{path} cannot be written by this user: give the data directory to the service's user, or choose another by --data", e);
        }
        catch (IOException e) when (File.Exists(path))
        {
            throw new StoreException($"{directory} is in use by {Holder(holder)}: stop that one first, or choose another directory by --data", e);
        }
        catch (IOException e)
        {
            throw new StoreException($"{path} cannot be made: {e.Message}", e);
        }
        try
        {
            File.WriteAllText(holder, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Only a message to others; the lock is held without it.
        }
        return new DirectoryLock(file);
    }

    public void Dispose() => held.Dispose();

    private static string Holder(string path)
    {
        try
        {
            return int.TryParse(File.ReadAllText(path), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? $"another process, {pid}" : "another process";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "another process";
        }
    }
}
