using System.Runtime.InteropServices;

namespace Provisioner.Storage;

/// <summary>
/// fsync(2) of a directory: a file that was made or renamed in it is there after a power failure only then. .NET does not open directories.
/// </summary>
internal static partial class DirectorySync
{
    private const int ReadOnly = 0, Directory = 0x10000, CloseOnExec = 0x80000;

    // O_DIRECTORY differs on arm64 (asm/fcntl.h); opened without it, a directory is a directory still.
    private static readonly int Flags = ReadOnly | CloseOnExec | (RuntimeInformation.ProcessArchitecture == Architecture.X64 ? Directory : 0);

    /// <exception cref="IOException">The directory cannot be opened or synchronised.</exception>
    public static void Flush(string directory)
    {
        var descriptor = Open(directory, Flags);
        if (descriptor < 0)
            throw new IOException($"{directory} cannot be opened: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        try
        {
            if (Fsync(descriptor) != 0)
                throw new IOException($"{directory} cannot be synchronised: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
