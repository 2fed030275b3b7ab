using System.Text.Json.Nodes;
using Provisioner.Boot;

namespace Provisioner.Installing;

/// <summary>
/// Ubuntu's disks as curtin's list of actions. The names of the disks, and what depends on the firmware, are put in by the script that
/// runs before (<c>autoinstall/early</c>): should it not have run, the names fit nothing, and no disk is touched.
/// </summary>
internal static class AutoinstallStorage
{
    /// <summary>What the early script replaces by true or false.</summary>
    public const string IfBios = "PROVISIONER-BIOS";
    public const string IfEfi = "PROVISIONER-EFI";

    public static JsonObject Of(InstallPlan plan)
    {
        var x64 = plan.Image.Spec.Architecture == CpuArchitecture.X64;
        var actions = new JsonArray();
        for (var n = 1; n <= plan.Disks; n++)
        {
            var disk = new JsonObject { ["id"] = $"disk-{n}", ["type"] = "disk", ["path"] = $"/dev/PROVISIONER-DISK-{n}", ["ptable"] = "gpt", ["wipe"] = "superblock-recursive", ["preserve"] = false };
            // GRUB goes into the disk with BIOS, into the EFI system partition with UEFI; Arm servers have UEFI alone.
            if (x64)
                disk["grub_device"] = IfBios;
            actions.Add(disk);
            if (x64)
                actions.Add(Partition(n, "bios", "1MB", "bios_grub"));
            var esp = Partition(n, "efi", "1GB", "boot");
            esp["grub_device"] = x64 ? JsonValue.Create(IfEfi) : JsonValue.Create(true);
            actions.Add(esp);
            actions.Add(Format($"efi-{n}", "fat32"));
            actions.Add(Partition(n, "boot", "2GB", null));
            actions.Add(Partition(n, "system", "-1", null));
        }
        var (boot, system) = ("boot-1", "system-1");
        if (plan.Disk.Mirror)
        {
            actions.Add(Mirror("boot"));
            actions.Add(Mirror("system"));
            (boot, system) = ("boot", "system");
        }
        if (plan.Disk.Encryption != DiskEncryption.None)
        {
            actions.Add(new JsonObject { ["id"] = "secret", ["type"] = "dm_crypt", ["dm_name"] = "secret", ["volume"] = system, ["keyfile"] = "/run/provisioner/disk.key", ["preserve"] = false });
            system = "secret";
        }
        if (plan.Disk.Layout == DiskLayout.Lvm)
        {
            actions.Add(new JsonObject { ["id"] = "group", ["type"] = "lvm_volgroup", ["name"] = "system", ["devices"] = new JsonArray(system), ["preserve"] = false });
            actions.Add(new JsonObject { ["id"] = "root", ["type"] = "lvm_partition", ["name"] = "root", ["volgroup"] = "group", ["size"] = "-1", ["wipe"] = "superblock", ["preserve"] = false });
            system = "root";
        }
        actions.Add(Format(boot, "ext4"));
        actions.Add(Format(system, plan.Disk.Filesystem == RootFilesystem.Xfs ? "xfs" : "ext4"));
        actions.Add(Mount(system, "/"));
        actions.Add(Mount(boot, "/boot"));
        actions.Add(Mount("efi-1", "/boot/efi"));
        // A swap file is swap as well: nodeadm would have to switch it off.
        return new JsonObject { ["swap"] = new JsonObject { ["size"] = 0 }, ["config"] = actions };
    }

    private static JsonObject Partition(int disk, string name, string size, string? flag)
    {
        var partition = new JsonObject { ["id"] = $"{name}-{disk}", ["type"] = "partition", ["device"] = $"disk-{disk}", ["size"] = size == "-1" ? -1 : JsonValue.Create(size), ["wipe"] = "superblock", ["preserve"] = false };
        if (flag is not null)
            partition["flag"] = flag;
        return partition;
    }

    private static JsonObject Mirror(string name) => new()
    {
        ["id"] = name, ["type"] = "raid", ["name"] = $"md-{name}", ["raidlevel"] = 1, ["devices"] = new JsonArray($"{name}-1", $"{name}-2"), ["wipe"] = "superblock", ["preserve"] = false,
    };

    private static JsonObject Format(string volume, string type) => new() { ["id"] = $"{volume}-format", ["type"] = "format", ["fstype"] = type, ["volume"] = volume, ["preserve"] = false };

    private static JsonObject Mount(string volume, string path) => new() { ["id"] = $"{volume}-mount", ["type"] = "mount", ["device"] = $"{volume}-format", ["path"] = path };
}
