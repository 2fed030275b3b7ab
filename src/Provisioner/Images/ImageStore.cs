using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Provisioner.Storage;

namespace Provisioner.Images;

/// <summary>
/// Where image files are on disk: <c>ROOT/NAME/GENERATION/PATH</c>. A generation is written
/// elsewhere, moved into place whole, and never changed again, so whoever has a file open reads it to its end.
/// </summary>
/// <param name="root">Absolute path of the images directory inside the data directory.</param>
/// <param name="clock">Names new generations.</param>
public sealed partial class ImageStore(string root, TimeProvider? clock = null) : IDisposable
{
    private readonly TimeProvider time = clock ?? TimeProvider.System;

    /// <summary>One at a time: a new generation is moved in and registered, or old ones are swept.</summary>
    private readonly SemaphoreSlim lane = new(1, 1);

    /// <summary>Absolute path of the images directory.</summary>
    public string Root { get; } = root;

    private string Staging => Path.Combine(Root, ".staging");

    /// <summary>The absolute path of an imported file. Both values come from the store, never from a client.</summary>
    public string PathOf(Image image, ImageFile file) =>
        Path.Combine(Root, image.Name, image.Status.Generation ?? "", file.Path);

    /// <summary>The directory of all files of an image, or null before its import.</summary>
    public string? DirectoryOf(Image image) =>
        image.Status.Generation is { } generation ? Path.Combine(Root, image.Name, generation) : null;

    /// <summary>Bytes that can still be written where images are kept.</summary>
    public long FreeBytes()
    {
        Directory.CreateDirectory(Root);
        return new DriveInfo(Root).AvailableFreeSpace;
    }

    /// <summary>A new, empty directory that counts for nothing until <see cref="PublishAsync"/>.</summary>
    public string CreateStaging()
    {
        var directory = Path.Combine(Staging, Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(directory);
        return directory;
    }

    /// <summary>
    /// Makes what was staged the image's files: on disk for good (syncfs), moved in by one rename, registered by
    /// <paramref name="register"/>, and only then the generation before it removed. When registering fails nothing has changed.
    /// </summary>
    public async Task<T> PublishAsync<T>(string staging, string image, Func<string, Task<T>> register, CancellationToken cancellation)
    {
        var generation = string.Create(CultureInfo.InvariantCulture,
            $"{time.GetUtcNow():yyyyMMdd'T'HHmmss'Z'}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}");
        SyncFileSystem(staging);
        await lane.WaitAsync(cancellation);
        try
        {
            var directory = Path.Combine(Root, image, generation);
            Directory.CreateDirectory(Path.Combine(Root, image));
            Directory.Move(staging, directory);
            SyncFileSystem(Root);
            T registered;
            try
            {
                registered = await register(generation);
            }
            catch
            {
                Remove(directory);
                RemoveIfEmpty(Path.Combine(Root, image));
                throw;
            }
            RemoveGenerationsExcept(image, generation);
            return registered;
        }
        finally
        {
            lane.Release();
        }
    }

    /// <summary>
    /// After a start: removes what a killed import left behind. Directories of images nobody registered are named and kept:
    /// they may belong to a database that is about to be restored.
    /// </summary>
    public async Task<IReadOnlyList<string>> SweepAsync(Snapshot snapshot, CancellationToken cancellation)
    {
        await lane.WaitAsync(cancellation);
        try
        {
            Directory.CreateDirectory(Root);
            Remove(Staging);
            var unregistered = new List<string>();
            foreach (var name in Directory.EnumerateDirectories(Root).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal))
            {
                if (snapshot.Images.TryGetValue(name, out var image) && image.Status.Generation is { } generation)
                    RemoveGenerationsExcept(name, generation);
                else
                    unregistered.Add(Path.Combine(Root, name));
            }
            return unregistered;
        }
        finally
        {
            lane.Release();
        }
    }

    /// <summary>Removes the files of an image that was deleted; does nothing when it was registered anew meanwhile.</summary>
    public async Task RemoveDeletedAsync(string name, CurrentState state, CancellationToken cancellation)
    {
        await lane.WaitAsync(cancellation);
        try
        {
            if (!state.Snapshot.Images.ContainsKey(name))
                Remove(Path.Combine(Root, name));
        }
        finally
        {
            lane.Release();
        }
    }

    public void Dispose() => lane.Dispose();

    internal static void Remove(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Gone already, which is what was wanted.
        }
    }

    private void RemoveGenerationsExcept(string image, string generation)
    {
        foreach (var directory in Directory.EnumerateDirectories(Path.Combine(Root, image)))
        {
            if (Path.GetFileName(directory) != generation)
                Remove(directory);
        }
    }

    private static void RemoveIfEmpty(string directory)
    {
        if (!Directory.EnumerateFileSystemEntries(directory).Any())
            Directory.Delete(directory);
    }

    /// <summary>
    /// syncfs(2): one call for all files and directory entries of an import. .NET can flush a file but not a directory, and an
    /// fsync for each of ten thousand files would take minutes.
    /// </summary>
    private static void SyncFileSystem(string directory)
    {
        var descriptor = Open(directory, CloseOnExec);
        if (descriptor < 0)
            throw new IOException($"Cannot open '{directory}' to write it to disk: {Marshal.GetLastPInvokeErrorMessage()}.");
        try
        {
            if (SyncFs(descriptor) < 0)
                throw new IOException($"Cannot write '{directory}' to disk: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    /// <summary>O_RDONLY | O_CLOEXEC, the same on x86-64 and arm64.</summary>
    private const int CloseOnExec = 0x80000;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFs(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
