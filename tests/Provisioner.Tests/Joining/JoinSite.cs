using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Boot;
using Provisioner.Clusters;
using Provisioner.Hosts;
using Provisioner.Installing;
using Provisioner.Joining;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Tests.Joining;

/// <summary>A host, its profile and its cluster, as documents would have made them.</summary>
internal static class JoinSite
{
    public const string TrustAnchor = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/0a1b2c3d-0000-1111-2222-333344445555";

    public const string ProfileArn = "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/6a7b8c9d-0000-1111-2222-333344445555";

    public const string Role = "arn:aws:iam::111122223333:role/AmazonEKSHybridNodesRole";

    public static readonly Activation Activation = new("3f2e1d0c-1111-2222-3333-444455556666", "s3cret+code/of=activation", new DateTimeOffset(2026, 3, 2, 12, 0, 0, TimeSpan.Zero));

    public static readonly Lazy<string> Authority = new(() =>
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=kubernetes", key, HashAlgorithmName.SHA256);
        using var made = request.CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(80));
        return Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(made.ExportCertificatePem() + "\n"));
    });

    public static readonly Host Host = new(new Metadata("rack1-n07"), new HostSpec
    {
        MacAddresses = [MacAddress.Parse("52:54:00:00:00:01")],
        Architecture = CpuArchitecture.X64,
        Profile = "worker",
        Address = Ipv4Address.Parse("10.77.0.21"),
        Zone = "dc1",
        Lane = "blue",
        Location = new HostLocation { Site = "Köln, west", Rack = "Row 4, rack 12", Unit = 7 },
    });

    public static readonly Profile Profile = new(new Metadata("worker"), new ProfileSpec { Image = "ubuntu-24.04", Cluster = "prod", Install = new InstallOptions() });

    public static readonly Cluster Cluster = new(new Metadata("prod"), new ClusterSpec
    {
        Region = "eu-west-1",
        KubernetesVersion = "1.34",
        RemoteNodeNetworks = [Ipv4Cidr.Parse("10.77.0.0/24"), Ipv4Cidr.Parse("10.78.0.0/16")],
        RemotePodNetworks = [Ipv4Cidr.Parse("192.168.0.0/16")],
        TrustAnchorArn = TrustAnchor,
        ProfileArn = ProfileArn,
        RoleArn = Role,
    });

    /// <summary>Everything a profile and a host can say of a node.</summary>
    public static readonly NodeOptions Full = new()
    {
        Labels = Labels(("topology.kubernetes.io/zone", "of-the-profile"), ("example.com/pool", "blue"), ("tier", "gold")),
        Taints = [new Taint { Key = "example.com/dedicated", Value = "db", Effect = TaintEffect.NoSchedule }, new Taint { Key = "new", Effect = TaintEffect.NoExecute }],
        KubeletConfig = """{"evictionHard":{"memory.available":"10%"},"failCgroupV1":false,"maxPods":50,"memoryThrottlingFactor":0.8}""",
        KubeletFlags = ["--v=4"],
        ContainerdConfig = "[plugins.\"io.containerd.grpc.v1.cri\"]\nenable_selinux = true\n",
        CredentialsFile = true,
    };

    public static System.Collections.Immutable.ImmutableSortedDictionary<string, string> Labels(params (string Key, string Value)[] labels) =>
        System.Collections.Immutable.ImmutableSortedDictionary.CreateRange<string, string>(StringComparer.Ordinal, labels.Select(l => KeyValuePair.Create(l.Key, l.Value)));

    public static Snapshot Snapshot(Host? host = null, Profile? profile = null, Cluster? cluster = null)
    {
        var editor = new StateEditor(Provisioner.Storage.Snapshot.Empty, new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
        editor.Put(host ?? Host);
        editor.Put(profile ?? Profile);
        editor.Put(cluster ?? Cluster);
        return editor.Snapshot;
    }

    public static JoinPlan Plan(Func<HostSpec, HostSpec>? host = null, NodeOptions? node = null, Func<ClusterSpec, ClusterSpec>? cluster = null, string? from = null)
    {
        var own = Host with { Spec = host?.Invoke(Host.Spec) ?? Host.Spec };
        var snapshot = Snapshot(own, Profile with { Spec = Profile.Spec with { Node = node } }, Cluster with { Spec = cluster?.Invoke(Cluster.Spec) ?? Cluster.Spec });
        return JoinPlan.Of(own, snapshot, from is null ? null : Ipv4Address.Parse(from));
    }
}
