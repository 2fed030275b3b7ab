using System.Text;
using Provisioner.Boot;
using Provisioner.Clusters;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Installing;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Templates;

namespace Provisioner.Tests.Installing;

/// <summary>Hosts and profiles of every kind, and what their answers are made of.</summary>
internal static class AnswerFixture
{
    public const string Token = "t0ken-of-this-host-alone";

    /// <summary>A real key of this form, made for these tests; its private half is thrown away.</summary>
    public const string SshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqdzPWmuzLQx1mhXkNVmDm1Ol9hO4Jq3W5pJmHq2F5T ops@example.com";

    public const string Hash = "$6$saltsalt$U.tuKuHnP1ZAYfO3p1yoUY1LQGZ7TgLtaSBxLtrGsnq7cY6n0UhPxfPGqRjI1t6CfFvhNUtRC1q6cPDbVvk8n.";

    public const string CaPem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    public const string PgpKey = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n";

    public static readonly string[] Releases = ["rhel-8", "rhel-9", "rhel-10", "ubuntu-20.04", "ubuntu-22.04", "ubuntu-24.04", "debian-12-diskless"];

    public static readonly string[] Kinds = ["plain", "lvm-tpm2", "mirror", "mirror-lvm-passphrase", "bond-vlan-static", "full", "cache", "cluster"];

    /// <summary>A name such as <c>rhel-9/full/aarch64</c>.</summary>
    public static IEnumerable<string> Matrix =>
        (from release in Releases
         from kind in Kinds
         where !release.EndsWith("diskless", StringComparison.Ordinal) || kind is "plain" or "bond-vlan-static" or "full" or "cache" or "cluster"
         where kind != "cluster" || release is "rhel-9" or "ubuntu-24.04" or "debian-12-diskless"
         from cpu in kind is "plain" or "mirror" or "cache" ? new[] { "x86_64", "aarch64" } : ["x86_64"]
         select $"{release}/{kind}/{cpu}")
        // Imported with --boot-only: kernel and initrd alone, everything else comes from a mirror.
        .Append("rhel-9-boot-only/plain/x86_64");

    /// <summary>The program and its units, short enough for a snapshot that is read.</summary>
    public static readonly JoinFiles ShortJoin = new(
    [
        new HostFile("/usr/local/sbin/provisioner-join", "0755", "#!/bin/sh\n# It joins.\n"),
        new HostFile("/usr/local/sbin/provisioner-preflight", "0755", "#!/bin/sh\n# It looks.\n"),
        new HostFile("/etc/systemd/system/provisioner-join.service", "0644", "[Unit]\n\n[Install]\nWantedBy=multi-user.target\n"),
        new HostFile("/etc/systemd/system/provisioner-preflight.service", "0644", "[Unit]\n"),
        new HostFile("/usr/local/sbin/provisioner-certificate", "0755", "#!/bin/sh\n# It's the program.\n%end\n"),
        new HostFile("/etc/systemd/system/provisioner-enrol.service", "0644", "[Unit]\n"),
    ]);

    /// <summary>With another pod network than the profile's firewall names, on another port than usual.</summary>
    public static readonly Cluster Cluster = new(new Metadata("prod"), new ClusterSpec { Region = "eu-west-1", KubernetesVersion = "1.34", Cni = PodNetwork.Calico, CniPort = 4790 });

    public static AnswerFiles Files(JoinFiles? join = null) => new(new TemplateEngine(), join ?? ShortJoin);

    public static SeedContext Context(string name)
    {
        var parts = name.Split('/');
        var (release, kind) = (parts[0], parts[1]);
        var cpu = parts[2] == "x86_64" ? CpuArchitecture.X64 : CpuArchitecture.Arm64;
        var diskless = release.EndsWith("-diskless", StringComparison.Ordinal);
        var options = Options(kind) with { Diskless = diskless };
        if (kind == "cache")
        {
            // Debian's archive has its security suite elsewhere.
            options = options with
            {
                Mirror = diskless ? null : release.StartsWith("rhel", StringComparison.Ordinal) ? $"cache:rocky{release[5..]}" : cpu == CpuArchitecture.X64 ? "cache:ubuntu" : "cache:ubuntu-ports",
                Repositories = release.StartsWith("rhel", StringComparison.Ordinal)
                    ? [new PackageRepository { Name = "docker", Url = "cache:docker-rhel/$releasever/$basearch/stable/", Key = PgpKey }]
                    : [new PackageRepository { Name = "docker", Url = "cache:docker-ubuntu", Key = PgpKey, Suite = "noble", Components = ["stable"] }, new PackageRepository { Name = "flat", Url = "cache:site/flat/", Key = PgpKey }],
            };
        }
        if (diskless)
            options = Diskless(options);
        var context = Context(Image(release, cpu), options, kind == "bond-vlan-static" ? BondedHost : h => h);
        return kind == "cluster" ? context with { Profile = context.Profile with { Spec = context.Profile.Spec with { Cluster = "prod" } }, Cluster = Cluster } : context;
    }

    /// <summary>Without what a diskless host cannot have.</summary>
    public static InstallOptions Diskless(InstallOptions options) => options with
    {
        Diskless = true, Disk = null, Firewall = options.Firewall?.Mode == FirewallMode.On ? null : options.Firewall, Selinux = SelinuxMode.Permissive,
    };

    public static SeedContext Context(Image image, InstallOptions options, Func<HostSpec, HostSpec>? host = null)
    {
        var spec = new HostSpec
        {
            MacAddresses = [MacAddress.Parse("52:54:00:00:00:01"), MacAddress.Parse("52:54:00:00:00:02"), MacAddress.Parse("52:54:00:00:00:03")],
            Architecture = image.Spec.Architecture,
            Profile = "worker",
            Address = Ipv4Address.Parse("10.77.0.21"),
        };
        return new SeedContext(
            new Host(new Metadata("rack1-n07"), host?.Invoke(spec) ?? spec),
            new Profile(new Metadata("worker"), new ProfileSpec { Image = image.Name, Install = options }),
            image,
            new Network(new Metadata("rack1"), new NetworkSpec
            {
                Subnet = Ipv4Cidr.Parse("10.77.0.0/24"),
                Gateway = Ipv4Address.Parse("10.77.0.254"),
                Dns = [Ipv4Address.Parse("10.77.0.53")],
                Ntp = [Ipv4Address.Parse("10.77.0.123")],
                Domain = "rack1.example.com",
            }),
            new Installation
            {
                Id = "00112233445566778899aabbccddeeff",
                Host = "rack1-n07",
                Profile = "worker",
                Image = image.Name,
                OpenedAt = new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero),
                ClosesAt = new DateTimeOffset(2026, 3, 1, 14, 0, 0, TimeSpan.Zero),
            },
            "http://10.77.0.1:8080/seed/c0ffee",
            "http://10.77.0.1:8080/report/c0ffee",
            "10.77.0.1:5514",
            "https://10.77.0.1:8443",
            new SeedSecrets(Token, CaPem, "correct-horse-battery"))
        {
            Upstreams = ["ubuntu", "ubuntu-ports", "docker-ubuntu", "docker-rhel", "site", "rocky8", "rocky9", "rocky10"],
        };
    }

    public static Image Image(string release, CpuArchitecture cpu)
    {
        var (distribution, version) = (release.Split('-')[0], release.Split('-')[1]);
        return new Image(new Metadata($"{release}-{Values.NameOf(cpu)}".Replace('_', '-')), new ImageSpec
        {
            Distribution = distribution, Version = version, Architecture = cpu, Kernel = "vmlinuz",
            InstallSource = release.EndsWith("-boot-only", StringComparison.Ordinal) ? "https://mirror.example.com/rocky/9/BaseOS/x86_64/os" : null,
        })
        {
            Status = new ImageStatus { Files = distribution == "ubuntu" ? [new ImageFile("live-server.iso", 2_000_000_000, "aa", null)] : [] },
        };
    }

    public static InstallOptions Options(string kind)
    {
        var basic = new InstallOptions { Users = [new UserOptions { Name = "ops", SshKeys = [SshKey], Sudo = true }] };
        return kind switch
        {
            "plain" => basic,
            "lvm-tpm2" => basic with { Disk = new DiskOptions { Layout = DiskLayout.Lvm, Encryption = DiskEncryption.Tpm2, Match = new DiskMatch { Choose = DiskOrder.Largest, MinimumGiB = 100 } } },
            "mirror" => basic with { Disk = new DiskOptions { Mirror = true, Filesystem = RootFilesystem.Ext4, Match = new DiskMatch { Serials = ["S3Z8NX0K", "S3Z8NX0M"] } } },
            "mirror-lvm-passphrase" => basic with
            {
                Disk = new DiskOptions
                {
                    Mirror = true, Layout = DiskLayout.Lvm, Encryption = DiskEncryption.Passphrase,
                    Match = new DiskMatch { Paths = ["pci-0000:00:17.0-ata-1", "pci-0000:00:17.0-ata-2"] },
                },
            },
            // Of which the ones for the release and the processor are added.
            "cache" => basic with { Packages = ["htop", "containerd.io"], Proxy = "http://proxy.example.com:3128" },
            "bond-vlan-static" => basic with { Network = new NetworkOptions { Mode = AddressMode.Static, Bond = BondMode.Lacp, Vlan = 120, Mtu = 9000 }, Firewall = new FirewallOptions { Mode = FirewallMode.Off } },
            "cluster" => basic with { Firewall = new FirewallOptions { PodNetwork = PodNetwork.Cilium } },
            _ => basic with
            {
                Network = new NetworkOptions { Dns = [Ipv4Address.Parse("192.0.2.53"), Ipv4Address.Parse("192.0.2.54")], SearchDomains = ["example.com", "no"] },
                Users =
                [
                    new UserOptions { Name = "ops", SshKeys = [SshKey, SshKey + "2"], PasswordHash = Hash, Sudo = true },
                    new UserOptions { Name = "no", PasswordHash = Hash },
                ],
                TimeZone = "Europe/Madrid",
                Locale = "de_DE.UTF-8",
                Keyboard = "no",
                Ntp = ["ntp1.example.com", "192.0.2.123"],
                Proxy = "http://proxy.example.com:3128/a%20b",
                Packages = ["tcpdump", "htop"],
                Repositories = [new PackageRepository { Name = "site", Url = "https://packages.example.com/$basearch", Key = PgpKey, Suite = "noble", Components = ["main", "extra"] }],
                Selinux = SelinuxMode.Enforcing,
                Firewall = new FirewallOptions { PodNetwork = PodNetwork.Calico, Ports = ["9100/tcp", "5000-5010/udp"] },
                KernelArguments = ["console=ttyS0,115200", "mitigations=auto"],
                Before = "echo 'it'\\''s before'\n%end of nothing\n",
                After = "cat <<'END'\n%end\n$HOME \"quoted\" `x`\nEND\necho \"done\"\n",
            },
        };
    }

    /// <summary>Every file the installer of that host asks for, one after the other.</summary>
    public static string All(AnswerFiles files, SeedContext context)
    {
        var text = new StringBuilder($"# kernel arguments\n{string.Join('\n', InstallerArguments.For(context))}\n");
        foreach (var name in (string[])["ks.cfg", "meta-data", "vendor-data", "user-data"])
        {
            if (AnswerFiles.Has(context, name))
                text.Append($"# ---------- {name}\n").Append(files.Render(context, name));
        }
        return text.ToString();
    }

    private static HostSpec BondedHost(HostSpec host) => host with
    {
        Install = new HostInstall
        {
            Network = new HostNetwork
            {
                Address = Ipv4Address.Parse("192.0.2.21"),
                Prefix = 26,
                Gateway = Ipv4Address.Parse("192.0.2.1"),
                BondMembers = [host.MacAddresses[0], host.MacAddresses[1]],
            },
        },
    };
}
