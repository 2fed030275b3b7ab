using System.Collections.Immutable;
using Provisioner.Installing;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Clusters;

/// <summary>An Amazon EKS cluster that hosts join as hybrid nodes.</summary>
public sealed record Cluster(Metadata Metadata, ClusterSpec Spec) : IResource
{
    public string Kind => "Cluster";

    public string Name => Metadata.Name;

    /// <summary>What EKS calls it: <see cref="ClusterSpec.EksName"/>, or its own name.</summary>
    public string EksName => Spec.EksName ?? Name;
}

/// <summary>How a node proves to AWS who it is.</summary>
public enum CredentialProvider
{
    /// <summary>IAM Roles Anywhere, with the certificate this appliance issued.</summary>
    IamRolesAnywhere,

    /// <summary>A Systems Manager hybrid activation.</summary>
    Ssm,
}

/// <summary>Where the cluster's API server is reached from a site.</summary>
public enum EndpointAccess
{
    /// <summary>By the cluster's network interfaces inside the VPC: its name is to resolve to private addresses.</summary>
    Private,

    /// <summary>By the internet: its name is to resolve to public addresses.</summary>
    Public,
}

public sealed record ClusterSpec
{
    /// <summary>The cluster's name in EKS, where it is not a name here.</summary>
    public string? EksName { get; init; }

    /// <summary>As in <c>eu-west-1</c>.</summary>
    public required string Region { get; init; }

    /// <summary>What <c>nodeadm install</c> is told: <c>1.34</c> or <c>1.34.2</c>.</summary>
    public required string KubernetesVersion { get; init; }

    public CredentialProvider CredentialProvider { get; init; } = CredentialProvider.IamRolesAnywhere;

    /// <summary>The API server's URL. With the next two, nodeadm asks EKS for nothing.</summary>
    public string? Endpoint { get; init; }

    /// <summary>The certificate authority of the API server, as EKS gives it: PEM in base64.</summary>
    public string? CertificateAuthority { get; init; }

    /// <summary>The addresses of Services.</summary>
    public Ipv4Cidr? ServiceCidr { get; init; }

    public EndpointAccess EndpointAccess { get; init; } = EndpointAccess.Private;

    /// <summary>The addresses of nodes outside AWS, as the cluster's <c>remoteNetworkConfig</c> has them.</summary>
    public ImmutableArray<Ipv4Cidr> RemoteNodeNetworks { get; init; } = [];

    /// <summary>The addresses of pods outside AWS.</summary>
    public ImmutableArray<Ipv4Cidr> RemotePodNetworks { get; init; } = [];

    public PodNetwork Cni { get; init; } = PodNetwork.Cilium;

    /// <summary>The UDP port of the CNI's tunnel, where it is not the CNI's own.</summary>
    public int? CniPort { get; init; }

    public string? TrustAnchorArn { get; init; }

    /// <summary>The Roles Anywhere profile.</summary>
    public string? ProfileArn { get; init; }

    /// <summary>The role of nodes, for both credential providers.</summary>
    public string? RoleArn { get; init; }

    /// <summary>The release of nodeadm hosts fetch: <c>latest</c>, or a version.</summary>
    public string Nodeadm { get; init; } = "latest";

    /// <summary>Which of the artifacts' upstreams has nodeadm.</summary>
    public string NodeadmUpstream { get; init; } = "nodeadm";

    /// <summary>The port pods' packets are wrapped in: VXLAN's of Cilium (8472) or Calico (4789), unless it was moved.</summary>
    public int TunnelPort => CniPort ?? UsualTunnelPort(Cni);

    internal static int UsualTunnelPort(PodNetwork cni) => cni == PodNetwork.Cilium ? 8472 : 4789;
}
