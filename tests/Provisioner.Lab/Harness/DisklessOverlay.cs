using System.Text;

namespace Provisioner.Lab.Harness;

/// <summary>
/// Files of a test's own on top of the diskless image, as a second initrd. The same for every server that boots the image: what only one
/// may have is given to it as a credential.
/// </summary>
internal sealed class DisklessOverlay
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Executable = Readable | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>
    /// Links of a merged /usr, which the kernel would replace by the archive's directory of that name, and file systems that are mounted
    /// over what was unpacked.
    /// </summary>
    private static readonly string[] NotHere = ["bin", "sbin", "lib", "lib64", "dev", "proc", "sys", "run"];

    private readonly CpioArchive archive = new();
    private byte[]? packed;

    /// <summary>An overlay with nothing but the shell the lab runs commands by.</summary>
    public DisklessOverlay() => GuestShell.AddTo(this);

    /// <summary>Adds a file that everybody may read.</summary>
    public DisklessOverlay AddFile(string path, string content) => Add(path, content, Readable);

    /// <summary>Adds a file that everybody may run.</summary>
    public DisklessOverlay AddProgram(string path, string content) => Add(path, content, Executable);

    /// <summary>Adds a file from this machine, with its mode.</summary>
    public DisklessOverlay AddFileFrom(string path, string source)
    {
        archive.AddFile(Relative(path), File.ReadAllBytes(source), File.GetUnixFileMode(source));
        return this;
    }

    /// <summary>Adds a unit of systemd's, started at boot when it is wanted by another.</summary>
    public DisklessOverlay AddUnit(string name, string content, string? wantedBy = null)
    {
        AddFile($"/etc/systemd/system/{name}", content);
        if (wantedBy is not null)
            archive.AddLink($"etc/systemd/system/{wantedBy}.wants/{name}", $"/etc/systemd/system/{name}");
        return this;
    }

    /// <summary>The initrd. Nothing can be added from then on.</summary>
    public byte[] Pack() => packed ??= archive.Finish();

    private DisklessOverlay Add(string path, string content, UnixFileMode mode)
    {
        archive.AddFile(Relative(path), Encoding.UTF8.GetBytes(content.ReplaceLineEndings("\n")), mode);
        return this;
    }

    private static string Relative(string path)
    {
        if (!path.StartsWith('/') || NotHere.Contains(path.Split('/')[1]))
            throw new ArgumentException($"'{path}' cannot be added: it must be absolute, and not below /{string.Join(", /", NotHere)}. Programs are in /usr.", nameof(path));
        return path[1..];
    }
}
