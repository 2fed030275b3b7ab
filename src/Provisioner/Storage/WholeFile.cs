namespace Provisioner.Storage;

/// <summary>A file that is there whole, or as it was before, whatever happens; and on the disk when it was written.</summary>
internal static class WholeFile
{
    /// <exception cref="IOException">It cannot be written; it is as it was before.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        var fresh = path + ".new";
        File.Delete(fresh);
        using (var stream = new FileStream(fresh, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode }))
        {
            stream.Write(content);
            stream.Flush(flushToDisk: true);
        }
        // The mask of the process may have taken some of it.
        File.SetUnixFileMode(fresh, mode);
        File.Move(fresh, path, overwrite: true);
        DirectorySync.Flush(Path.GetDirectoryName(path)!);
    }
}
