using System.Text.Json.Nodes;
using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Resources;

namespace Provisioner.Tests.Installing;

/// <summary>
/// Every script of an installation, whole and in its order, in a root file system of its own: RHEL's under bash, Ubuntu's under dash. What is
/// not there are the installers themselves, and the programs that would touch hardware.
/// </summary>
public sealed class AnswersInChrootTests(InstallerRoots roots) : IClassFixture<InstallerRoots>
{
    // As efibootmgr 17 prints it on a server: network first, a disk's entry of another disk, and the new one's, last.
    private const string Firmware = "BootCurrent: 0001\nTimeout: 5 seconds\nBootOrder: 0001,0002,0003,0000,0005,0004\n"
        + "Boot0000* UiApp\tFvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(462caa21-7614-4503-836e-8ab6f4662331)\n"
        + "Boot0001* UEFI: PXE IPv4 Mellanox\tPciRoot(0x0)/Pci(0x3,0x0)/MAC(525400000001,1)/IPv4(0.0.0.00.0.0.0,0,0)..BO\n"
        + "Boot0002* UEFI: HTTP IPv4\tPciRoot(0x0)/Pci(0x3,0x0)/MAC(525400000001,1)/IPv4(0.0.0.00.0.0.0,0,0)/Uri()..BO\n"
        + "Boot0003* Windows Boot Manager\tHD(1,GPT,aaaaaaaa-0000-4444-8888-aaaaaaaaaaaa,0x800,0x32000)/File(\\EFI\\Microsoft\\Boot\\bootmgfw.efi)WINDOWS.........x...B.C.D.\n"
        + "Boot0004* Red Hat Enterprise Linux\tHD(1,GPT,1F2E3D4C-1111-4222-8333-0123456789AB,0x800,0x12c000)/File(\\EFI\\redhat\\shimx64.efi)\n"
        + "Boot0005  Second disk of the mirror\tHD(1,GPT,2f2e3d4c-1111-4222-8333-0123456789ab,0x800,0x12c000)/File(\\EFI\\BOOT\\BOOTX64.EFI)\n"
        // Version 18 adds the bytes, in lines that begin with blanks.
        + "      dp: 04 01 2a 00 01 00 00 00 00 08 00 00 00 00 00 00 / 7f ff 04 00\n";

    private const string Partition = "1f2e3d4c-1111-4222-8333-0123456789ab\n\n";

    public static TheoryData<string> Kickstarts { get; } = [.. AnswerFixture.Matrix.Where(name => name.StartsWith("rhel", StringComparison.Ordinal))];

    public static TheoryData<string> Autoinstalls { get; } = [.. AnswerFixture.Matrix.Where(name => name.StartsWith("ubuntu", StringComparison.Ordinal))];

    public static TheoryData<string> Disklesses { get; } = [.. AnswerFixture.Matrix.Where(name => name.Contains("diskless", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Kickstarts))]
    public void A_kickstart_installs(string name)
    {
        var context = AnswerFixture.Context(name);
        var full = name.Contains("/full/", StringComparison.Ordinal);
        var sealing = name.Contains("tpm2", StringComparison.Ordinal);
        var cached = name.Contains("/cache/", StringComparison.Ordinal);
        if (full)
            context = WithSteps(context);
        var rhel = new Rhel(roots, context, efi: true);

        rhel.Pre();
        rhel.Post();
        rhel.PostOutside();

        Assert.Equal([
            "installer started", .. full ? ["before started", "before done"] : Array.Empty<string>(), $"disks done {Disks(name)}", .. full ? ["steps started", "steps done"] : Array.Empty<string>(), "configure done",
            .. sealing ? ["seal started", "seal done"] : Array.Empty<string>(), "installed done",
        ], rhel.Root.Reports);
        Assert.Equal([context.ReportUrl], rhel.Root.Urls);

        var disks = File.ReadAllText(rhel.Root["tmp/provisioner-disks.ks"]);
        Assert.Empty(KickstartGrammar.Mistakes(disks, 9));
        Assert.Contains($"ignoredisk --only-use={Disks(name).Replace("/dev/", "", StringComparison.Ordinal).Replace(' ', ',')}\n", disks);
        Assert.Contains("/boot/efi", disks);
        Assert.DoesNotContain("swap", disks);
        Assert.DoesNotContain("biosboot", disks);

        AreThere(rhel.Root, [.. AnswerFixture.ShortJoin.For(context), .. NetworkFiles.NetworkManager(context.Host.Name, Plan(context).Network)]);
        Assert.False(File.Exists(rhel.Root["mnt/sysimage/etc/NetworkManager/system-connections/ens3.nmconnection"]));
        Assert.False(File.Exists(rhel.Root["mnt/sysimage/etc/sysconfig/network-scripts/ifcfg-ens3"]));
        Assert.True(File.Exists(rhel.Root["mnt/sysimage/etc/sysconfig/network-scripts/ifcfg-lo"]));
        Assert.Equal([
            .. full ? ["dnf --assumeyes --setopt=gpgcheck=1 install tcpdump htop"] : cached ? ["dnf --assumeyes --setopt=gpgcheck=1 install htop containerd.io"] : Array.Empty<string>(), "restorecon -R /etc/provisioner /usr/local/sbin /etc/systemd/system",
            $"systemctl enable {Units(name)}", "efibootmgr --quiet --bootorder 0004,0001,0002,0003,0000,0005",
            .. sealing ? ["clevis luks bind -f -k /root/.provisioner-disk.key -d /dev/sda3 tpm2 {}", "cryptsetup luksRemoveKey /dev/sda3 /root/.provisioner-disk.key", "dracut --force --regenerate-all"] : Array.Empty<string>(),
        ], rhel.Root.Calls);
        if (full)
        {
            SawItsSteps(rhel.Root);
            AreThere(rhel.Root,
            [
                new("/etc/sudoers.d/50-provisioner-ops", "0440", "ops ALL=(ALL) NOPASSWD:ALL\n"),
                new("/etc/pki/rpm-gpg/RPM-GPG-KEY-site", "0644", AnswerFixture.PgpKey),
                new("/etc/yum.repos.d/site.repo", "0644",
                    "[site]\nname=site\nbaseurl=https://packages.example.com/$basearch\nenabled=1\ngpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-site\n"),
                new("/etc/dnf/dnf.conf", "0644", "[main]\nproxy=http://proxy.example.com:3128/a%20b\n"),
                new("/etc/systemd/system.conf.d/50-provisioner-proxy.conf", "0644",
                    "[Manager]\nDefaultEnvironment=\"HTTP_PROXY=http://proxy.example.com:3128/a%%20b\" \"HTTPS_PROXY=http://proxy.example.com:3128/a%%20b\" \"NO_PROXY=localhost,127.0.0.1,10.77.0.1\"\n"),
            ]);
        }
        // What the distribution brought gives way to the mirror of the cache, and to nothing else.
        Assert.Equal($"[baseos]\nenabled={(cached ? 0 : 1)}\n", File.ReadAllText(rhel.Root["mnt/sysimage/etc/yum.repos.d/rocky.repo"]));
        Assert.Equal(cached, File.Exists(rhel.Root["mnt/sysimage/etc/yum.repos.d/provisioner-baseos.repo"]));
        // No key stays, and the token in one place alone.
        Assert.False(sealing && File.Exists(rhel.Root["run/provisioner/disk.key"]));
        Assert.False(File.Exists(rhel.Root["mnt/sysimage/root/.provisioner-disk.key"]));
        Assert.DoesNotContain(AnswerFixture.Token, File.ReadAllText(rhel.Root["run/install/ks.cfg"]));
        Assert.Contains("%packages", File.ReadAllText(rhel.Root["run/install/ks.cfg"]));
    }

    [Theory]
    [MemberData(nameof(Autoinstalls))]
    public void An_autoinstall_installs(string name)
    {
        var context = AnswerFixture.Context(name);
        var full = name.Contains("/full/", StringComparison.Ordinal);
        var sealing = name.Contains("tpm2", StringComparison.Ordinal);
        var off = name.Contains("bond", StringComparison.Ordinal);
        if (full)
            context = WithSteps(context);
        var ubuntu = new Ubuntu(roots, context, efi: true);

        ubuntu.Early();
        ubuntu.Late();

        Assert.Equal([
            "installer started", .. full ? ["before started", "before done"] : Array.Empty<string>(), $"disks done {Disks(name)}", "configure started", .. full ? ["steps started", "steps done"] : Array.Empty<string>(),
            .. sealing ? ["seal started", "seal done"] : Array.Empty<string>(), "configure done", "installed done",
        ], ubuntu.Root.Reports);
        Assert.Equal([context.ReportUrl], ubuntu.Root.Urls);
        Assert.Equal("*.* @10.77.0.1:5514\n", File.ReadAllText(ubuntu.Root["etc/rsyslog.d/90-provisioner.conf"]));

        // What the installer reads again: disks by name, and what depends on the firmware.
        var answers = ubuntu.Answers();
        Assert.DoesNotContain("PROVISIONER-", answers.ToJsonString());
        var actions = answers["storage"]!["config"]!.AsArray();
        Assert.Equal(Disks(name).Split(' '), actions.Where(a => Text(a!, "type") == "disk").Select(a => Text(a!, "path")));
        Assert.All(actions.Where(a => Text(a!, "type") == "partition" && Text(a!, "id")!.StartsWith("efi-", StringComparison.Ordinal)), a => Assert.True(a!["grub_device"]!.GetValue<bool>()));
        Assert.All(actions.Where(a => Text(a!, "type") == "disk" && a!["grub_device"] is not null), a => Assert.False(a!["grub_device"]!.GetValue<bool>()));
        if (actions.FirstOrDefault(a => Text(a!, "type") == "dm_crypt") is { } crypt && !sealing)
            Assert.Equal("correct-horse-battery", File.ReadAllText(ubuntu.Root[Text(crypt, "keyfile")![1..]]));

        AreThere(ubuntu.Root, [.. AnswerFixture.ShortJoin.For(context), .. NetworkFiles.Netplan(Plan(context).Network)]);
        Assert.False(File.Exists(ubuntu.Root["target/etc/netplan/00-installer-config.yaml"]));
        Assert.Equal([
            "systemctl restart rsyslog", .. full ? ["update-grub"] : Array.Empty<string>(),
            .. off ? (string[])["ufw disable"] : ["ufw default deny incoming", "ufw default allow outgoing", "ufw default allow routed", .. Plan(context).Ports.Select(port => $"ufw allow {port.Replace('-', ':')}")],
            "restorecon -R /etc/provisioner /usr/local/sbin /etc/systemd/system", $"systemctl enable {Units(name)}",
            "efibootmgr --quiet --bootorder 0004,0001,0002,0003,0000,0005",
            .. sealing ? ["clevis luks bind -f -k /root/.provisioner-disk.key -d /dev/sda3 tpm2 {}", "cryptsetup luksRemoveKey /dev/sda3 /root/.provisioner-disk.key", "update-initramfs -u -k all"] : Array.Empty<string>(),
        ], ubuntu.Root.Calls);
        Assert.Equal(off ? "# ufw\nENABLED=no\n" : "# ufw\nENABLED=yes\n", File.ReadAllText(ubuntu.Root["target/etc/ufw/ufw.conf"]));
        if (full)
        {
            SawItsSteps(ubuntu.Root);
            AreThere(ubuntu.Root, [new("/etc/systemd/timesyncd.conf.d/50-provisioner.conf", "0644", "[Time]\nNTP=ntp1.example.com 192.0.2.123\n")]);
            // grub-mkconfig sources it.
            var (code, said) = ubuntu.Root.Run("GRUB_CMDLINE_LINUX=quiet\n. /etc/default/grub.d/50-provisioner.cfg\nprintf '%s' \"$GRUB_CMDLINE_LINUX\"", inInstalled: true);
            Assert.Equal((0, "quiet console=ttyS0,115200 mitigations=auto"), (code, said));
        }
        Assert.False(sealing && File.Exists(ubuntu.Root["run/provisioner/disk.key"]));
        Assert.Empty(Directory.EnumerateFileSystemEntries(ubuntu.Root["target/root"]));
    }

    [Theory]
    [MemberData(nameof(Disklesses))]
    public void A_host_without_a_disk_starts(string name)
    {
        var context = AnswerFixture.Context(name);
        var full = name.Contains("/full/", StringComparison.Ordinal);
        if (full)
            context = WithSteps(context);
        var root = roots.Make("dash", "mnt/none");
        Place(root, AnswerFixture.Files().Render(context, "user-data"));

        var (code, said) = root.Run(File.ReadAllText(root["run/provisioner/start"]));

        Assert.True(code == 0, said);
        Assert.Equal(["start started", "start done", "installed done"], root.Reports);
        Assert.Equal([
            .. Plan(context).Network.IsPlain ? Array.Empty<string>() : ["networkctl reload"], .. context.Profile.Spec.Install!.Proxy is not null ? ["systemctl daemon-reexec"] : Array.Empty<string>(), "systemctl daemon-reload",
            $"systemctl enable {Units(name)}", $"systemctl start --no-block {Units(name)}",
        ], root.Calls);
        if (full)
        {
            Assert.Equal(BeforeSaid, File.ReadAllText(root["tmp/before"]));
            Assert.Equal(AfterSaid, File.ReadAllText(root["tmp/after"]));
            Assert.Equal("600\n", File.ReadAllText(root["tmp/mode"]));
            Assert.False(File.Exists(root["run/provisioner/before"]) || File.Exists(root["run/provisioner/after"]));
        }
    }

    [Fact]
    public void A_host_without_a_disk_whose_steps_fail_says_so_with_its_log()
    {
        var context = AnswerFixture.Context(AnswerFixture.Image("debian-12-diskless", CpuArchitecture.X64), new InstallOptions { Diskless = true, After = "exit 7\n" });
        var root = roots.Make("dash", "mnt/none");
        Place(root, AnswerFixture.Files().Render(context, "user-data"));
        root.Write("var/log/cloud-init-output.log", "what went wrong\n");

        var (code, _) = root.Run(File.ReadAllText(root["run/provisioner/start"]));

        Assert.Equal(7, code);
        Assert.Equal(["start started", "start failed The host's first steps ended with 7.", "the log"], root.Reports);
        Assert.Equal("what went wrong\n", root.Log);
    }

    // The three of RHEL's where something gives up: which stage is told as failed, and what of the log comes after it.
    [Theory]
    [InlineData("before", "before failed The profile's steps before the installation ended with 3.")]
    [InlineData("tpm", "disks failed The disk is to be sealed with a TPM 2.0, and this host shows none: switch it on in the firmware.")]
    [InlineData("dnf", "configure failed dnf could not install the packages of the profile.")]
    [InlineData("after", "steps failed The profile's own steps ended with 5.")]
    [InlineData("clevis", "seal failed The disk could not be sealed with the TPM.")]
    [InlineData("cryptsetup", "seal failed The disk could not be sealed with the TPM.")]
    [InlineData("dracut", "seal failed The disk could not be sealed with the TPM.")]
    public void A_kickstart_that_fails_says_where_and_why(string what, string report)
    {
        var options = AnswerFixture.Options(what is "dnf" or "before" or "after" ? "full" : "lvm-tpm2") with { Before = null, After = null };
        options = what switch { "before" => options with { Before = "echo not today >&2\nexit 3\n" }, "after" => options with { After = "false || exit 5\n" }, _ => options };
        var rhel = new Rhel(roots, AnswerFixture.Context(AnswerFixture.Image("rhel-9", CpuArchitecture.X64), options));
        if (what == "tpm")
            File.Delete(rhel.Root["dev/tpmrm0"]);
        else
            rhel.Root.Fail(what);

        // As Anaconda does with --erroronfail: what fails is the last that runs, but for %onerror.
        (int Code, string Said)? failed = what is "before" or "tpm" ? rhel.Run("%pre", 0) : null;
        if (failed is null)
        {
            rhel.Pre();
            failed = what is "dnf" or "after" ? rhel.Run("%post", 0) : null;
        }
        if (failed is null)
        {
            rhel.Post();
            failed = rhel.Run("%post", 1);
        }
        Assert.NotEqual(0, failed.Value.Code);
        Assert.Equal((0, ""), rhel.Run("%onerror", 0));

        Assert.Equal([report, "installer failed The installer gave up; its log says why.", "the log"], rhel.Root.Reports[^3..]);
        Assert.DoesNotContain("installed done", rhel.Root.Reports);
        Assert.Contains(report.Split(' ', 3)[2], rhel.Root.Log);
        Assert.Contains("== /tmp/anaconda.log\nanaconda's own\n", rhel.Root.Log);
        // What only the person who runs it may see stays there; and no key stays where the disk is.
        Assert.DoesNotContain(AnswerFixture.Token, rhel.Root.Log);
        Assert.False(File.Exists(rhel.Root["mnt/sysimage/root/.provisioner-disk.key"]));
    }

    [Theory]
    [InlineData("before", "before failed The profile's steps before the installation ended with 3.")]
    [InlineData("tpm", "disks failed The disk is to be sealed with a TPM 2.0, and this host shows none: switch it on in the firmware.")]
    [InlineData("answers", "disks failed The answers that the installer read name no disk: /autoinstall.yaml is not what was served.")]
    [InlineData("update-grub", "configure failed The installed system could not be configured.")]
    [InlineData("after", "configure failed The installed system could not be configured.")]
    [InlineData("clevis", "seal failed The disk could not be sealed with the TPM.")]
    [InlineData("update-initramfs", "seal failed The disk could not be sealed with the TPM.")]
    public void An_autoinstall_that_fails_says_where_and_why(string what, string report)
    {
        var options = AnswerFixture.Options(what is "update-grub" or "before" or "after" ? "full" : "lvm-tpm2") with { Before = null, After = null };
        options = what switch { "before" => options with { Before = "exit 3\n" }, "after" => options with { After = "exit 5\n" }, _ => options };
        var ubuntu = new Ubuntu(roots, AnswerFixture.Context(AnswerFixture.Image("ubuntu-24.04", CpuArchitecture.X64), options));
        if (what == "tpm")
            File.Delete(ubuntu.Root["dev/tpmrm0"]);
        else if (what == "answers")
            ubuntu.Root.Write("autoinstall.yaml", "version: 1\n");
        else
            ubuntu.Root.Fail(what);

        var early = what is "before" or "tpm" or "answers";
        if (!early)
            ubuntu.Early();
        var (code, said) = ubuntu.Run(early ? "early" : "late");
        Assert.NotEqual(0, code);
        ubuntu.Root.Write("var/log/installer/curtin-install.log", said);
        Assert.Equal((0, ""), ubuntu.Run("failed"));

        Assert.Equal([report, "installer failed The installer gave up; its log says why.", "the log"], ubuntu.Root.Reports[^3..]);
        Assert.DoesNotContain("installed done", ubuntu.Root.Reports);
        Assert.Contains(report.Split(' ', 3)[2], ubuntu.Root.Log);
        Assert.Empty(Directory.EnumerateFileSystemEntries(ubuntu.Root["target/root"]));
    }

    [Fact]
    public void Of_a_long_log_the_last_64_KB_are_told()
    {
        var ubuntu = new Ubuntu(roots, AnswerFixture.Context("ubuntu-22.04/plain/x86_64"));
        foreach (var log in (string[])["syslog", "installer/subiquity-server-debug.log", "installer/curtin-install.log", "installer/curtin-install/run.log"])
            ubuntu.Root.Write($"var/log/{log}", new string('x', 100_000) + $"\nthe end of {log}\n");

        Assert.Equal((0, ""), ubuntu.Run("failed"));

        Assert.Equal(65_536, ubuntu.Root.Log.Length);
        Assert.EndsWith("the end of installer/curtin-install/run.log\n", ubuntu.Root.Log);
        Assert.Contains("the end of installer/subiquity-server-debug.log\n", ubuntu.Root.Log);
    }

    [Fact]
    public void An_appliance_that_is_away_stops_nobody()
    {
        var rhel = new Rhel(roots, AnswerFixture.Context("rhel-10/lvm-tpm2/x86_64"), efi: true);
        rhel.Root.Fail("curl");
        rhel.Pre();
        rhel.Post();
        rhel.PostOutside();
        Assert.Empty(rhel.Root.Reports);

        var ubuntu = new Ubuntu(roots, AnswerFixture.Context("ubuntu-20.04/mirror/x86_64"));
        ubuntu.Root.Fail("curl");
        ubuntu.Early();
        ubuntu.Late();
        Assert.Empty(ubuntu.Root.Reports);
    }

    [Theory]
    [InlineData("rhel-8/mirror/x86_64")]
    [InlineData("ubuntu-24.04/mirror/x86_64")]
    public void With_BIOS_there_is_no_boot_order_and_GRUB_goes_into_the_disk(string name)
    {
        var context = AnswerFixture.Context(name);
        InstallerRoot root;
        if (name.StartsWith("rhel", StringComparison.Ordinal))
        {
            var rhel = new Rhel(roots, context);
            rhel.Pre();
            rhel.Post();
            root = rhel.Root;
            var disks = File.ReadAllText(root["tmp/provisioner-disks.ks"]);
            Assert.Contains("part biosboot --fstype=biosboot --size=1 --ondisk=sda\n", disks);
            Assert.Contains("part biosboot --fstype=biosboot --size=1 --ondisk=sdc\n", disks);
            Assert.DoesNotContain("/boot/efi", disks);
        }
        else
        {
            var ubuntu = new Ubuntu(roots, context);
            ubuntu.Early();
            ubuntu.Late();
            root = ubuntu.Root;
            Assert.Equal([true, true], ubuntu.Answers()["storage"]!["config"]!.AsArray().Where(a => Text(a!, "type") == "disk").Select(a => a!["grub_device"]!.GetValue<bool>()));
        }
        Assert.DoesNotContain(root.Calls, call => call.StartsWith("efibootmgr", StringComparison.Ordinal));
        Assert.DoesNotContain(root.Reports, report => report.Contains("boot order", StringComparison.Ordinal));
    }

    // Both disks of a mirror; an entry that is there already first; a firmware that knows no entry of the disk; one that says nothing.
    [Theory]
    [InlineData(Firmware, "1f2e3d4c-1111-4222-8333-0123456789ab\n\n2f2e3d4c-1111-4222-8333-0123456789ab\n\n", "0005,0004,0001,0002,0003,0000")]
    [InlineData("BootCurrent: 0000\nBootOrder: 0000\nBoot0000* ubuntu\tHD(1,GPT,1f2e3d4c-1111-4222-8333-0123456789ab,0x800,0x219800)/File(\\EFI\\ubuntu\\shimaa64.efi)\n", Partition, "0000")]
    [InlineData("BootOrder: 00A1,00B2\nBoot00A1* PXE\tMAC(525400000001,1)\nBoot00B2* ubuntu\tHD(1,GPT,1f2e3d4c-1111-4222-8333-0123456789ab,0x800,0x219800)/\\EFI\\ubuntu\\shimx64.efi\n", Partition, "00B2,00A1")]
    [InlineData(Firmware, "99999999-1111-4222-8333-0123456789ab\n", null)]
    [InlineData("No BootOrder is set; firmware will attempt recovery\n", Partition, null)]
    [InlineData("", Partition, null)]
    public void The_firmware_is_told_to_start_the_disk_first(string firmware, string partitions, string? order)
    {
        var rhel = new Rhel(roots, AnswerFixture.Context("rhel-9/plain/x86_64"), efi: true);
        rhel.Root.Write("recorded/firmware", firmware);
        rhel.Root.Write("recorded/partitions", partitions);

        rhel.Post();

        Assert.Equal(order is null ? [] : [$"efibootmgr --quiet --bootorder {order}"], rhel.Root.Calls.Where(call => call.StartsWith("efibootmgr", StringComparison.Ordinal)));
        Assert.Equal(
            [.. order is null ? ["configure started The firmware did not take the boot order; it may boot from the network once more."] : Array.Empty<string>(), "configure done"], rhel.Root.Reports);
    }

    [Fact]
    public void A_firmware_that_refuses_is_told_of_and_the_installation_goes_on()
    {
        var rhel = new Rhel(roots, AnswerFixture.Context("rhel-9/plain/x86_64"), efi: true);
        rhel.Root.Fail("efibootmgr");

        rhel.Post();

        Assert.Equal(["configure started The firmware did not take the boot order; it may boot from the network once more.", "configure done"], rhel.Root.Reports);
    }

    // ---------- steps that use what a shell may misread

    private const string BeforeSaid = "'it's' \"before\" $HOME `id` ü 100 %\n%end of nothing\n";

    private const string AfterSaid = "%end\n$HOME \"quoted\" `x` \\n; && || #\n12:30\n";

    private static SeedContext WithSteps(SeedContext context) => context with
    {
        Profile = context.Profile with
        {
            Spec = context.Profile.Spec with
            {
                Install = context.Profile.Spec.Install! with
                {
                    Before = $"cat >/tmp/before <<'END'\n{BeforeSaid}END\n",
                    After = $"cat >/tmp/after <<'END'\n{AfterSaid}END\nstat -c %a \"$0\" >/tmp/mode\n",
                },
            },
        },
    };

    private static void SawItsSteps(InstallerRoot root)
    {
        Assert.Equal(BeforeSaid, File.ReadAllText(root["tmp/before"]));
        Assert.Equal(AfterSaid, File.ReadAllText(Path.Combine(root.Installed, "tmp/after")));
        // They may hold what is nobody's business.
        Assert.Equal("700\n", File.ReadAllText(Path.Combine(root.Installed, "tmp/mode")));
        Assert.False(File.Exists(root["run/provisioner/after"]));
    }

    private static void AreThere(InstallerRoot root, IEnumerable<HostFile> files)
    {
        foreach (var file in files)
        {
            var path = Path.Combine(root.Installed, file.Path[1..]);
            Assert.True(File.Exists(path), $"{file.Path} is not there");
            Assert.Equal(file.Text, File.ReadAllText(path));
            Assert.Equal((file.Path, file.Mode), (file.Path, "0" + Convert.ToString((int)File.GetUnixFileMode(path), 8)));
            // Directories are for everybody to look into.
            Assert.True(File.GetUnixFileMode(Path.GetDirectoryName(path)!).HasFlag(UnixFileMode.OtherExecute), $"the directory of {file.Path} is closed");
        }
    }

    private static string Units(string name) =>
        "provisioner-enrol.service provisioner-enrol.timer provisioner-renew.timer" + (name.Contains("/cluster/", StringComparison.Ordinal) ? " provisioner-join.service" : "");

    private static InstallPlan Plan(SeedContext context) => InstallPlan.Resolve(context.Host, context.Profile, context.Image, context.Network, context.Cluster, out _)!;

    private static string Disks(string name) => name.Split('/')[1] switch { "lvm-tpm2" => "/dev/sdc", "mirror" => "/dev/sda /dev/sdc", "mirror-lvm-passphrase" => "/dev/sda /dev/sdb", _ => "/dev/sdb" };

    private static string? Text(JsonNode node, string key) => node[key]?.GetValue<string>();

    /// <summary>cloud-init's part: the files of the user data.</summary>
    private static JsonNode Place(InstallerRoot root, string userData)
    {
        var tree = YamlTree.Read(userData, out var mistakes)!;
        Assert.Empty(mistakes);
        foreach (var file in tree["write_files"]!.AsArray().Where(f => Text(f!, "path")!.StartsWith("/run/", StringComparison.Ordinal)))
            root.Write(Text(file!, "path")![1..], Text(file!, "content")!);
        return tree;
    }

    private sealed class Rhel
    {
        private readonly List<(string Header, string Body)> sections;

        public Rhel(InstallerRoots roots, SeedContext context, bool efi = false)
        {
            var kickstart = AnswerFixture.Files().Render(context, "ks.cfg");
            sections = [.. KickstartGrammar.Sections(kickstart)];
            Root = roots.Make("bash", "mnt/sysimage", efi);
            Root.Write("dev/tpmrm0", "");
            Root.Write("run/install/ks.cfg", kickstart);
            Root.Write("tmp/anaconda.log", "anaconda's own\n");
            Root.Write("recorded/firmware", Firmware);
            Root.Write("recorded/partitions", Partition);
            Root.Write("mnt/sysimage/etc/dnf/dnf.conf", "[main]\n");
            Root.Write("mnt/sysimage/etc/yum.repos.d/rocky.repo", "[baseos]\nenabled=1\n");
            foreach (var left in (string[])["NetworkManager/system-connections/ens3.nmconnection", "sysconfig/network-scripts/ifcfg-ens3", "sysconfig/network-scripts/ifcfg-lo"])
                Root.Write($"mnt/sysimage/etc/{left}", "");
        }

        public InstallerRoot Root { get; }

        public void Pre() => Succeeds(Run("%pre", 0));

        public void Post() => Succeeds(Run("%post", 0));

        public void PostOutside() => Succeeds(Run("%post", 1));

        /// <summary>The nth section of that name, where its header says, with its log where it says.</summary>
        public (int Code, string Said) Run(string name, int n)
        {
            var (header, body) = sections.Where(s => s.Header.Split(' ')[0] == name).ElementAt(n);
            var inside = name == "%post" && !header.Contains("--nochroot", StringComparison.Ordinal);
            var result = Root.Run(body, inside);
            if (header.Split("--log=") is [_, var log])
                File.WriteAllText(Path.Combine(inside ? Root.Installed : Root.Path, log[1..]), result.Said);
            return result;
        }

        private static void Succeeds((int Code, string Said) result) => Assert.True(result.Code == 0, result.Said);
    }

    private sealed class Ubuntu
    {
        public Ubuntu(InstallerRoots roots, SeedContext context, bool efi = false)
        {
            Root = roots.Make("dash", "target", efi);
            var tree = Place(Root, AnswerFixture.Files().Render(context, "user-data"));
            // The installer's part: what is below autoinstall, in a file of its own.
            Root.Write("autoinstall.yaml", YamlWriter.Write(tree["autoinstall"]!.DeepClone()));
            Root.Write("dev/tpmrm0", "");
            Root.Write("recorded/firmware", Firmware);
            Root.Write("recorded/partitions", Partition);
            Directory.CreateDirectory(Root["etc/rsyslog.d"]);
            Root.Write("target/etc/ufw/ufw.conf", "# ufw\nENABLED=no\n");
            Root.Write("target/etc/netplan/00-installer-config.yaml", "network: {version: 2}\n");
        }

        public InstallerRoot Root { get; }

        public void Early() => Succeeds(Run("early"));

        public void Late() => Succeeds(Run("late"));

        public (int Code, string Said) Run(string name) => Root.Run(File.ReadAllText(Root[$"run/provisioner/{name}"]));

        public JsonNode Answers() => YamlTree.Read(File.ReadAllText(Root["autoinstall.yaml"]), out _)!;

        private static void Succeeds((int Code, string Said) result) => Assert.True(result.Code == 0, result.Said);
    }
}
