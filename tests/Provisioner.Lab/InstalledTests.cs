using System.Text.Json.Nodes;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>
/// An installation from power-on to the disk: the real cloud-init fetches the answers, their scripts run on a server with a disk, and after the
/// reset the server starts what is on it. Ubuntu's installer itself cannot be had: a few lines that run what the answers tell it to stand in.
/// </summary>
public sealed class InstalledTests(ITestOutputHelper output)
{
    private const string Host = "server-1";
    private const string Mac = "52:54:00:77:00:14";

    /// <summary>What subiquity does with the answers, as far as their scripts go: it keeps its part in a file, and reads that again after the early ones.</summary>
    private const string Installer = """
        #!/usr/bin/python3
        import os, subprocess, sys, yaml
        def answers(): return yaml.safe_load(open("/autoinstall.yaml"))
        def run(commands):
            for command in commands: subprocess.run(command, shell=True, check=True)
        try:
            user_data = yaml.safe_load(open("/var/lib/cloud/instance/user-data.txt"))
            with open("/autoinstall.yaml", "w") as file: yaml.safe_dump(user_data["autoinstall"], file)
            run(answers()["early-commands"])
            disks = [action["path"] for action in answers()["storage"]["config"] if action["type"] == "disk"]
            print("installing to", *disks, "with", sum(a.get("grub_device") is True for a in answers()["storage"]["config"]), "place for GRUB", flush=True)
            run(["/usr/local/bin/unpack"])
            run(answers()["late-commands"])
            run(["ls /target/etc/provisioner /target/etc/netplan /target/root", "readlink /target/etc/systemd/system/multi-user.target.wants/provisioner-enrol.service",
                "test ! -e /target/root/.provisioner-target"])
            print("the system is on the disk", flush=True)
        except Exception as e:
            print("the installer failed:", e, flush=True)
            run(answers()["error-commands"])
            sys.exit(1)
        if answers()["shutdown"] == "reboot": run(["sync; systemctl --force --force reboot"])
        """;

    /// <summary>A system to configure, of what is there.</summary>
    private const string Unpack = """
        #!/bin/bash
        set -eu
        mkdir -p /target/{root,tmp,usr,run,dev,proc,sys,var}
        cp -a /etc /target/etc
        for link in bin sbin lib lib64; do [ ! -L /$link ] || ln -s usr/$link /target/$link; done
        for shared in usr run dev proc sys; do mount --rbind /$shared /target/$shared; done

        """;

    private const string Curtin = """
        #!/bin/bash
        set -eu
        [ "$1 $2 $3" = 'in-target --target=/target --' ]
        shift 3
        exec chroot /target "$@"

        """;

    private const string Profile = """
          install:
            users:
              - { name: ops, sudo: true, sshKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqdzPWmuzLQx1mhXkNVmDm1Ol9hO4Jq3W5pJmHq2F5T ops@example.com"] }
            firewall: { mode: "off" }
            before: |
              lsblk
            after: |
              echo "after, 'in' \"the\" target: $(ls /etc/provisioner)"

        """;

    [Theory]
    [InlineData(nameof(Firmware.Bios))]
    [InlineData(nameof(Firmware.UefiX64))]
    public async Task A_server_that_was_installed_boots_its_disk(string machine)
    {
        var firmware = Enum.Parse<Firmware>(machine);
        Prerequisites.SkipWithoutDiskless(firmware, "mformat", "mmd", "mcopy");
        var overlay = new DisklessOverlay()
            .AddProgram("/usr/local/bin/installer", Installer)
            .AddProgram("/usr/local/bin/unpack", Unpack)
            .AddProgram("/usr/local/bin/curtin", Curtin)
            .AddUnit("installer.service", """
                [Unit]
                After=cloud-init.service network-online.target
                [Service]
                Type=oneshot
                ExecStart=/usr/local/bin/installer
                """, wantedBy: "multi-user.target");
        using var entry = new CatalogueEntry(firmware);
        await using var site = await Site.CreateAsync(firmware, SiteResources.Reserve, image: SiteImage.StandIn(firmware, CatalogueEntry.Name, entry.Path, overlay));
        await site.Service.ApplyAsync(SiteResources.Profile(firmware, CatalogueEntry.Name).TrimEnd() + "\n" + Profile);
        await site.RegisterAsync(Host, Mac);
        await site.Service.DoAsync("provision", Host);
        // Room for a system, as much as a profile asks for by itself; what makes it boot is there before the installer, which only names the disk.
        var disk = await BootDisk.CreateAsync(firmware, site.Network.Directory);
        using (var file = File.OpenWrite(disk))
            file.SetLength(20L << 30);
        var server = await site.AddDisklessServerAsync(Mac, disk: disk);

        await server.PowerOnAsync();
        if (await server.WaitForAsync("the system is on the disk", "the installer failed") != "the system is on the disk")
            Assert.Fail(server.Machine.SerialTail());
        Assert.Contains("installing to /dev/vda with 1 place for GRUB", server.Machine.Serial(), StringComparison.Ordinal);
        Assert.Contains("after, 'in' \"the\" target: ca.pem", server.Machine.Serial(), StringComparison.Ordinal);
        Assert.Contains("/etc/systemd/system/provisioner-enrol.service", server.Machine.Serial(), StringComparison.Ordinal);
        while (server.Machine.IsOn && server.Machine.SincePowerOn < site.BootLimit)
            await Task.Delay(200);
        output.WriteLine($"Installed, and reset, {server.Machine.SincePowerOn.TotalSeconds:F0} s after power-on.");

        var host = JsonNode.Parse(await site.Service.DoAsync("get", "hosts", Host, "-o", "json"))!["status"]!;
        output.WriteLine(host.ToJsonString());
        Assert.Equal("Installed", host["state"]!.GetValue<string>());
        var stages = host["installation"]!["stages"]!.AsArray();
        // The profile's own steps are a part of configuring, whose end is told after theirs.
        Assert.Equal(["installer", "before", "disks", "configure", "steps", "installed"], stages.Select(s => s!["name"]!.GetValue<string>()));
        Assert.All(stages, s =>
        {
            Assert.Equal("done", s!["state"]!.GetValue<string>().ToLowerInvariant());
            Assert.InRange(s["seconds"]!.GetValue<double>(), 0, 240);
        });
        Assert.Contains(stages, s => s!["seconds"]!.GetValue<double>() > 0);
        var events = await site.Service.EventsAsync(Host);
        output.WriteLine(Timeline.Describe(events));
        Assert.Contains(events, e => e is { Source: "installer", Outcome: "changed" } && e.What.StartsWith("Stage steps done after ", StringComparison.Ordinal));

        await server.PowerOffAsync();
        await server.PowerOnAsync();
        await server.WaitForAsync(BootDisk.Marker);
        var after = (await site.Service.EventsAsync(Host)).Where(e => e.Id > events[^1].Id).ToList();
        Assert.Contains(after, e => e.Reason.Contains("it boots its own disk", StringComparison.Ordinal));
        Timeline.AssertNone(after, new("http", "vmlinuz"));
    }

    /// <summary>The diskless image, registered as Ubuntu, so that it is given Ubuntu's answers.</summary>
    private sealed class CatalogueEntry : IDisposable
    {
        public const string Name = "ubuntu-22.04-stand-in";

        public CatalogueEntry(Firmware firmware)
        {
            var own = File.ReadAllText(System.IO.Path.Combine(Prerequisites.Repository, "images", $"debian-12-diskless-{Prerequisites.DebianArchitecture(firmware)}.yaml"));
            File.WriteAllText(Path, own
                .Replace($"  name: debian-12-diskless-{Prerequisites.DebianArchitecture(firmware)}\n", $"  name: {Name}\n", StringComparison.Ordinal)
                .Replace("family: debian\n", "family: ubuntu\n", StringComparison.Ordinal)
                .Replace("distribution: debian\n", "distribution: ubuntu\n", StringComparison.Ordinal)
                .Replace("version: \"12\"\n", "version: \"22.04\"\n", StringComparison.Ordinal));
        }

        public string Path { get; } = System.IO.Path.GetTempFileName();

        public void Dispose() => File.Delete(Path);
    }
}
