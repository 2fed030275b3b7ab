using System.Text.RegularExpressions;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Installing;

/// <summary>
/// What the roots of a test class have in common: this machine's own shells and tools with their libraries, and doubles of the programs that
/// would touch hardware or the network. The doubles write down what they were told.
/// </summary>
public sealed partial class InstallerRoots : IDisposable
{
    private static readonly string[] Programs =
    [
        "dash", "bash", "awk", "basename", "cat", "chmod", "chroot", "cp", "cut", "date", "dirname", "env", "find", "grep", "head", "id", "ln", "ls", "mkdir", "mv", "od", "paste", "readlink",
        "rm", "sed", "sort", "stat", "tail", "tee", "touch", "tr", "wc",
    ];

    private const string Record = """
        #!/bin/sh
        { printf '%s' "${0##*/}"; [ $# -eq 0 ] || printf ' %s' "$@"; echo; } >>/recorded/calls
        if [ -e "/recorded/fails-${0##*/}" ]; then echo "${0##*/} does not work today." >&2; exit 4; fi

        """;

    private readonly TemporaryDirectory directory = new();
    private int count;

    public InstallerRoots()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
            return;
        foreach (var path in (string[])["usr/bin", "usr/lib", "usr/lib64"])
            Directory.CreateDirectory(directory[$"base/{path}"]);
        foreach (var (link, to) in (ReadOnlySpan<(string, string)>)[("bin", "usr/bin"), ("sbin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64"), ("usr/sbin", "bin")])
            File.CreateSymbolicLink(directory[$"base/{link}"], to);
        foreach (var program in Programs)
        {
            var file = Real(Directory.EnumerateFiles("/usr/bin", program).Concat(Directory.EnumerateFiles("/usr/sbin", program)).First());
            Copy(file, $"/usr/bin/{program}");
            foreach (Match library in Library().Matches(Tool.Run("/usr/bin/ldd", file)))
                Copy(Real(library.Value), library.Value);
        }
        foreach (var (name, body) in Doubles)
        {
            File.WriteAllText(directory[$"base/usr/bin/{name}"], (Record + body).ReplaceLineEndings("\n") + "\n");
            File.SetUnixFileMode(directory[$"base/usr/bin/{name}"], Executable);
        }
    }

    private const UnixFileMode Executable = // 0755
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    // sda: large and fixed. sdb: the smallest. sdc: the largest. sdd: can be taken out. sde: read-only. sdf: the installer's own.
    private static readonly (string Name, string Body)[] Doubles =
    [
        ("lsblk", """
            case "$*" in
              *MOUNTPOINT*) case "$*" in *sdf*) echo /run/install/repo ;; esac ;;
              *PARTUUID*) cat /recorded/partitions ;;
              *FSTYPE*) printf '/dev/sda \n/dev/sda1 vfat\n/dev/sda3 crypto_LUKS\n/dev/mapper/luks-1 xfs\n/dev/sda3 crypto_LUKS\n' ;;
              *SERIAL*) printf '/dev/sda S3Z8NX0K\n/dev/sdb\n/dev/sdc S3Z8NX0M\n' ;;
              *) printf '%s\n' '/dev/sda 500000000000 0 0 disk' '/dev/sdc 900000000000 0 0 disk' '/dev/sdb 100000000000 0 0 disk' '/dev/sdd 50000000000 0 1 disk' \
                   '/dev/sde 60000000000 1 0 disk' '/dev/sdf 70000000000 0 0 disk' '/dev/sr0 900000000000 0 0 rom' '/dev/zram0 90000000000 0 0 disk' ;;
            esac
            """),
        ("findmnt", "echo /dev/sda1"),
        ("efibootmgr", """
            case "$*" in *--bootorder*) ;; *) cat /recorded/firmware ;; esac
            """),
        // What it is asked to send, as the appliance would read it.
        ("curl", """
            url=$(sed -n 's/^url = "\(.*\)"$/\1/p') said=
            while [ $# -gt 0 ]; do
              case $1 in
                --data-urlencode) said="$said${said:+ }${2#*=}"; shift ;;
                --data-binary) cp "${2#@}" /recorded/log; said='the log'; shift ;;
              esac
              shift
            done
            printf '%s\n' "$url" >>/recorded/urls
            printf '%s\n' "$said" | sed 's/ *$//' >>/recorded/reports
            """),
        ("curtin", """
            [ "$1 $2 $3" = 'in-target --target=/target --' ] || exit 2
            shift 3
            exec chroot /target "$@"
            """),
        // Reads what it can get, as the real one's helpers might.
        ("clevis", "cat >/dev/null; [ -s /root/.provisioner-disk.key ]"),
        ("cryptsetup", "[ -s /root/.provisioner-disk.key ]"),
        ("dracut", ""), ("update-initramfs", ""), ("update-grub", ""), ("systemctl", ""), ("networkctl", ""), ("ufw", ""), ("dnf", ""), ("restorecon", ""), ("rsyslogd", ""),
    ];

    internal InstallerRoot Make(string shell, string installed, bool efi = false)
    {
        Tool.SkipWithout("/usr/bin/unshare", "/usr/bin/ldd", "/bin/dash", "/bin/bash");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "chroot needs root");
        var root = new InstallerRoot(directory[$"root-{Interlocked.Increment(ref count)}"], installed);
        foreach (var each in (string[])[root.Path, root.Installed])
        {
            Directory.CreateDirectory(each);
            // The programs are the same files for all: nothing writes into them.
            Tool.Run("/bin/cp", "--archive", "--link", directory["base"] + "/.", each);
            File.CreateSymbolicLink(System.IO.Path.Combine(each, "usr/bin/sh"), shell);
            foreach (var path in (string[])["dev", "etc", "run", "tmp", "root", "sys", "recorded", "var/log", "boot/efi"])
                Directory.CreateDirectory(System.IO.Path.Combine(each, path));
        }
        Directory.CreateDirectory(root["dev/disk/by-path"]);
        if (efi)
            Directory.CreateDirectory(root["sys/firmware/efi"]);
        foreach (var device in (string[])["null", "urandom"])
            File.WriteAllText(root[$"dev/{device}"], ""); // The real one is mounted over it.
        for (var i = 0; i < 2; i++)
        {
            // Only looked at: a loop device that nothing opens.
            Tool.Run("/usr/bin/mknod", root[$"dev/sd{"ab"[i]}"], "b", "7", "250");
            File.CreateSymbolicLink(root[$"dev/disk/by-path/pci-0000:00:17.0-ata-{i + 1}"], $"../../sd{"ab"[i]}");
        }
        return root;
    }

    public void Dispose() => directory.Dispose();

    private void Copy(string from, string to)
    {
        var target = directory["base" + to];
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
        if (!File.Exists(target))
            File.Copy(from, target);
    }

    private static string Real(string path) => File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;

    [GeneratedRegex(@"/[^ ]+\.so[^ ]*", RegexOptions.NonBacktracking)]
    private static partial Regex Library();
}

/// <summary>An installer's root file system, and below it the one it installs; devices, /run and /sys are shared, as Anaconda and curtin have it.</summary>
internal sealed class InstallerRoot(string path, string installed)
{
    // Its own mounts, which are gone with it, and no network.
    private const string Enter = """
        root=$1 installed=$2 inside=$3
        for device in null urandom; do mount --bind "/dev/$device" "$root/dev/$device"; done
        for shared in dev run sys recorded; do mount --rbind "$root/$shared" "$installed/$shared"; done
        exec env -i PATH=/usr/sbin:/usr/bin chroot "$inside" /bin/sh /script
        """;

    public string Path => path;

    public string Installed { get; } = System.IO.Path.Combine(path, installed);

    public string this[string name] => System.IO.Path.Combine(path, name);

    /// <summary>Stages as the appliance hears them: name, state and message.</summary>
    public string[] Reports => Lines("recorded/reports");

    public string[] Urls => [.. Lines("recorded/urls").Distinct(StringComparer.Ordinal)];

    /// <summary>What the doubles were called with, but for those that only look.</summary>
    public string[] Calls => [.. Lines("recorded/calls").Where(line => line.Split(' ')[0] is not ("curl" or "lsblk" or "findmnt" or "curtin") && line != "efibootmgr --verbose")];

    public string Log => File.ReadAllText(this["recorded/log"]);

    public void Write(string name, string text)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(this[name])!);
        File.WriteAllText(this[name], text);
    }

    public void Fail(string program) => File.WriteAllText(this[$"recorded/fails-{program}"], "");

    /// <summary>Runs a whole script, in the installer or in the installed system.</summary>
    public (int Code, string Said) Run(string script, bool inInstalled = false)
    {
        var inside = inInstalled ? Installed : path;
        File.WriteAllText(System.IO.Path.Combine(inside, "script"), script);
        return Tool.Try("/usr/bin/unshare", null, "--mount", "--net", "/bin/sh", "-euc", Enter, "enter", path, Installed, inside);
    }

    private string[] Lines(string name) => File.Exists(this[name]) ? File.ReadAllLines(this[name]) : [];
}
