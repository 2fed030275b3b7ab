using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Provisioner.Cli;

/// <summary>
/// What an earlier pull of the same file left behind, and what this one adds: the octets, and beside them which version of the file they
/// are of. One command at a time has it; it is nobody else's to read.
/// </summary>
internal sealed class PartialDownload : IDisposable
{
    // The service writes the image meanwhile, perhaps to the same disk.
    private const long KeepFreeBytes = 1L << 30;

    private readonly string path;
    private readonly SafeFileHandle file;

    private PartialDownload(string path, SafeFileHandle file)
    {
        this.path = path;
        this.file = file;
        try
        {
            if (JsonSerializer.Deserialize<Origin>(File.ReadAllBytes(Side)) is { Length: > 0 } origin && RandomAccess.GetLength(file) <= origin.Length)
                (Of, Have) = (origin, RandomAccess.GetLength(file));
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException)
        {
            // Nothing says what it is of: it begins anew.
        }
    }

    /// <param name="Length">Of the whole file.</param>
    /// <param name="Version">Its strong entity tag, or when it was last modified; null when the server says neither.</param>
    public sealed record Origin(long Length, string? Version);

    /// <summary>What the octets are of; null when there are none.</summary>
    public Origin? Of { get; private set; }

    /// <summary>Octets that are here.</summary>
    public long Have { get; private set; }

    private string Side => Path.ChangeExtension(path, ".json");

    /// <param name="directory">Made when it is not there.</param>
    /// <param name="url">Its query, where a mirror's key may be, stands nowhere.</param>
    /// <returns>Null when another command has it, or nothing can be kept there.</returns>
    public static PartialDownload? TryOpen(string directory, Uri url, string? sha256)
    {
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{url.GetLeftPart(UriPartial.Path)}\n{sha256}")))[..32];
        try
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var part = Path.Combine(directory, $"{name}.part");
            return new(part, File.OpenHandle(part, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>From here on it is this version, and none of it is here yet.</summary>
    /// <returns>False when there is no room for it beside the image.</returns>
    public bool TryBegin(Origin origin)
    {
        if (new DriveInfo(Path.GetDirectoryName(path)!).AvailableFreeSpace < 2 * origin.Length + KeepFreeBytes)
            return false;
        RandomAccess.SetLength(file, 0);
        File.WriteAllBytes(Side, JsonSerializer.SerializeToUtf8Bytes(origin));
        (Of, Have) = (origin, 0);
        return true;
    }

    public void Append(ReadOnlySpan<byte> octets, long position) => RandomAccess.Write(file, octets, position);

    public int Read(Span<byte> octets, long position) => RandomAccess.Read(file, octets, position);

    /// <summary>It is not wanted any more, or was wrong.</summary>
    public void Delete()
    {
        File.Delete(Side);
        File.Delete(path);
    }

    public void Dispose() => file.Dispose();
}
