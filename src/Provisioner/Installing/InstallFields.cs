using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Installing;

/// <summary>The keys of <c>install</c> in a Profile and in a Host.</summary>
internal static class InstallFields
{
    private static readonly ListKind<Ipv4Address> NameServers = new(Values.Ipv4Address, maximum: 8);

    private static readonly ScalarKind<int> Vlan = Values.Integer(1, 4094);

    // nodeadm debug finds fault with an MTU between the two usual sizes, and below what IPv4 promises (RFC 791 §3.2).
    private static readonly ScalarKind<int> Mtu = Values.Integer(576, 9216);

    public static readonly Shape<InstallOptions> Options = Declare();

    public static readonly Shape<HostInstall> Host = DeclareHost();

    private static Shape<InstallOptions> Declare()
    {
        var text = new TextKind("a shell text", "lines of POSIX shell", _ => null);
        var selinux = Values.OneOf("an SELinux mode", ("permissive", SelinuxMode.Permissive), ("enforcing", SelinuxMode.Enforcing), ("disabled", SelinuxMode.Disabled));
        var shape = new Shape<InstallOptions>("install", () => new InstallOptions());
        shape.Default("diskless", Values.Boolean, i => i.Diskless, (i, v) => i with { Diskless = v }, "The image runs from memory: cloud-init configures it at each boot, and no disk is touched.");
        shape.Optional("disk", Disk(), i => i.Disk, (i, v) => i with { Disk = v }, "The disks; the smallest one, whole, when not given.");
        shape.Optional("network", Network(), i => i.Network, (i, v) => i with { Network = v }, "The network of the installed host.");
        shape.Optional("users", new ListKind<UserOptions>(User(), maximum: 32), i => i.Users, (i, v) => i with { Users = v }, "Who may log in.");
        shape.Default("timeZone", Values.OfText("a time zone", "a name such as UTC or Europe/Madrid", InstallTexts.TimeZone), i => i.TimeZone, (i, v) => i with { TimeZone = v }, "Its time zone.");
        shape.Default("locale", Values.OfText("a locale", "a UTF-8 locale such as en_US.UTF-8", InstallTexts.Locale), i => i.Locale, (i, v) => i with { Locale = v }, "Its language.");
        shape.Default("keyboard", Values.OfText("a keyboard layout", "a layout such as us or de", InstallTexts.Keyboard), i => i.Keyboard, (i, v) => i with { Keyboard = v }, "Its console's keyboard.");
        shape.Optional("ntp", new ListKind<string>(Values.HostAddress, maximum: 8), i => i.Ntp, (i, v) => i with { Ntp = v }, "Time servers; without any, the Network's.");
        shape.Optional("proxy", Values.OfText("a proxy", "an http or https URL without a password", InstallTexts.Url), i => i.Proxy, (i, v) => i with { Proxy = v }, "The way out for packages, and for every service of the host.");
        shape.Optional("mirror", Values.OfText("a mirror", PackageSource.Expected, PackageSource.Wrong), i => i.Mirror, (i, v) => i with { Mirror = v },
            "The distribution's own archive: of Ubuntu with its security suite, of the RHEL family the directory that has BaseOS and AppStream.");
        shape.Optional("packages", new ListKind<string>(Values.OfText("a package", "a package's name such as tcpdump", InstallTexts.Package), maximum: 256), i => i.Packages, (i, v) => i with { Packages = v },
            "Packages besides the distribution's smallest set.");
        shape.Optional("repositories", new ListKind<PackageRepository>(Repository(), maximum: 16), i => i.Repositories, (i, v) => i with { Repositories = v }, "Where packages come from, besides the image.");
        shape.Default("selinux", selinux, i => i.Selinux, (i, v) => i with { Selinux = v }, "SELinux, where the distribution has it; with diskless: the image's own.");
        shape.Optional("firewall", Firewall(), i => i.Firewall, (i, v) => i with { Firewall = v }, "The host's own firewall; on, with the ports of Kubernetes and of the pod network open, when not given.");
        shape.Optional("kernelArguments", new ListKind<string>(Values.KernelArgument), i => i.KernelArguments, (i, v) => i with { KernelArguments = v }, "Kernel arguments of the installed system; with diskless: of each boot.");
        shape.Optional("before", text, i => i.Before, (i, v) => i with { Before = v }, "Runs in the installer before a disk is touched; a failure ends the installation.");
        shape.Optional("after", text, i => i.After, (i, v) => i with { After = v }, "Runs in the installed system, last of all; a failure ends the installation.");
        shape.Check((install, report) =>
        {
            Once(install.Users, u => u.Name, "users", "name", report);
            Once(install.Repositories, r => r.Name, "repositories", "name", report);
            if (install is { Diskless: true, Disk: not null })
                report("disk", "a diskless host has no disk to install to", null, "no disk, or diskless: false");
            // What would be said and not done is refused: whoever reads the profile would believe it.
            if (install is { Diskless: true, Firewall.Mode: FirewallMode.On })
                report("firewall", "a diskless host has the firewall of its image, and no other is set up", "mode: on", "mode: off, or no firewall; its rules belong into the image, or into after");
            if (install is { Diskless: true, Selinux: not SelinuxMode.Permissive })
            {
                report("selinux", "a diskless host has the SELinux of its image", install.Selinux == SelinuxMode.Enforcing ? "enforcing" : "disabled",
                    "no selinux; the image's own configuration, or enforcing=1 or selinux=0 among kernelArguments");
            }
        });
        return shape;
    }

    private static Shape<HostInstall> DeclareHost()
    {
        var network = new Shape<HostNetwork>("network", () => new HostNetwork());
        network.Optional("address", Values.Ipv4Address, n => n.Address, (n, v) => n with { Address = v }, "Its fixed address when that is not spec.address; with mode: static.");
        network.Optional("prefix", Values.Integer(8, 30), n => n.Prefix, (n, v) => n with { Prefix = v }, "Bits of that address's subnet; the Network's when not given.");
        network.Optional("gateway", Values.Ipv4Address, n => n.Gateway, (n, v) => n with { Gateway = v }, "Its router; the Network's when not given.");
        network.Optional("dns", NameServers, n => n.Dns, (n, v) => n with { Dns = v }, "Its name servers instead of the profile's.");
        network.Optional("bondMembers", new ListKind<MacAddress>(Values.MacAddress, maximum: 8), n => n.BondMembers, (n, v) => n with { BondMembers = v }, "The cards of its bond; all its macAddresses when not given.");
        network.Optional("vlan", Vlan, n => n.Vlan, (n, v) => n with { Vlan = v }, "Its VLAN instead of the profile's.");
        network.Optional("mtu", Mtu, n => n.Mtu, (n, v) => n with { Mtu = v }, "Its MTU instead of the profile's.");
        network.Check((n, report) =>
        {
            if (n is { Address: { } address, Prefix: { } prefix } && !new Ipv4Cidr(address, prefix).IsHostAddress(address))
                report("address", $"{address} is the network's or broadcast address of its subnet", address.ToString(), "a host's address");
            if (n is { Address: { } own, Prefix: { } bits, Gateway: { } gateway } && !new Ipv4Cidr(own, bits).IsHostAddress(gateway))
                report("gateway", $"{gateway} is not a host's address in {new Ipv4Cidr(own, bits)}", gateway.ToString(), $"an address inside {new Ipv4Cidr(own, bits)}");
            for (var i = 0; i < n.BondMembers.Length; i++)
            {
                if (n.BondMembers.IndexOf(n.BondMembers[i]) < i)
                    report($"bondMembers[{i}]", $"{n.BondMembers[i]} is there twice", n.BondMembers[i].ToString(), "each MAC address once");
            }
        });
        var shape = new Shape<HostInstall>("install", () => new HostInstall());
        shape.Optional("disk", Match(), h => h.Disk, (h, v) => h with { Disk = v }, "Its disks instead of the profile's match.");
        shape.Optional("network", network, h => h.Network, (h, v) => h with { Network = v }, "What is its own in its network.");
        return shape;
    }

    private static Shape<DiskOptions> Disk()
    {
        var layout = Values.OneOf("a layout", ("plain", DiskLayout.Plain), ("lvm", DiskLayout.Lvm));
        var filesystem = Values.OneOf("a file system", ("xfs", RootFilesystem.Xfs), ("ext4", RootFilesystem.Ext4));
        var encryption = Values.OneOf("an encryption", ("none", DiskEncryption.None), ("tpm2", DiskEncryption.Tpm2), ("passphrase", DiskEncryption.Passphrase));
        var shape = new Shape<DiskOptions>("disk", () => new DiskOptions());
        shape.Optional("match", Match(), d => d.Match, (d, v) => d with { Match = v }, "Which disk.");
        shape.Default("layout", layout, d => d.Layout, (d, v) => d with { Layout = v }, "plain: one partition besides /boot. lvm: a logical volume. Never swap, which nodeadm refuses.");
        shape.Default("mirror", Values.Boolean, d => d.Mirror, (d, v) => d with { Mirror = v }, "RAID 1 over two disks.");
        shape.Default("filesystem", filesystem, d => d.Filesystem, (d, v) => d with { Filesystem = v }, "The root's file system.");
        shape.Default("encryption", encryption, d => d.Encryption, (d, v) => d with { Encryption = v }, "tpm2: a key made on the host and sealed in its TPM. passphrase: typed at each boot.");
        return shape;
    }

    private static Shape<DiskMatch> Match()
    {
        var order = Values.OneOf("a choice", ("smallest", DiskOrder.Smallest), ("largest", DiskOrder.Largest));
        var shape = new Shape<DiskMatch>("match", () => new DiskMatch());
        shape.Default("choose", order, m => m.Choose, (m, v) => m with { Choose = v }, "Which of the fixed disks, where none is named.");
        shape.Default("minimumGiB", Values.Integer(8, 1_000_000), m => m.MinimumGiB, (m, v) => m with { MinimumGiB = v }, "Smaller disks are passed over.");
        shape.Optional("paths", new ListKind<string>(Values.OfText("a disk's path", "a name below /dev/disk/by-path such as pci-0000:00:17.0-ata-1", InstallTexts.DiskPath), maximum: 2, single: true),
            m => m.Paths, (m, v) => m with { Paths = v }, "These disks, by where they are plugged in.");
        shape.Optional("serials", new ListKind<string>(Values.OfText("a disk's serial number", "a serial number as lsblk shows it", InstallTexts.DiskSerial), maximum: 2, single: true),
            m => m.Serials, (m, v) => m with { Serials = v }, "These disks, by serial number.");
        shape.Check((match, report) =>
        {
            if (match.Paths.Length > 0 && match.Serials.Length > 0)
                report("serials", "both paths and serials name disks", null, "paths or serials");
            if (match.Paths.Distinct(StringComparer.Ordinal).Count() < match.Paths.Length)
                report("paths", "the same disk is there twice", null, "each disk once");
            if (match.Serials.Distinct(StringComparer.Ordinal).Count() < match.Serials.Length)
                report("serials", "the same disk is there twice", null, "each disk once");
        });
        return shape;
    }

    private static Shape<NetworkOptions> Network()
    {
        var mode = Values.OneOf("a mode", ("dhcp", AddressMode.Dhcp), ("static", AddressMode.Static));
        var bond = Values.OneOf("a bond", ("802.3ad", BondMode.Lacp), ("active-backup", BondMode.ActiveBackup));
        var shape = new Shape<NetworkOptions>("network", () => new NetworkOptions());
        shape.Default("mode", mode, n => n.Mode, (n, v) => n with { Mode = v }, "static: the host's own address, written into it.");
        shape.Optional("bond", bond, n => n.Bond, (n, v) => n with { Bond = v }, "All cards as one; 802.3ad is LACP, which the switch must have as well.");
        shape.Optional("vlan", Vlan, n => n.Vlan, (n, v) => n with { Vlan = v }, "The VLAN its address is on; it boots untagged all the same.");
        shape.Optional("mtu", Mtu, n => n.Mtu, (n, v) => n with { Mtu = v }, "The largest packet.");
        shape.Optional("dns", NameServers, n => n.Dns, (n, v) => n with { Dns = v }, "Name servers; without any, the Network's or what DHCP says.");
        shape.Optional("searchDomains", new ListKind<string>(Values.DomainName, maximum: 8), n => n.SearchDomains, (n, v) => n with { SearchDomains = v }, "Domains that are searched.");
        return shape;
    }

    private static Shape<UserOptions> User()
    {
        var shape = new Shape<UserOptions>("a user", () => new UserOptions { Name = "" });
        shape.Required("name", Values.OfText("a user's name", "lower-case letters, digits, '-' and '_', beginning with a letter", InstallTexts.UserName), u => u.Name, (u, v) => u with { Name = v }, "The login.");
        shape.Optional("sshKeys", new ListKind<string>(Values.OfText("an SSH public key", "a line such as ssh-ed25519 AAAA… comment", InstallTexts.SshKey), maximum: 32), u => u.SshKeys, (u, v) => u with { SshKeys = v },
            "Public keys that open it.");
        shape.Optional("passwordHash", Values.OfText("a password's hash", "a crypt(3) hash such as openssl passwd -6 prints", InstallTexts.PasswordHash), u => u.PasswordHash, (u, v) => u with { PasswordHash = v },
            "For the console alone; locked when not given.");
        shape.Default("sudo", Values.Boolean, u => u.Sudo, (u, v) => u with { Sudo = v }, "May become root without a password.");
        shape.Check((user, report) =>
        {
            if (user.SshKeys.IsEmpty && user.PasswordHash is null)
                report("sshKeys", $"nothing lets {user.Name} log in", null, "an SSH key or a password's hash");
        });
        return shape;
    }

    private static Shape<PackageRepository> Repository()
    {
        var key = new TextKind("a public key", "an OpenPGP public key, ASCII-armoured", InstallTexts.PublicKey);
        var shape = new Shape<PackageRepository>("a repository", () => new PackageRepository { Name = "", Url = "", Key = "" });
        shape.Required("name", Values.OfText("a name", "letters, digits, '.', '-' and '_'", InstallTexts.RepositoryName), r => r.Name, (r, v) => r with { Name = v }, "Its name on the host.");
        shape.Required("url", Values.OfText("a URL", PackageSource.Expected, PackageSource.Wrong), r => r.Url, (r, v) => r with { Url = v }, "Where it is.");
        shape.Required("key", key, r => r.Key, (r, v) => r with { Key = v }, "What its packages are signed with.");
        shape.Optional("suite", Values.OfText("a suite", "a suite such as noble, or ./", InstallTexts.Suite), r => r.Suite, (r, v) => r with { Suite = v }, "Ubuntu only: its suite.");
        shape.Optional("components", new ListKind<string>(Values.OfText("a component", "a component such as main", InstallTexts.RepositoryName), maximum: 8), r => r.Components, (r, v) => r with { Components = v }, "Ubuntu only: its components.");
        return shape;
    }

    private static Shape<FirewallOptions> Firewall()
    {
        var mode = Values.OneOf("a firewall", ("on", FirewallMode.On), ("off", FirewallMode.Off));
        var pods = Values.OneOf("a pod network", ("cilium", PodNetwork.Cilium), ("calico", PodNetwork.Calico));
        var shape = new Shape<FirewallOptions>("firewall", () => new FirewallOptions());
        shape.Default("mode", mode, f => f.Mode, (f, v) => f with { Mode = v }, "off: no firewall of the host's own.");
        shape.Optional("podNetwork", pods, f => f.PodNetwork, (f, v) => f with { PodNetwork = v }, "Whose ports are opened, for nodeadm refuses to go on when they are shut: the cluster's cni and cniPort, and without a cluster this, or cilium.");
        shape.Optional("ports", new ListKind<string>(Values.OfText("a port", "a port such as 9100/tcp or 30000-32767/udp", InstallTexts.Port)), f => f.Ports, (f, v) => f with { Ports = v }, "More ports to open.");
        return shape;
    }

    private static void Once<T>(IReadOnlyList<T> items, Func<T, string> key, string list, string name, Shape<InstallOptions>.Report report)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < items.Count; i++)
        {
            if (!seen.Add(key(items[i])))
                report($"{list}[{i}].{name}", $"'{key(items[i])}' is there twice", key(items[i]), "each once");
        }
    }
}
