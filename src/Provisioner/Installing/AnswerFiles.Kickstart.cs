namespace Provisioner.Installing;

internal sealed partial class AnswerFiles
{
    private string Kickstart(SeedContext context, InstallPlan plan)
    {
        var options = plan.Options;
        var disk = plan.Disk;
        var encrypted = disk.Encryption != DiskEncryption.None;
        var syslog = context.SyslogServer.Split(':');
        return templates.Render("kickstart/ks", new Dictionary<string, object?>
        {
            ["host"] = plan.Host,
            ["locale"] = options.Locale,
            ["keyboard"] = options.Keyboard,
            ["timeZone"] = options.TimeZone,
            // RHEL 9 has a command of its own for time servers, and RHEL 10 only that.
            ["ntpServers"] = plan.Target.Major == 8 && !plan.Ntp.IsEmpty ? string.Join(',', plan.Ntp) : null,
            ["timeSources"] = plan.Target.Major >= 9 ? plan.Ntp.ToList() : new List<string>(),
            ["source"] = context.Source.TrimEnd('/') + "/",
            // What the image has not, and what is newer.
            ["trees"] = plan.MirrorTrees.Select(tree => new Dictionary<string, object?> { ["name"] = tree.Name, ["url"] = context.AddressOf(tree.Source) }).ToList(),
            ["mac"] = plan.Network.BootMac.ToString(),
            ["syslog"] = context.SyslogServer.Length > 0 ? syslog[0] : null,
            ["syslogPort"] = syslog.Length > 1 ? syslog[1] : null,
            ["selinux"] = options.Selinux switch { SelinuxMode.Enforcing => "--enforcing", SelinuxMode.Disabled => "--disabled", _ => "--permissive" },
            ["ports"] = plan.Firewall.Mode == FirewallMode.On ? string.Join(',', plan.Ports.Select(p => p.Replace('/', ':'))) : null,
            ["users"] = options.Users.Select(user => new Dictionary<string, object?> { ["name"] = user.Name, ["hash"] = user.PasswordHash, ["keys"] = Keys(user) }).ToList(),
            ["packages"] = Packages(plan).Where(p => options.Repositories.IsEmpty || !options.Packages.Contains(p)).ToList(),
            ["report"] = Report(context),
            ["disks"] = Disks(plan),
            ["before"] = options.Before,
            ["tpm"] = disk.Encryption == DiskEncryption.Tpm2,
            ["passphrase"] = disk.Encryption == DiskEncryption.Passphrase ? context.Secrets.DiskPassphrase : null,
            ["encrypted"] = encrypted,
            ["mirror"] = disk.Mirror,
            ["lvm"] = disk.Layout == DiskLayout.Lvm,
            ["filesystem"] = disk.Filesystem == RootFilesystem.Xfs ? "xfs" : "ext4",
            ["kernelArguments"] = string.Join(' ', options.KernelArguments),
            ["seal"] = disk.Encryption == DiskEncryption.Tpm2 ? templates.Render("seed/seal", new Dictionary<string, object?> { ["dracut"] = true }) : null,
            ["token"] = context.Secrets.Token,
            ["target"] = templates.Part("seed/target", Target(context, plan)),
        });
    }

    // sshkey takes the user by name in the same line, so each key carries it.
    private static List<Dictionary<string, object?>> Keys(UserOptions user) =>
        [.. user.SshKeys.Select(key => new Dictionary<string, object?> { ["user"] = user.Name, ["key"] = key })];
}
