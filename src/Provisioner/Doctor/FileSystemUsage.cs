using System.Runtime.InteropServices;

namespace Provisioner.Doctor;

/// <summary>How full a file system is (statvfs(3)), for those who are not root.</summary>
internal sealed partial record FileSystemUsage(long TotalBytes, long FreeBytes, long TotalInodes, long FreeInodes, bool IsReadOnly)
{
    private const ulong ReadOnlyFlag = 1; // ST_RDONLY

    /// <exception cref="IOException">There is no such directory.</exception>
    public static FileSystemUsage Of(string directory)
    {
        if (StatVfs(directory, out var status) != 0)
            throw new IOException($"{directory}: {Marshal.GetLastPInvokeErrorMessage()}");
        return new FileSystemUsage((long)(status.Blocks * status.FragmentSize), (long)(status.BlocksAvailable * status.FragmentSize), (long)status.Files, (long)status.FilesAvailable, (status.Flags & ReadOnlyFlag) != 0);
    }

    [LibraryImport("libc", EntryPoint = "statvfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatVfs(string path, out Status status);

    // struct statvfs of 64-bit Linux, the same for x86-64 and arm64 in glibc and musl.
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Status
    {
        [FieldOffset(8)]
        public ulong FragmentSize;

        [FieldOffset(16)]
        public ulong Blocks;

        [FieldOffset(32)]
        public ulong BlocksAvailable;

        [FieldOffset(40)]
        public ulong Files;

        [FieldOffset(56)]
        public ulong FilesAvailable;

        [FieldOffset(72)]
        public ulong Flags;
    }
}
