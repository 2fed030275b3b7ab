using System.Collections.Immutable;
using System.Globalization;
using Provisioner.Clusters;
using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Installing;

/// <summary>The program that reads the answers.</summary>
internal enum AnswerReader
{
    /// <summary>Anaconda, of the RHEL family.</summary>
    Kickstart,

    /// <summary>Subiquity, of Ubuntu.</summary>
    Autoinstall,

    /// <summary>cloud-init of a host that runs from memory.</summary>
    CloudInit,
}

/// <summary>The distribution an image installs, as far as answers differ.</summary>
/// <param name="Family"><c>rhel</c>, <c>ubuntu</c>, or for diskless images alone what the image says.</param>
/// <param name="Major">The number before the first dot: 9, or 24.</param>
internal sealed record InstallTarget(AnswerReader Reader, string Family, int Major)
{
    public bool IsRhel => Family == "rhel";

    /// <returns>Null when there is no answer file for it; the reason says why.</returns>
    public static InstallTarget? Of(Image image, bool diskless, out string? reason)
    {
        reason = null;
        var distribution = image.Spec.Distribution?.ToLowerInvariant() ?? "";
        var family = distribution is "rhel" or "redhat" or "rocky" or "almalinux" or "alma" or "centos" or "oracle" ? "rhel" : distribution;
        var version = image.Spec.Version ?? "";
        _ = int.TryParse(version.Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var major);
        if (diskless)
            return new(AnswerReader.CloudInit, family, major);
        if (family == "rhel" && major is 8 or 9 or 10)
            return new(AnswerReader.Kickstart, family, major);
        if (family == "ubuntu" && (version is "20.04" or "22.04" or "24.04" || version.StartsWith("20.04.", StringComparison.Ordinal)
            || version.StartsWith("22.04.", StringComparison.Ordinal) || version.StartsWith("24.04.", StringComparison.Ordinal)))
            return new(AnswerReader.Autoinstall, family, major);
        reason = $"Image {image.Name} is of {(distribution.Length == 0 ? "no distribution that it names" : $"{distribution} {version}".Trim())}, which has no unattended installation here: "
            + "there is one for the RHEL family 8, 9 and 10 and for Ubuntu 20.04, 22.04 and 24.04, and diskless: true for any image with cloud-init";
        return null;
    }
}

/// <summary>The network of the installed host: every card by its MAC address, since names of interfaces change with firmware and kernel.</summary>
internal sealed record PlannedNetwork
{
    public required MacAddress BootMac { get; init; }

    /// <summary>The cards of the bond; without one, the card it boots from.</summary>
    public required ImmutableArray<MacAddress> Cards { get; init; }

    public BondMode? Bond { get; init; }

    public int? Vlan { get; init; }

    public int? Mtu { get; init; }

    /// <summary>Null for DHCP.</summary>
    public Ipv4Address? Address { get; init; }

    public int Prefix { get; init; }

    public Ipv4Address? Gateway { get; init; }

    public ImmutableArray<Ipv4Address> Dns { get; init; } = [];

    public ImmutableArray<string> SearchDomains { get; init; } = [];

    /// <summary>Nothing that a card with DHCP does not do by itself.</summary>
    public bool IsPlain => Bond is null && Vlan is null && Mtu is null && Address is null && Dns.IsEmpty && SearchDomains.IsEmpty;
}

/// <summary>Profile, host, image and network put together: what the answers of one host say.</summary>
internal sealed record InstallPlan
{
    public required string Host { get; init; }

    public required Image Image { get; init; }

    public required InstallTarget Target { get; init; }

    public required InstallOptions Options { get; init; }

    public required DiskOptions Disk { get; init; }

    public required DiskMatch Match { get; init; }

    public required PlannedNetwork Network { get; init; }

    public required FirewallOptions Firewall { get; init; }

    public required ImmutableArray<string> Ntp { get; init; }

    public int Disks => Disk.Mirror ? 2 : 1;

    /// <summary>The one its hosts join; null when they join none.</summary>
    public Cluster? Cluster { get; init; }

    /// <summary>The trees below the mirror of the RHEL family, for the installer and the installed host; the names are none of the distribution's own.</summary>
    public IEnumerable<(string Name, string Source)> MirrorTrees => Options.Mirror is { } mirror && Target.IsRhel
        ? Trees.Select(tree => ($"provisioner-{tree.ToLowerInvariant()}", $"{mirror.TrimEnd('/')}/{tree}/{Values.NameOf(Image.Spec.Architecture)}/os"))
        : [];

    /// <summary>What a mirror of the RHEL family has below its directory: Rocky, AlmaLinux, CentOS Stream.</summary>
    public static readonly ImmutableArray<string> Trees = ["BaseOS", "AppStream"];

    /// <summary>The firewall's open ports: ssh, what nodeadm opens itself, the pod network's, and the profile's.</summary>
    public IEnumerable<string> Ports =>
        ((string[])["22/tcp", "10250/tcp", "10256/tcp", "30000-32767/tcp", .. PodNetworkPorts]).Concat(Firewall.Ports).Distinct(StringComparer.Ordinal);

    private IEnumerable<string> PodNetworkPorts
    {
        get
        {
            var cni = Cluster?.Spec.Cni ?? Firewall.PodNetwork ?? PodNetwork.Cilium;
            var tunnel = Cluster?.Spec.TunnelPort ?? ClusterSpec.UsualTunnelPort(cni);
            return cni == PodNetwork.Cilium ? [$"{tunnel}/udp", "4240/tcp", "4244/tcp"] : [$"{tunnel}/udp", "179/tcp", "5473/tcp"];
        }
    }

    /// <returns>Null with reasons when this host cannot be installed by this profile.</returns>
    public static InstallPlan? Resolve(Host host, Profile profile, Image image, Network? network, Cluster? cluster, out ImmutableArray<string> reasons)
    {
        var wrong = ImmutableArray.CreateBuilder<string>();
        reasons = [];
        if (profile.Spec.Install is not { } options)
        {
            reasons = [$"Profile {profile.Name} says nothing of an unattended installation: it has no spec.install"];
            return null;
        }
        var target = InstallTarget.Of(image, options.Diskless, out var why);
        if (target is null)
            wrong.Add(why!);
        if (options.Mirror is not null && target is not null && target.Family != "ubuntu" && target.Reader != AnswerReader.Kickstart)
            wrong.Add($"spec.install.mirror is for Ubuntu and for what is installed of the RHEL family; of {(target.Family.Length == 0 ? "this image" : target.Family)}{(options.Diskless ? ", diskless," : "")} name the archives in repositories");
        var disk = options.Disk ?? new DiskOptions();
        var match = host.Spec.Install?.Disk ?? disk.Match ?? new DiskMatch();
        var named = Math.Max(match.Paths.Length, match.Serials.Length);
        if (named > 0 && named != (disk.Mirror ? 2 : 1))
            wrong.Add($"{named} {(named == 1 ? "disk is" : "disks are")} named, but the profile's layout {(disk.Mirror ? "mirrors two" : "takes one")}");
        var planned = Plan(host, options.Network ?? new NetworkOptions(), network, wrong);
        if (wrong.Count > 0)
        {
            reasons = wrong.ToImmutable();
            return null;
        }
        return new InstallPlan
        {
            Host = host.Name,
            Image = image,
            Target = target!,
            Options = options,
            Disk = disk,
            Match = match,
            Network = planned,
            Cluster = cluster,
            Firewall = options.Firewall ?? new FirewallOptions(),
            Ntp = options.Ntp.IsDefaultOrEmpty ? [.. network?.Spec.Ntp.Select(a => a.ToString()) ?? []] : options.Ntp,
        };
    }

    private static PlannedNetwork Plan(Host host, NetworkOptions wanted, Network? network, ImmutableArray<string>.Builder wrong)
    {
        var own = host.Spec.Install?.Network ?? new HostNetwork();
        var boot = host.Spec.BootMacAddress ?? host.Spec.MacAddresses[0];
        var cards = wanted.Bond is null ? [boot] : own.BondMembers.IsDefaultOrEmpty ? host.Spec.MacAddresses : own.BondMembers;
        var planned = new PlannedNetwork
        {
            BootMac = boot,
            Cards = cards,
            Bond = wanted.Bond,
            Vlan = own.Vlan ?? wanted.Vlan,
            Mtu = own.Mtu ?? wanted.Mtu,
            Dns = !own.Dns.IsDefaultOrEmpty ? own.Dns : wanted.Dns,
            SearchDomains = wanted.SearchDomains,
        };
        if (wanted.Mode == AddressMode.Dhcp)
            return planned;
        if ((own.Address ?? host.Spec.Address) is not { } address)
        {
            wrong.Add("the profile writes the host's address into it (mode: static), but the host has none: neither spec.address nor spec.install.network.address");
            return planned;
        }
        // A Network tells the subnet only of its own addresses: a host may boot on one and live on another.
        var inside = network?.Spec.Subnet.Contains(address) == true ? network.Spec : null;
        if ((own.Prefix ?? inside?.Subnet.PrefixLength) is not { } prefix)
        {
            wrong.Add($"how large the subnet of {address} is, no Network says: give spec.install.network.prefix");
            return planned;
        }
        return planned with
        {
            Address = address,
            Prefix = prefix,
            Gateway = own.Gateway ?? inside?.Gateway,
            Dns = !planned.Dns.IsDefaultOrEmpty ? planned.Dns : network?.Spec.Dns ?? [],
            SearchDomains = planned.SearchDomains.IsDefaultOrEmpty && network?.Spec.Domain is { } domain ? [domain] : planned.SearchDomains,
        };
    }
}
