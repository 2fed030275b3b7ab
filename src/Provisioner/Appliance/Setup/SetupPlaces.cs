using Provisioner.Storage;

namespace Provisioner.Appliance.Setup;

/// <summary>Where the set-up finds and leaves its files, on a system whose root is that directory.</summary>
/// <param name="Root"><c>/</c>, unless it is a test's.</param>
internal sealed record SetupPlaces(string Root = "/")
{
    /// <summary>A volume with this label may hold answers, and backups to go on from.</summary>
    public const string VolumeLabel = "PROVISIONER";

    /// <summary>Answers that were given to the machine itself: by its firmware (SMBIOS) or by what emulates it (systemd.system-credentials(7)).</summary>
    public string CredentialFile => At("run/credentials/@system/provisioner.setup");

    /// <summary>Where that volume is mounted.</summary>
    public string Volume => At("run/provisioner-volume");

    /// <summary>The answers on it.</summary>
    public string VolumeFile => Path.Combine(Volume, "provisioner-setup.yaml");

    /// <summary>The volume itself, when it is there.</summary>
    public string VolumeDevice => At($"dev/disk/by-label/{VolumeLabel}");

    /// <summary>The answers that this machine was set up with, without secrets; it is there when it was.</summary>
    public string Done => At("var/lib/appliance/setup.yaml");

    /// <summary>The answers that the service has still to do something for, with their secrets.</summary>
    public string Pending => At("var/lib/appliance/setup-pending.yaml");

    /// <summary>Which of the system's own images were imported, a file each.</summary>
    public string ImportedImages => At("var/lib/appliance/imported");

    /// <summary>Images that came with this system.</summary>
    public string Images => At("usr/share/provisioner/images");

    public string NetworkUnit => At("etc/systemd/network/10-provisioning.network");

    public string Configuration => At("etc/provisioner/provisioner.yaml");

    public string Zone(string name) => At($"usr/share/zoneinfo/{name}");

    public string Links => At("sys/class/net");

    /// <summary>A path that somebody gave: below the volume, unless it begins with a slash.</summary>
    public string OnVolume(string path) => Path.Combine(Volume, path);

    /// <summary>Writes a file so that it is there whole, or as before, whatever happens.</summary>
    public static void Write(string path, string text, UnixFileMode mode)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        WholeFile.Write(path, System.Text.Encoding.UTF8.GetBytes(text), mode);
    }

    private string At(string path) => Path.Combine(Root, path);
}
