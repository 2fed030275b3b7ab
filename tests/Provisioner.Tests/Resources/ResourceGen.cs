using System.Collections.Immutable;
using CsCheck;
using Provisioner.Boot;
using Provisioner.Clusters;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Installing;
using Provisioner.Joining;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Tests.Resources;

/// <summary>Any resource that a document can say, with the words that YAML readers stumble over among its values.</summary>
internal static class ResourceGen
{
    private static readonly Gen<string> Name = Gen.OneOf(
        Gen.OneOf("no", "on", "y", "null", "true", "1e3", "12", "0x1f", "a.b-c", "infinity"),
        Gen.Char["abcdefgh0123456789"].Array[1, 20].Select(c => new string(c)));

    private static readonly Gen<string> Text = Gen.OneOf(
        Gen.OneOf("no", "on", "~", "12:30", "1e3", "0o17", "- a", "a: b", "a #b", "\"", "'", "\\", "{a}", "[a]", "*a", "&a", "!a", "|", ">", "%", "@", "`", "?", "-", ":", ",", "=", "<<", "ü 漢字 🚀"),
        Gen.Char[' ', '~'].Array[1, 30].Select(c => new string(c).Trim()).Where(t => t.Length > 0));

    private static readonly Gen<string> Label = Gen.OneOf("", "no", "12", "1.5", "a-b_c.d", "true", "A");

    private static readonly Gen<string> Argument = Gen.OneOf(
        Gen.OneOf("console=ttyS0,115200", "quiet", "---", "no", "a=b#c", "ip=dhcp", "~", "*", "?", "!x", "@x", "%x", "[a]", "-", ":", "12:30"),
        Gen.Char["abc019-_.,:=/@+%~!*#[]()?^"].Array[1, 20].Select(c => new string(c)).Where(t => t[0] != '#'));

    private static readonly Gen<string> FilePath = Gen.OneOf("vmlinuz", "install/initrd.gz", "a/b/c.img", "on", "1", "12.5", "~a", "@a", "a~b");

    private static readonly Gen<MacAddress> Mac = Gen.ULong[1, 0xFFFF_FFFF_FFFF].Select(bits => new MacAddress(bits & ~(1UL << 40))).Where(m => !m.IsZero);

    private static readonly Gen<Ipv4Address> Address = Gen.UInt[0x0100_0000, 0xDFFF_FFFF].Select(bits => new Ipv4Address(bits));

    private static readonly Gen<CpuArchitecture> Cpu = Gen.OneOf(CpuArchitecture.X64, CpuArchitecture.Arm64);

    private static readonly Gen<BootOptions> Boot = Gen.Select(Option(FilePath), OptionOf(Gen.Enum<LocalBoot>()), ListOf(Argument),
        (file, local, arguments) => new BootOptions { File = file, Local = local, KernelArguments = arguments });

    private static readonly Gen<Metadata> Metadata = Gen.Select(Name, Gen.Dictionary(Gen.OneOf("a", "no", "12", "example.com/x", "A_b.c"), Label)[0, 4], Gen.Long[0, 1000],
        (name, labels, version) => new Metadata(name)
        {
            Labels = ImmutableSortedDictionary.CreateRange<string, string>(StringComparer.Ordinal, labels),
            ResourceVersion = version,
        });

    private static readonly Gen<HostLocation> Location = Gen.Select(Option(Text), Option(Text), OptionOf(Gen.Int[1, 100]), (site, rack, unit) => new HostLocation { Site = site, Rack = rack, Unit = unit });

    private static readonly Gen<ManagementController> Bmc = Gen.Select(Gen.OneOf("10.0.0.1", "bmc.example.com", "fe80::1", "on"), Gen.OneOf("redfish", "ipmi"),
        (address, protocol) => new ManagementController { Address = address, Protocol = protocol });

    private static readonly Gen<ImmutableSortedDictionary<string, string>> NodeLabels = Gen.Dictionary(Gen.OneOf("a", "no", "12", "example.com/x", "topology.kubernetes.io/region", "node.kubernetes.io/y"), Label)[0, 4]
        .Select(d => ImmutableSortedDictionary.CreateRange<string, string>(StringComparer.Ordinal, d));

    private static readonly Gen<ImmutableArray<Taint>> Taints = Gen.Select(Gen.OneOf("a", "no", "example.com/x"), Option(Label), Gen.Enum<TaintEffect>(), (key, value, effect) => new Taint { Key = key, Value = value, Effect = effect })
        .Array[0, 4].Select(all => all.DistinctBy(t => (t.Key, t.Effect)).ToImmutableArray());

    public static readonly Gen<HostNodeOptions> HostNodeOptions = Gen.Select(NodeLabels, Taints, (labels, taints) => new HostNodeOptions { Labels = labels, Taints = taints });

    public static readonly Gen<NodeOptions> Node = Gen.Select(
        Gen.Select(OptionOf(Gen.Enum<CredentialProvider>()), NodeLabels, Taints),
        Gen.Select(Option(Gen.OneOf("""{"maxPods":50}""", """{"a":{"b":[1,"no",true,0.5,"12","1.5","0x1f"],"c":"10s"},"evictionHard":{"memory.available":"10%"}}""", """{"clusterDNS":["10.0.0.10"],"z":-1}""")),
            Gen.OneOf("--v=4", "--max-pods=12", "--root-dir=/data/kubelet", "--feature-gates=A=true,B=false").HashSet[0, 3].Select(f => f.ToImmutableArray()),
            Option(Gen.OneOf("version = 2\n", "[plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"a: b # c\"\n", "root = '/data'")), Gen.Bool),
        (a, b) => new NodeOptions
        {
            CredentialProvider = a.Item1, Labels = a.Item2, Taints = a.Item3, KubeletConfig = b.Item1, KubeletFlags = b.Item2, ContainerdConfig = b.Item3, CredentialsFile = b.Item4,
        });

    public static readonly Gen<Host> Host = Gen.Select(
        Gen.Select(Metadata, Mac.HashSet[1, 6].Select(m => m.ToImmutableArray()), Gen.Bool, Cpu, Option(Name)),
        Gen.Select(OptionOf(Address), Option(Label.Where(l => l.Length > 0)), Option(Location), Option(Text)),
        Gen.Select(Option(Boot), Option(Bmc), Option(Label.Where(l => l.Length > 0)), Option(HostNodeOptions)),
        (a, b, c) => new Host(a.Item1, new HostSpec
        {
            MacAddresses = a.Item2,
            BootMacAddress = a.Item3 ? a.Item2[^1] : null,
            Architecture = a.Item4,
            Profile = a.Item5,
            Address = b.Item1,
            Zone = b.Item2,
            Location = b.Item3,
            Serial = b.Item4,
            Boot = c.Item1,
            Bmc = c.Item2,
            Lane = c.Item3,
            Node = c.Item4,
        }));

    public static readonly Gen<Profile> Profile = Gen.Select(Metadata, Name, Gen.Enum<BootChain>(), Option(Boot), Option(Name), Option(Node),
        (metadata, image, chain, boot, cluster, node) => new Profile(metadata, new ProfileSpec
        {
            Image = image, BootChain = chain, Boot = boot, Cluster = cluster, Node = cluster is null ? null : node, Install = cluster is null ? null : new InstallOptions(),
        }));

    private static readonly Gen<ImageSource> Source = Gen.Select(Option(Gen.OneOf("https://a.example/x.iso?a=b&c", "http://10.0.0.1/no")), Option(Gen.Char["0123456789abcdef"].Array[64].Select(c => new string(c))), Gen.Bool,
        (url, sha256, bring) => new ImageSource { Url = url, Sha256 = sha256, Iso = bring && url is null ? IsoOrigin.Bring : null });

    public static readonly Gen<Image> Image = Gen.Select(
        Gen.Select(Metadata, Option(Text), Option(Text), Cpu),
        Gen.Select(FilePath, ListOf(FilePath), ListOf(Argument), Option(FilePath), Option(FilePath), Option(FilePath)),
        Gen.Select(OptionOf(Gen.Enum<DistributionFamily>()), Option(Gen.OneOf(".", "a/b.iso", "on", "https://mirror.example.com/9/", "1")), Option(Source), OptionOf(Gen.Int[128, 1 << 20]), ListOf(Text)),
        (a, b, c) => new Image(a.Item1, new ImageSpec
        {
            Family = c.Item1,
            InstallSource = c.Item2,
            Source = c.Item3,
            MinimumMemory = c.Item4,
            Traps = c.Item5,
            Distribution = a.Item2,
            Version = a.Item3,
            Architecture = a.Item4,
            Kernel = b.Item1,
            Initrd = b.Item2,
            KernelArguments = b.Item3,
            BootLoaders = new BootLoaders { Shim = b.Item4, Grub = b.Item5, Ipxe = b.Item6 },
        }));

    public static readonly Gen<Network> Network = Gen.Select(
        Gen.Select(Metadata, Address, Gen.Int[8, 28], Gen.Enum<DhcpMode>(), Option(Gen.OneOf("eth0", "no", "br-1.5", "1"))),
        Gen.Select(OptionOf(Address), Gen.Bool, Gen.Bool, ListOf(Address), ListOf(Address), Option(Gen.OneOf("example.com", "on", "12"))),
        Gen.Select(Gen.Bool, Gen.Int[60, 2_592_000], Gen.Bool, Gen.Int[512, 65_464]),
        (a, b, c) =>
        {
            var subnet = new Ipv4Cidr(a.Item2, a.Item3);
            var range = b.Item2 ? new Ipv4Range(new(subnet.Network.Bits + 3), new(subnet.Network.Bits + 9)) : (Ipv4Range?)null;
            return new Network(a.Item1, new NetworkSpec
            {
                Subnet = subnet,
                Interface = a.Item5,
                Dhcp = a.Item4,
                Advertise = b.Item1 is { } own && range?.Contains(own) != true ? own : null,
                Range = range,
                Gateway = b.Item3 ? new Ipv4Address(subnet.Network.Bits + 1) : null,
                Dns = b.Item4,
                Ntp = b.Item5,
                Domain = b.Item6,
                AllowUnknown = c.Item1 && range is not null,
                LeaseTime = TimeSpan.FromSeconds(c.Item2),
                ProbeConflicts = c.Item3,
                TftpBlockSize = c.Item4,
            });
        });

    private static readonly Gen<ClusterSpec> ClusterSpec = Gen.Select(
        Gen.Select(Gen.OneOf("eu-west-1", "us-gov-east-1"), Gen.OneOf("1.30", "1.34.2"), Gen.Enum<CredentialProvider>(), Gen.Enum<EndpointAccess>()),
        Gen.Select(Option(Gen.OneOf("Prod_1", "no")), Gen.Bool, Gen.Bool, Gen.Enum<PodNetwork>(), OptionOf(Gen.Int[1, 65_535])),
        (a, b) => new ClusterSpec
        {
            EksName = b.Item1,
            Region = a.Item1,
            KubernetesVersion = a.Item2,
            CredentialProvider = a.Item3,
            EndpointAccess = a.Item4,
            ServiceCidr = null,
            RemoteNodeNetworks = b.Item2 ? [Ipv4Cidr.Parse("10.77.0.0/24"), Ipv4Cidr.Parse("10.78.0.0/24")] : [],
            RemotePodNetworks = b.Item3 ? [Ipv4Cidr.Parse("192.168.0.0/16")] : [],
            Cni = b.Item4,
            CniPort = b.Item5,
            TrustAnchorArn = b.Item2 ? $"arn:aws:rolesanywhere:{a.Item1}:111122223333:trust-anchor/a" : null,
            ProfileArn = b.Item2 ? $"arn:aws:rolesanywhere:{a.Item1}:111122223333:profile/a" : null,
            RoleArn = b.Item3 ? "arn:aws:iam::111122223333:role/path/Nodes" : null,
        });

    public static readonly Gen<Cluster> Cluster = Gen.Select(Metadata, ClusterSpec, (metadata, spec) => new Cluster(metadata, spec));

    public static readonly Gen<IResource> Any = Gen.OneOf(Host.Select(r => (IResource)r), Profile.Select(r => (IResource)r), Image.Select(r => (IResource)r), Network.Select(r => (IResource)r), Cluster.Select(r => (IResource)r));

    private static Gen<T?> Option<T>(Gen<T> gen) where T : class => Gen.OneOf(Gen.Const((T?)null), gen.Select(v => (T?)v));

    private static Gen<T?> OptionOf<T>(Gen<T> gen) where T : struct => Gen.OneOf(Gen.Const((T?)null), gen.Select(v => (T?)v));

    private static Gen<ImmutableArray<T>> ListOf<T>(Gen<T> gen) => gen.Array[0, 5].Select(a => a.ToImmutableArray());
}
