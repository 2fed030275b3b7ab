using Provisioner.Storage;

namespace Provisioner.Backup;

/// <summary>Where backups are kept.</summary>
internal interface IBackupPlace
{
    /// <summary>For people, such as a path or <c>s3://BUCKET/PREFIX</c>.</summary>
    string Name { get; }

    /// <exception cref="BackupException">It cannot be asked.</exception>
    Task<IReadOnlyList<KeptBackup>> ListAsync(CancellationToken ct);

    /// <exception cref="BackupException">It was not removed.</exception>
    Task RemoveAsync(KeptBackup backup, CancellationToken ct);
}

/// <summary>A directory of this machine.</summary>
internal sealed class BackupDirectory(string path) : IBackupPlace
{
    private const UnixFileMode OwnerAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public string Name => path;

    public string PathOf(string name) => Path.Combine(path, name);

    public Task<IReadOnlyList<KeptBackup>> ListAsync(CancellationToken ct) => Task.FromResult(List());

    public IReadOnlyList<KeptBackup> List()
    {
        try
        {
            return !Directory.Exists(path) ? [] : [.. new DirectoryInfo(path).EnumerateFiles().Select(f => (File: f, At: BackupNames.TimeOf(f.Name))).Where(f => f.At is not null).Select(f => new KeptBackup(f.File.Name, f.At!.Value, f.File.Length))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException($"the backups in {path} cannot be listed: {e.Message}", e);
        }
    }

    /// <summary>Writes a file there: beside its place first, on the disk, then renamed. Whatever happens in between, there is the whole file or none.</summary>
    public async Task<T> WriteAsync<T>(string name, Func<Stream, Task<T>> write)
    {
        try
        {
            if (!Directory.Exists(path))
                Directory.CreateDirectory(path, OwnerAlone | UnixFileMode.UserExecute);
            return await WriteFileAsync(PathOf(name), write);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException($"the backup cannot be written into {path}: {e.Message}", e);
        }
    }

    /// <inheritdoc cref="WriteAsync"/>
    public static async Task<T> WriteFileAsync<T>(string path, Func<Stream, Task<T>> write)
    {
        var beside = path + ".new";
        try
        {
            T result;
            await using (var file = new FileStream(beside, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = OwnerAlone, Options = FileOptions.Asynchronous }))
            {
                result = await write(file);
                file.Flush(flushToDisk: true);
            }
            File.Move(beside, path, overwrite: true);
            DirectorySync.Flush(Path.GetDirectoryName(Path.GetFullPath(path))!);
            return result;
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }

    public Task RemoveAsync(KeptBackup backup, CancellationToken ct)
    {
        try
        {
            File.Delete(PathOf(backup.Name));
            return Task.CompletedTask;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException($"{PathOf(backup.Name)} cannot be removed: {e.Message}", e);
        }
    }
}
