using Provisioner.Installing;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Clusters;

/// <summary>The keys of a Cluster's <c>spec</c>.</summary>
internal static class ClusterFields
{
    public static readonly ScalarKind<CredentialProvider> Provider = Values.OneOf("a credential provider", ("iam-ra", CredentialProvider.IamRolesAnywhere), ("ssm", CredentialProvider.Ssm));

    public static readonly ScalarKind<string> KubernetesVersion = Values.OfText("a Kubernetes version", "a version such as 1.34 or 1.34.2", ClusterTexts.KubernetesVersion);

    private static readonly Ipv4Cidr[] PrivateNetworks = [Ipv4Cidr.Parse("10.0.0.0/8"), Ipv4Cidr.Parse("172.16.0.0/12"), Ipv4Cidr.Parse("192.168.0.0/16")];

    public static readonly Shape<ClusterSpec> Spec = Declare();

    private static Shape<ClusterSpec> Declare()
    {
        var access = Values.OneOf("an access", ("private", EndpointAccess.Private), ("public", EndpointAccess.Public));
        var cni = Values.OneOf("a CNI", ("cilium", PodNetwork.Cilium), ("calico", PodNetwork.Calico));
        var networks = new ListKind<Ipv4Cidr>(Values.Subnet, maximum: 15, single: true);
        var shape = new Shape<ClusterSpec>("a Cluster's spec", () => new ClusterSpec { Region = "", KubernetesVersion = "" });
        shape.Optional("eksName", Values.OfText("a cluster's name", "at most 100 letters, digits, '-' and '_'", ClusterTexts.EksName), c => c.EksName, (c, v) => c with { EksName = v },
            "Its name in EKS, where it cannot be its name here.");
        shape.Required("region", Values.OfText("a region", "a region such as eu-west-1", ClusterTexts.Region), c => c.Region, (c, v) => c with { Region = v }, "The AWS region it is in.");
        shape.Required("kubernetesVersion", KubernetesVersion, c => c.KubernetesVersion, (c, v) => c with { KubernetesVersion = v },
            "The version nodes are installed with: the cluster's own, or at most three minor versions older.");
        shape.Default("credentialProvider", Provider, c => c.CredentialProvider, (c, v) => c with { CredentialProvider = v },
            "How nodes prove to AWS who they are, unless their profile says otherwise: iam-ra with their certificate, ssm with an activation.");
        shape.Optional("endpoint", Values.OfText("an endpoint", "an https URL such as https://ABC.gr7.eu-west-1.eks.amazonaws.com", Endpoint), c => c.Endpoint, (c, v) => c with { Endpoint = v }, "The API server.");
        shape.Optional("certificateAuthority", Values.OfText("a certificate authority", "PEM in base64, as EKS's DescribeCluster answers", ClusterTexts.CertificateAuthority),
            c => c.CertificateAuthority, (c, v) => c with { CertificateAuthority = v }, "What the API server's certificate is checked with.");
        shape.Optional("serviceCidr", Values.Subnet, c => c.ServiceCidr, (c, v) => c with { ServiceCidr = v }, "The addresses of its Services.");
        shape.Default("endpointAccess", access, c => c.EndpointAccess, (c, v) => c with { EndpointAccess = v },
            "Which addresses the endpoint's name is to resolve to at the site. EKS can have both on at once; hybrid nodes cannot.");
        shape.Optional("remoteNodeNetworks", networks, c => c.RemoteNodeNetworks, (c, v) => c with { RemoteNodeNetworks = v }, "The networks its nodes outside AWS are on.");
        shape.Optional("remotePodNetworks", networks, c => c.RemotePodNetworks, (c, v) => c with { RemotePodNetworks = v }, "The networks their pods are on.");
        shape.Default("cni", cni, c => c.Cni, (c, v) => c with { Cni = v }, "The pod network of nodes outside AWS.");
        shape.Optional("cniPort", Values.Integer(1, 65_535), c => c.CniPort, (c, v) => c with { CniPort = v }, "The UDP port of its tunnel; 8472 for Cilium and 4789 for Calico when not given.");
        shape.Optional("trustAnchorArn", Arn("rolesanywhere", "trust-anchor"), c => c.TrustAnchorArn, (c, v) => c with { TrustAnchorArn = v }, "The trust anchor that is this appliance's authority.");
        shape.Optional("profileArn", Arn("rolesanywhere", "profile"), c => c.ProfileArn, (c, v) => c with { ProfileArn = v }, "The Roles Anywhere profile.");
        shape.Optional("roleArn", Arn("iam", "role"), c => c.RoleArn, (c, v) => c with { RoleArn = v }, "The role of its nodes.");
        shape.Default("nodeadm", Values.OfText("a version of nodeadm", "latest, or a version such as v1.0.20", ClusterTexts.NodeadmVersion), c => c.Nodeadm, (c, v) => c with { Nodeadm = v }, "The release of nodeadm its hosts use.");
        shape.Default("nodeadmUpstream", Values.Name, c => c.NodeadmUpstream, (c, v) => c with { NodeadmUpstream = v }, "Which of the configuration's artifacts.upstreams has nodeadm.");
        shape.Check(Check);
        return shape;
    }

    internal static ScalarKind<string> Arn(string service, string resource) => Values.OfText($"the ARN of a {resource}",
        service == "iam" ? "an ARN such as arn:aws:iam::111122223333:role/AmazonEKSHybridNodesRole" : $"an ARN such as arn:aws:{service}:eu-west-1:111122223333:{resource}/ID",
        text => ClusterTexts.Arn(text, service, resource));

    private static string? Endpoint(string text) =>
        Texts.WebAddress(text) ?? (!text.StartsWith("https://", StringComparison.Ordinal) ? "is not https" : new Uri(text).PathAndQuery != "/" ? "has a path" : null);

    private static void Check(ClusterSpec cluster, Shape<ClusterSpec>.Report report)
    {
        // nodeadm takes the three together or asks EKS for all of them.
        var known = new[] { cluster.Endpoint is not null, cluster.CertificateAuthority is not null, cluster.ServiceCidr is not null };
        if (known.Contains(true) && known.Contains(false))
            report("endpoint", "endpoint, certificateAuthority and serviceCidr are not given together", cluster.Endpoint, "all three, or none: then nodes and the appliance ask EKS");
        CheckNetworks(cluster, report);
        foreach (var (key, arn) in new[] { ("trustAnchorArn", cluster.TrustAnchorArn), ("profileArn", cluster.ProfileArn) })
        {
            if (arn is not null && ClusterTexts.RegionOf(arn) is { } region && region != cluster.Region)
                report(key, $"it is in {region}, the cluster in {cluster.Region}", arn, $"one in {cluster.Region}");
        }
        var accounts = new[] { cluster.TrustAnchorArn, cluster.ProfileArn, cluster.RoleArn }.OfType<string>().Select(ClusterTexts.AccountOf).Distinct(StringComparer.Ordinal).ToList();
        if (accounts.Count > 1)
            report("roleArn", $"the ARNs are of several accounts, {string.Join(" and ", accounts)}", cluster.RoleArn, "trust anchor, profile and role of one account");
    }

    // https://docs.aws.amazon.com/eks/latest/APIReference/API_RemoteNodeNetwork.html: private addresses, none in two of them.
    private static void CheckNetworks(ClusterSpec cluster, Shape<ClusterSpec>.Report report)
    {
        var all = cluster.RemoteNodeNetworks.Select((cidr, i) => ($"remoteNodeNetworks[{i}]", cidr))
            .Concat(cluster.RemotePodNetworks.Select((cidr, i) => ($"remotePodNetworks[{i}]", cidr))).ToList();
        for (var i = 0; i < all.Count; i++)
        {
            var (key, cidr) = all[i];
            if (!IsPrivate(cidr))
                report(key, $"{cidr} is not a private network", cidr.ToString(), "a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918)");
            if (cluster.ServiceCidr is { } services && Overlap(services, cidr))
                report(key, $"{cidr} overlaps the cluster's Services, {services}", cidr.ToString(), "a network that has no address in common with them");
            foreach (var (other, taken) in all.Take(i))
            {
                if (Overlap(taken, cidr))
                    report(key, $"{cidr} overlaps {taken} in {other}", cidr.ToString(), "networks that have no address in common");
            }
        }
    }

    private static bool IsPrivate(Ipv4Cidr cidr) =>
        PrivateNetworks.Any(range => range.PrefixLength <= cidr.PrefixLength && range.Contains(cidr.Network));

    private static bool Overlap(Ipv4Cidr a, Ipv4Cidr b) => a.Contains(b.Network) || b.Contains(a.Network);
}
