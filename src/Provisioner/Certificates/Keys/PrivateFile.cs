using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Provisioner.Certificates.Keys;

/// <summary>
/// Files that only the service's user may read. What is wrong with one is looked up on the open file, so that nothing can be put in
/// its place between the look and the reading.
/// </summary>
internal static partial class PrivateFile
{
    private const UnixFileMode FileMode600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode DirectoryMode700 = FileMode600 | UnixFileMode.UserExecute;

    private const int ENOENT = 2;
    private const int EACCES = 13;
    private const int ENOTDIR = 20;

    /// <summary>Reads a file whole into memory that the collector does not move, so that zeroing it leaves no copy behind.</summary>
    /// <param name="what">What it is, as the beginning of a sentence: "The key's file".</param>
    /// <param name="missing">What to do when it is not there, as a sentence.</param>
    /// <param name="isCredential">systemd made it: see <see cref="Problem"/>.</param>
    /// <exception cref="KeyStoreException">It is missing, is no file, is too long, or others can read it.</exception>
    public static byte[] Read(string path, int mostBytes, string what, string missing, bool isCredential = false)
    {
        using var file = Open(path, what, missing);
        var status = StatusOf(file, path, what);
        if (Problem(status, path, isCredential) is { } problem)
            throw new KeyStoreException($"{what} '{path}' {problem}");
        if (status.Size > (ulong)mostBytes)
            throw new KeyStoreException($"{what} '{path}' is {status.Size} bytes long, more than the {mostBytes} it may have: it is another file, or damaged.");
        var content = GC.AllocateArray<byte>((int)status.Size, pinned: true);
        try
        {
            var length = 0;
            while (length < content.Length && RandomAccess.Read(file, content.AsSpan(length), length) is var read and > 0)
                length += read;
            return length == content.Length ? content
                : throw new KeyStoreException($"{what} '{path}' became shorter while it was read: let nothing write to it and start again.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            CryptographicOperations.ZeroMemory(content);
            throw new KeyStoreException($"{what} '{path}' cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>
    /// Writes a new file: beside its place first, on disk, then renamed, and the name on disk as well. Whatever happens in between,
    /// there is either the whole file or none.
    /// </summary>
    /// <exception cref="KeyStoreException">It cannot be written, or is there.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, string what)
    {
        var directory = Path.GetDirectoryName(path)!;
        PrepareDirectory(directory);
        RemoveLeftovers(directory);
        if (File.Exists(path))
            throw new KeyStoreException($"{what} '{path}' is there already, and is never written over.");
        var temporary = Path.Combine(directory, $".{Path.GetFileName(path)}.{Guid.NewGuid():N}.tmp");
        try
        {
            using (var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = FileMode600 }))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true); // rename(2). Without 'overwrite', .NET copies where it cannot link, and a copy can end half-way.
            SyncDirectory(directory);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new KeyStoreException($"{what} '{path}' cannot be written: {exception.Message} Give '{directory}' to the service's user, and make room on its disk.", exception);
        }
    }

    /// <exception cref="KeyStoreException">It cannot be removed.</exception>
    public static void Delete(string path, string what)
    {
        try
        {
            File.Delete(path);
            if (Path.GetDirectoryName(path) is { } directory && Directory.Exists(directory))
                SyncDirectory(directory);
        }
        catch (DirectoryNotFoundException)
        {
            // Then the file is not there either.
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new KeyStoreException($"{what} '{path}' cannot be removed: {exception.Message}", exception);
        }
    }

    /// <summary>Makes the directory for its owner alone; one that is there must be so.</summary>
    /// <exception cref="KeyStoreException">It cannot be made, or others can use it.</exception>
    public static void PrepareDirectory(string directory)
    {
        try
        {
            if (!Directory.Exists(directory))
                Directory.CreateDirectory(directory, DirectoryMode700);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new KeyStoreException($"The directory '{directory}' cannot be made: {exception.Message}", exception);
        }
        CheckDirectory(directory);
    }

    /// <exception cref="KeyStoreException">Others can use it: who may write there can put another file in a key's place.</exception>
    public static void CheckDirectory(string directory)
    {
        const string What = "The directory";
        using var opened = Open(directory, What, "");
        var status = StatusOf(opened, directory, What);
        if ((status.Mode & 0b000_111_111) != 0)
            throw new KeyStoreException($"The directory '{directory}' is open to others (mode {Octal(status)}): keys are kept where their owner alone may look. Run: chmod 700 '{directory}'");
        if (!status.IsOwnerTrusted)
            throw new KeyStoreException($"The directory '{directory}' belongs to the user {status.Owner}, and the service runs as {GetEffectiveUserId()}. Run: chown {GetEffectiveUserId()} '{directory}'");
    }

    /// <summary>What others can do with the file that they must not, with what to do about it; null when it is private.</summary>
    private static string? Problem(Status status, string path, bool isCredential)
    {
        if (!status.IsRegular)
            return "is not a file. Name a regular file, or a link to one.";
        if (!status.IsOwnerTrusted)
            return $"belongs to the user {status.Owner}, who could change it; the service runs as {GetEffectiveUserId()}. Run: chown {GetEffectiveUserId()} '{path}'";
        // To let one user read a file of root's, systemd adds an entry to its access control list, and the list's mask shows where the group's
        // permission would be: 0440 (write_credential() in systemd's src/core/exec-credential.c; acl(5)).
        var forbidden = isCredential && status.Owner == 0 ? 0b000_011_111 : 0b000_111_111;
        return (status.Mode & forbidden) == 0 ? null
            : $"is open to others (mode {Octal(status)}), so what is in it may be known. Run: chmod 600 '{path}', and replace it if somebody else can have read it.";
    }

    /// <summary>O_NONBLOCK, because opening a named pipe would wait for a writer for ever.</summary>
    private static SafeFileHandle Open(string path, string what, string missing)
    {
        const int NonBlocking = 0x800, CloseOnExec = 0x80000; // The same on x86-64 and arm64; O_RDONLY is 0.
        var descriptor = Open(path, NonBlocking | CloseOnExec);
        if (descriptor >= 0)
            return new SafeFileHandle(descriptor, ownsHandle: true);
        var error = Marshal.GetLastPInvokeError();
        throw new KeyStoreException(error switch
        {
            ENOENT or ENOTDIR => $"{what} '{path}' is missing. {missing}".TrimEnd(),
            EACCES => $"{what} '{path}' cannot be read by the service's user, {GetEffectiveUserId()}. Run: chown {GetEffectiveUserId()} '{path}'",
            _ => $"{what} '{path}' cannot be opened: {Marshal.GetPInvokeErrorMessage(error)}.",
        });
    }

    /// <summary>statx(2), because .NET tells neither a file's owner nor its kind. Its layout is the same on every architecture.</summary>
    private static Status StatusOf(SafeFileHandle file, string path, string what)
    {
        const int EmptyPath = 0x1000 /* AT_EMPTY_PATH */, Wanted = 0x1 | 0x2 | 0x8 | 0x200; // STATX_TYPE, _MODE, _UID, _SIZE
        Span<byte> status = stackalloc byte[256];
        if (StatX(file, "", EmptyPath, Wanted, ref MemoryMarshal.GetReference(status)) != 0)
            throw new KeyStoreException($"{what} '{path}' cannot be looked at: {Marshal.GetLastPInvokeErrorMessage()}.");
        return new Status(
            BinaryPrimitives.ReadUInt32LittleEndian(status[20..]),
            BinaryPrimitives.ReadUInt16LittleEndian(status[28..]),
            BinaryPrimitives.ReadUInt64LittleEndian(status[40..]));
    }

    private static string Octal(Status status) => Convert.ToString(status.Mode & 0xFFF, 8).PadLeft(4, '0');

    /// <summary>What a crash left between writing and renaming. The data directory has one process, so nobody is writing them now.</summary>
    private static void RemoveLeftovers(string directory)
    {
        foreach (var leftover in Directory.EnumerateFiles(directory, ".*.tmp"))
            Delete(leftover, "The leftover");
    }

    private static void SyncDirectory(string directory)
    {
        using var opened = Open(directory, "The directory", "");
        if (FSync(opened) != 0)
            throw new IOException($"'{directory}' cannot be written to disk: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(SafeFileHandle directory, string path, int flags, uint mask, ref byte status);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUserId();

    private readonly record struct Status(uint Owner, ushort Mode, ulong Size)
    {
        public bool IsRegular => (Mode & 0xF000) == 0x8000;

        /// <summary>Who owns a file can always open it to others. The administrator can read everything anyway.</summary>
        public bool IsOwnerTrusted => Owner == 0 || Owner == GetEffectiveUserId();
    }
}
