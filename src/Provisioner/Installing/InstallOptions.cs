using System.Collections.Immutable;
using Provisioner.Protocols;

namespace Provisioner.Installing;

/// <summary>What an unattended installation makes of a host: one description for every distribution.</summary>
public sealed record InstallOptions
{
    /// <summary>The image runs from memory: nothing is installed, and cloud-init configures it at each boot.</summary>
    public bool Diskless { get; init; }

    public DiskOptions? Disk { get; init; }

    public NetworkOptions? Network { get; init; }

    public ImmutableArray<UserOptions> Users { get; init; } = [];

    public string TimeZone { get; init; } = "UTC";

    public string Locale { get; init; } = "en_US.UTF-8";

    /// <summary>An X keyboard layout, such as <c>us</c> or <c>de</c>.</summary>
    public string Keyboard { get; init; } = "us";

    /// <summary>Time servers; without any, those of the Network.</summary>
    public ImmutableArray<string> Ntp { get; init; } = [];

    /// <summary>A proxy for the packages and, later, for every service of the host.</summary>
    public string? Proxy { get; init; }

    /// <summary>The distribution's own archive, instead of the one the distribution knows: a URL or <c>cache:NAME/PATH</c>.</summary>
    public string? Mirror { get; init; }

    public ImmutableArray<string> Packages { get; init; } = [];

    public ImmutableArray<PackageRepository> Repositories { get; init; } = [];

    /// <summary>Of the RHEL family only.</summary>
    public SelinuxMode Selinux { get; init; } = SelinuxMode.Permissive;

    public FirewallOptions? Firewall { get; init; }

    /// <summary>Kernel arguments of the installed system.</summary>
    public ImmutableArray<string> KernelArguments { get; init; } = [];

    /// <summary>Shell text that runs in the installer before a disk is touched.</summary>
    public string? Before { get; init; }

    /// <summary>Shell text that runs in the installed system, last of all.</summary>
    public string? After { get; init; }
}

/// <summary>SELinux, as <c>/etc/selinux/config</c> names it.</summary>
public enum SelinuxMode
{
    /// <summary>Denials are logged only; what AWS tests hybrid nodes with.</summary>
    Permissive,

    Enforcing,

    Disabled,
}

public enum DiskLayout
{
    /// <summary>One partition for everything but <c>/boot</c>.</summary>
    Plain,

    /// <summary>The same on a logical volume.</summary>
    Lvm,
}

public enum RootFilesystem
{
    Xfs,
    Ext4,
}

public enum DiskEncryption
{
    None,

    /// <summary>The key is sealed in the host's TPM 2.0: it is made on the host, and unlocks without anybody.</summary>
    Tpm2,

    /// <summary>A passphrase that the appliance gives out, and somebody types at each boot.</summary>
    Passphrase,
}

public enum DiskOrder
{
    Smallest,
    Largest,
}

/// <summary>What becomes of the disks. There is never swap: nodeadm refuses a swap partition.</summary>
public sealed record DiskOptions
{
    public DiskMatch? Match { get; init; }

    public DiskLayout Layout { get; init; } = DiskLayout.Plain;

    /// <summary>RAID 1 over two disks.</summary>
    public bool Mirror { get; init; }

    public RootFilesystem Filesystem { get; init; } = RootFilesystem.Xfs;

    public DiskEncryption Encryption { get; init; } = DiskEncryption.None;
}

/// <summary>Which disk of the host. Paths and serials name them; otherwise the size decides among the fixed ones.</summary>
public sealed record DiskMatch
{
    public DiskOrder Choose { get; init; } = DiskOrder.Smallest;

    /// <summary>Smaller ones are passed over, in GiB.</summary>
    public int MinimumGiB { get; init; } = 16;

    /// <summary>Names below <c>/dev/disk/by-path</c>.</summary>
    public ImmutableArray<string> Paths { get; init; } = [];

    public ImmutableArray<string> Serials { get; init; } = [];
}

public enum AddressMode
{
    Dhcp,
    Static,
}

public enum BondMode
{
    /// <summary>LACP: the switch has to have it as well.</summary>
    Lacp,

    ActiveBackup,
}

/// <summary>The network of the installed host. The installer itself uses the card it booted from, by DHCP.</summary>
public sealed record NetworkOptions
{
    public AddressMode Mode { get; init; } = AddressMode.Dhcp;

    public BondMode? Bond { get; init; }

    public int? Vlan { get; init; }

    public int? Mtu { get; init; }

    /// <summary>Name servers; without any, those of the Network or of DHCP.</summary>
    public ImmutableArray<Ipv4Address> Dns { get; init; } = [];

    public ImmutableArray<string> SearchDomains { get; init; } = [];
}

/// <summary>Somebody who may log in. Root may not.</summary>
public sealed record UserOptions
{
    public required string Name { get; init; }

    public ImmutableArray<string> SshKeys { get; init; } = [];

    /// <summary>A crypt(3) hash; without one the password is locked.</summary>
    public string? PasswordHash { get; init; }

    public bool Sudo { get; init; }
}

/// <summary>Where packages come from besides the image. Its packages are checked with its key.</summary>
public sealed record PackageRepository
{
    public required string Name { get; init; }

    /// <summary>A URL, or <c>cache:NAME/PATH</c>.</summary>
    public required string Url { get; init; }

    /// <summary>The OpenPGP public key, ASCII-armoured.</summary>
    public required string Key { get; init; }

    /// <summary>Of Ubuntu's archives: such as <c>noble</c>; <c>./</c> for a flat one.</summary>
    public string? Suite { get; init; }

    public ImmutableArray<string> Components { get; init; } = [];
}

public enum FirewallMode
{
    On,
    Off,
}

/// <summary>The pod network, whose ports the firewall must leave open.</summary>
public enum PodNetwork
{
    Cilium,
    Calico,
}

public sealed record FirewallOptions
{
    public FirewallMode Mode { get; init; } = FirewallMode.On;

    /// <summary>Of hosts that join no cluster known here; otherwise it is the cluster's.</summary>
    public PodNetwork? PodNetwork { get; init; }

    /// <summary>More ports to open, such as <c>9100/tcp</c>.</summary>
    public ImmutableArray<string> Ports { get; init; } = [];
}

/// <summary>What is one host's own in its installation.</summary>
public sealed record HostInstall
{
    /// <summary>Instead of the profile's.</summary>
    public DiskMatch? Disk { get; init; }

    public HostNetwork? Network { get; init; }
}

public sealed record HostNetwork
{
    /// <summary>Its address in production, when that is not the one it boots with.</summary>
    public Ipv4Address? Address { get; init; }

    public int? Prefix { get; init; }

    public Ipv4Address? Gateway { get; init; }

    public ImmutableArray<Ipv4Address> Dns { get; init; } = [];

    /// <summary>The cards of its bond; all of its MAC addresses when not given.</summary>
    public ImmutableArray<MacAddress> BondMembers { get; init; } = [];

    public int? Vlan { get; init; }

    public int? Mtu { get; init; }
}
