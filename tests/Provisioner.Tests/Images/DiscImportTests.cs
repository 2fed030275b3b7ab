using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Provisioner.Boot;
using Provisioner.Boot.Tftp;
using Provisioner.Images;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Images;

/// <summary>ISO images through the command line, the socket and the service, to where servers fetch their files.</summary>
public sealed class DiscImportTests(DiscImportTests.Shared shared) : IClassFixture<DiscImportTests.Shared>
{
    /// <summary>One appliance for all of them.</summary>
    public sealed class Shared : IAsyncLifetime
    {
        internal RunningAppliance Appliance { get; private set; } = null!;

        internal TemporaryDirectory Directory { get; } = new();

        public async ValueTask InitializeAsync() => Appliance = await RunningAppliance.StartAsync();

        public async ValueTask DisposeAsync()
        {
            await Appliance.DisposeAsync();
            Directory.Dispose();
        }
    }

    [Fact]
    public async Task A_disc_of_RHEL_becomes_the_tree_its_installer_needs()
    {
        Discs.SkipWithoutTools();
        var files = Discs.RedHat();
        var iso = Discs.Make(shared.Directory.Path, files, implant: true);
        var said = (await shared.Appliance.RunAsync("image", "import", iso, "--name", "rhel-9", "--sha256", Discs.Sha256(File.ReadAllBytes(iso)).ToUpperInvariant())).Succeeded();

        var image = shared.Appliance.Snapshot.Images["rhel-9"];
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), image.Status.Files.Select(f => f.Path));
        Assert.All(image.Status.Files, f => Assert.Equal(Discs.Sha256(files[f.Path]), f.Sha256));
        Assert.Equal((DistributionFamily.Rhel, "rhel", "9.4", CpuArchitecture.X64, "."), (image.Spec.Family!.Value, image.Spec.Distribution, image.Spec.Version, image.Spec.Architecture, image.Spec.InstallSource));
        Assert.Equal(("images/pxeboot/vmlinuz", "images/pxeboot/initrd.img"), (image.Spec.Kernel, image.Spec.Initrd.Single()));
        Assert.Equal(new BootLoaders { Shim = "EFI/BOOT/BOOTX64.EFI", Grub = "EFI/BOOT/grubx64.efi" }, image.Spec.BootLoaders);
        Assert.Equal(3 * 1024, image.Spec.MinimumMemory);
        Assert.Equal(ImageCatalogue.Find("rhel-9-amd64")!.Spec.Traps, image.Spec.Traps);
        Assert.Equal(IsoOrigin.Bring, image.Spec.Source!.Iso);
        Assert.Equal(["the SHA-256 given with it", "the checksum implanted into it", "3 sums of its .treeinfo"], image.Status.Verified);
        Assert.Contains("checked against the SHA-256 given with it, the checksum implanted into it, 3 sums of its .treeinfo", said, StringComparison.Ordinal);
        Assert.Contains("  system  rhel 9.4", said, StringComparison.Ordinal);
        Assert.Contains("! The processor must have x86-64-v2", said, StringComparison.Ordinal);

        using var http = new HttpClient();
        Assert.Equal(files[".treeinfo"], await http.GetByteArrayAsync($"http://127.0.0.1:{shared.Appliance.BootPort}/images/rhel-9/.treeinfo"));
        Assert.Equal(files["BaseOS/Packages/bash-5.1.8-9.el9.x86_64.rpm"], await http.GetByteArrayAsync($"http://127.0.0.1:{shared.Appliance.BootPort}/images/rhel-9/BaseOS/Packages/bash-5.1.8-9.el9.x86_64.rpm"));
        Tool.SkipWithout("/usr/bin/curl");
        var fetched = shared.Directory["vmlinuz"];
        Tool.Run("curl", "--silent", "--show-error", "--output", fetched, $"tftp://127.0.0.1:{shared.Appliance.Services.GetRequiredService<TftpServer>().Port}/images/rhel-9/images/pxeboot/vmlinuz");
        Assert.Equal(files["images/pxeboot/vmlinuz"], await File.ReadAllBytesAsync(fetched));
        Assert.Contains("image/rhel-9 is as imported", (await shared.Appliance.RunAsync("image", "verify", "rhel-9")).Succeeded(), StringComparison.Ordinal);
        AssertNothingStaged();
    }

    [Fact]
    public async Task For_a_mirror_kernel_initrd_and_loaders_are_enough()
    {
        Discs.SkipWithoutTools();
        var iso = Discs.Make(shared.Directory.Path, Discs.RedHat(version: "9.5", name: "Rocky Linux"));
        (await shared.Appliance.RunAsync("image", "import", iso, "--name", "rocky-9", "--boot-only", "--install-source", "http://mirror.example.com/rocky/9")).Succeeded();

        var image = shared.Appliance.Snapshot.Images["rocky-9"];
        Assert.Equal([".discinfo", ".treeinfo", "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi", "images/pxeboot/initrd.img", "images/pxeboot/vmlinuz"], image.Status.Files.Select(f => f.Path));
        Assert.Equal(CpuArchitecture.X64, image.File("images/pxeboot/vmlinuz")!.Machine);
        Assert.Equal(("rocky", "9.5", "http://mirror.example.com/rocky/9"), (image.Spec.Distribution, image.Spec.Version, image.Spec.InstallSource));
        Assert.Equal(["3 sums of its .treeinfo"], image.Status.Verified);

        // The same disc once more, without a word of the mirror: it stays.
        (await shared.Appliance.RunAsync("image", "import", iso, "--name", "rocky-9", "--boot-only")).Succeeded();
        Assert.Equal("http://mirror.example.com/rocky/9", shared.Appliance.Snapshot.Images["rocky-9"].Spec.InstallSource);
        var outcome = await shared.Appliance.RunAsync("image", "import", iso, "--name", "rocky-9b", "--boot-only");
        outcome.Succeeded();
        Assert.Contains("the installer has no source yet", outcome.Error, StringComparison.Ordinal);
        AssertNothingStaged();
    }

    [Theory]
    [InlineData("amd64", "24.04.4", "x86_64", "EFI/boot/bootx64.efi")]
    [InlineData("arm64", "22.04.5", "aarch64", null)]
    public async Task A_disc_of_Ubuntu_is_served_whole_beside_its_kernel(string architecture, string version, string processor, string? shim)
    {
        Discs.SkipWithoutTools();
        var iso = Discs.Make(shared.Directory.Path, Discs.Ubuntu(architecture, version), tree =>
        {
            Directory.CreateDirectory(Path.Combine(tree, "dists"));
            File.CreateSymbolicLink(Path.Combine(tree, "dists/stable"), "noble");
        });
        var name = $"noble-{architecture}";
        var said = (await shared.Appliance.RunAsync("image", "import", iso, "--name", name)).Succeeded();

        var image = shared.Appliance.Snapshot.Images[name];
        Assert.Equal([".disk/info", .. shim is null ? Array.Empty<string>() : [shim], "casper/initrd", "casper/vmlinuz", $"{name}.iso"], image.Status.Files.Select(f => f.Path));
        Assert.Equal(Discs.Sha256(File.ReadAllBytes(iso)), image.File($"{name}.iso")!.Sha256);
        Assert.Equal(("ubuntu", version, $"{name}.iso", shim, null), (image.Spec.Distribution, image.Spec.Version, image.Spec.InstallSource, image.Spec.BootLoaders.Shim, image.Spec.BootLoaders.Grub));
        Assert.Equal(["ip=dhcp", "cloud-config-url=/dev/null"], image.Spec.KernelArguments);
        Assert.Contains($", {processor}", said, StringComparison.Ordinal);
        Assert.Contains("  memory  8Gi", said, StringComparison.Ordinal);
        Assert.Matches(@"\d sums of its md5sum\.txt", Assert.Single(image.Status.Verified));
        using var http = new HttpClient();
        Assert.Equal(await File.ReadAllBytesAsync(iso), await http.GetByteArrayAsync($"http://127.0.0.1:{shared.Appliance.BootPort}/images/{name}/{name}.iso"));
        AssertNothingStaged();
    }

    /// <summary>What is wrong with a disc, and the reason that is given.</summary>
    public static TheoryData<string, string> Wrong { get; } = new()
    {
        { "not an ISO image", "This is no ISO image: it has no ISO 9660 volume descriptor ('CD001' at 32769)" },
        { "short", "This is no ISO image: it has 3 bytes" },
        { "cut short", "The ISO image is cut short: its volume has" },
        { "another checksum", "was to be expected" },
        { "implanted checksum", "it is not what the checksum implanted into it says" },
        { "a sum of .treeinfo", "'images/install.img' has SHA-256" },
        { "a missing file", "'images/install.img' is in the disc's own .treeinfo and not on the disc" },
        { "a sum of md5sum.txt", "'casper/ubuntu-server-minimal.squashfs' has MD5" },
        { "no kernel", "'images/pxeboot/vmlinuz'" },
        { "another architecture", "is a kernel for x86_64, and the image is for aarch64" },
        { "two architectures", "contradicts itself: .treeinfo is for x86_64, .discinfo for aarch64" },
        { "an architecture that is not booted", "The ISO image is for 'ppc64le', which the appliance does not boot" },
        { "a loader for another processor", "is a boot loader for aarch64, and the image is for x86_64" },
        { "no distribution", "of no distribution known here" },
        { "Debian's CD", "does not start over the network" },
        { "a damaged .treeinfo", "The ISO image is damaged: .treeinfo does not say version" },
        { "a link out", "'BaseOS/evil' is a symbolic link to '../../../etc/shadow', outside the disc" },
        { "an absolute link", "'BaseOS/evil' is a symbolic link to '/etc/shadow', outside the disc" },
        { "a file below a link", "EVILNAMEXXXXXXX" },
        { "a device", "'BaseOS/null' is a device" },
        { "a pipe", "'BaseOS/pipe' is a named pipe" },
        { "a name that climbs out", "leaves the image's directory by '..'" },
        { "an absolute name", "'/etc/evilxxxxxx' is an absolute path" },
        { "a control character", "has the character U+001B in its name" },
        { "a huge file", "The ISO image cannot be read to its end: " },
        { "a name that is too long", "is longer than 512 bytes" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task A_disc_that_is_not_what_it_should_be_is_refused_with_the_reason(string what, string reason)
    {
        Discs.SkipWithoutTools();
        var outcome = await shared.Appliance.RunAsync(["image", "import", MakeWrong(what, shared.Directory.Path), "--name", "wrong",
            .. what == "another checksum" ? ["--sha256", new string('0', 64)] : Array.Empty<string>()]);

        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains(reason, outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', outcome.Error);
        Assert.False(shared.Appliance.Snapshot.Images.ContainsKey("wrong"));
        Assert.False(Directory.Exists(Path.Combine(shared.Appliance.Services.GetRequiredService<ImageStore>().Root, "wrong")));
        AssertNothingStaged();
    }

    private static string MakeWrong(string what, string directory)
    {
        const string Placeholder = "EVILNAMEXXXXXXX";
        var files = what is "a sum of md5sum.txt" ? Discs.Ubuntu() : Discs.RedHat(architecture: what == "another architecture" ? "aarch64" : "x86_64");
        Action<string>? prepare = null;
        switch (what)
        {
            case "short":
                File.WriteAllText(Path.Combine(directory, "short.iso"), "abc");
                return Path.Combine(directory, "short.iso");
            case "not an ISO image":
                File.WriteAllBytes(Path.Combine(directory, "none.iso"), new byte[100_000]);
                return Path.Combine(directory, "none.iso");
            case "a sum of .treeinfo":
                files["images/install.img"][100] ^= 1;
                break;
            case "a missing file":
                files.Remove("images/install.img");
                break;
            case "a sum of md5sum.txt":
                files["casper/ubuntu-server-minimal.squashfs"][100] ^= 1;
                break;
            case "no kernel":
                files.Remove("images/pxeboot/vmlinuz");
                files.Remove("isolinux/vmlinuz");
                files[".treeinfo"] = Discs.Text(TreeWithoutSums());
                break;
            case "another architecture":
                files["images/pxeboot/vmlinuz"] = BootFiles.BzImage();
                files[".treeinfo"] = Discs.TreeInfo(files, "aarch64", "9.4", "Red Hat Enterprise Linux");
                break;
            case "two architectures":
                files[".discinfo"] = Discs.Text("1713453213\nRed Hat Enterprise Linux 9.4\naarch64\n");
                break;
            case "an architecture that is not booted":
                files[".treeinfo"] = Discs.TreeInfo(files, "ppc64le", "9.4", "Red Hat Enterprise Linux");
                files.Remove(".discinfo");
                break;
            case "a loader for another processor":
                files["EFI/BOOT/grubx64.efi"] = BootFiles.Efi(Protocols.Pe.PeMachine.Arm64);
                break;
            case "no distribution":
                files.Remove(".treeinfo");
                files.Remove(".discinfo");
                break;
            case "Debian's CD":
                files.Remove(".treeinfo");
                files.Remove(".discinfo");
                files[".disk/info"] = Discs.Text("Debian GNU/Linux 12.5.0 \"Bookworm\" - Official amd64 NETINST with firmware 20240210-11:27\n");
                break;
            case "a damaged .treeinfo":
                files[".treeinfo"] = Discs.Text("[release]\nname = X\n");
                break;
            case "a link out":
                prepare = tree => File.CreateSymbolicLink(Path.Combine(tree, "BaseOS/evil"), "../../../etc/shadow");
                break;
            case "an absolute link":
                prepare = tree => File.CreateSymbolicLink(Path.Combine(tree, "BaseOS/evil"), "/etc/shadow");
                break;
            case "a file below a link":
                // The link's name is patched to be the directory's.
                files["aaaaaaaaaaaaaaa/evil"] = [1];
                prepare = tree => File.CreateSymbolicLink(Path.Combine(tree, Placeholder), "BaseOS");
                break;
            case "a device":
                prepare = tree => Tool.Run("mknod", Path.Combine(tree, "BaseOS/null"), "c", "1", "3");
                break;
            case "a pipe":
                prepare = tree => Tool.Run("mkfifo", Path.Combine(tree, "BaseOS/pipe"));
                break;
            case "a name that climbs out" or "an absolute name" or "a control character":
                files[Placeholder] = [1];
                break;
            case "a huge file":
                files["HUGE.BIN"] = [.. Enumerable.Repeat((byte)3, 3001)];
                break;
            case "a name that is too long":
                files[string.Join('/', Enumerable.Repeat(new string('a', 100), 6))] = [1];
                break;
        }
        var iso = Discs.Make(directory, files, prepare, implant: what == "implanted checksum");
        switch (what)
        {
            case "cut short":
                File.WriteAllBytes(iso, File.ReadAllBytes(iso)[..^2048]);
                break;
            case "implanted checksum":
                Discs.Patch(iso, Discs.Text("<repomd>app</repomd>"), Discs.Text("<repomd>eve</repomd>"));
                break;
            case "a file below a link":
                Discs.Patch(iso, Discs.Text("aaaaaaaaaaaaaaa"), Discs.Text(Placeholder));
                break;
            case "a name that climbs out":
                Discs.Patch(iso, Discs.Text(Placeholder), Discs.Text("../../../tmp/ev"));
                break;
            case "an absolute name":
                Discs.Patch(iso, Discs.Text(Placeholder), Discs.Text("/etc/evilxxxxxx"));
                break;
            case "a control character":
                Discs.Patch(iso, Discs.Text(Placeholder), Discs.Text("EVIL\u001b[31mXXXXXX"));
                break;
            case "a huge file":
                // The length in its directory records, in both byte orders (ECMA-119 §9.1.4).
                Discs.Patch(iso, [0xB9, 0x0B, 0, 0, 0, 0, 0x0B, 0xB9], [0, 0, 0, 0x70, 0x70, 0, 0, 0]);
                break;
        }
        return iso;

        static string TreeWithoutSums() => "[release]\nname = Red Hat Enterprise Linux\nversion = 9.4\n[tree]\narch = x86_64\n";
    }

    [Fact]
    public async Task What_a_disc_needs_is_asked_of_the_disk_first()
    {
        Discs.SkipWithoutTools();
        var (status, body) = await shared.Appliance.SendAsync(HttpMethod.Post, "images/wrong/import?size=9223372036854775807", Content());
        Assert.Equal(422, status);
        Assert.Contains("are free where the data is kept", body["detail"]!.ToString(), StringComparison.Ordinal);
        (status, body) = await shared.Appliance.SendAsync(HttpMethod.Post, "images/wrong/import?sha256=abc&bootOnly=perhaps&installSource=ftp://a/b&url=file:///etc", Content());
        Assert.Equal(422, status);
        Assert.Equal(["sha256", "url", "bootOnly", "installSource"], body["errors"]!.AsArray().Select(e => e!["key"]!.ToString()));

        static ByteArrayContent Content() => new([1, 2, 3]) { Headers = { ContentType = new("application/vnd.efi.iso") } };
    }

    [Fact]
    public async Task Options_of_a_disc_are_not_for_a_directory()
    {
        BootFiles.WriteTo(shared.Directory["tree"], BootFiles.Debian());
        var outcome = await shared.Appliance.RunAsync("image", "import", shared.Directory["tree"], "--name", "wrong", "--boot-only");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("--boot-only is for an ISO image", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_is_killed_in_the_middle_of_an_import_leaves_nothing()
    {
        Discs.SkipWithoutTools();
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory["c.yaml"], $$"""
            data: {{directory["data"]}}
            http: { address: 127.0.0.1, port: 0 }
            tftp: { address: 127.0.0.1, port: 0 }
            dhcp: { port: 0, proxyPort: 0 }
            secure: { address: 127.0.0.1, port: 0 }
            syslog: { address: 127.0.0.1, port: 0 }
            """);
        var program = typeof(ImageStore).Assembly.Location;
        var start = new ProcessStartInfo("dotnet", [program, "serve", "--config", directory["c.yaml"]]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Remove("PROVISIONER_SOCKET");
        var iso = await File.ReadAllBytesAsync(Discs.Make(directory.Path, Discs.RedHat()));
        var staging = Path.Combine(directory["data"], "images", ".staging");
        using (var service = Process.Start(start)!)
        {
            while (await service.StandardOutput.ReadLineAsync() is { } line && !line.Contains("is ready after", StringComparison.Ordinal))
            {
            }
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(directory["data"], "provisioner.sock")));
            await socket.SendAsync(Discs.Text($"POST /api/v1/images/rhel-9/import HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.efi.iso\r\nContent-Length: {iso.Length}\r\n\r\n"));
            await socket.SendAsync(iso.AsMemory(0, iso.Length - 1000));
            for (var i = 0; i < 400 && (!Directory.Exists(staging) || Directory.GetFiles(staging, "*", SearchOption.AllDirectories).Length == 0); i++)
                await Task.Delay(25);
            Assert.NotEmpty(Directory.GetFiles(staging, "*", SearchOption.AllDirectories));
            service.Kill();
            await service.WaitForExitAsync();
        }
        Directory.Move(directory["data"], directory["d"]);
        // Another data directory by its path, and the same files.
        using var moved = new TemporaryDirectory();
        Directory.Delete(moved.Path);
        Directory.Move(directory["d"], moved.Path);
        await using var appliance = await RunningAppliance.StartAsync(moved);
        Assert.Empty(appliance.Snapshot.Images);
        Assert.Empty(Directory.GetFileSystemEntries(appliance.Services.GetRequiredService<ImageStore>().Root));
    }

    private void AssertNothingStaged() =>
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(shared.Appliance.Services.GetRequiredService<ImageStore>().Root, ".staging")));
}
