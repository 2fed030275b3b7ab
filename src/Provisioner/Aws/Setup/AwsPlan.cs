using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Provisioner.Aws.Clients;
using Provisioner.Certificates;
using Provisioner.Clusters;
using Provisioner.Storage;

namespace Provisioner.Aws.Setup;

/// <summary>What a cluster needs in AWS so that this appliance's hosts can join it. Pure: made of what is known here.</summary>
internal sealed record AwsPlan
{
    /// <summary>What stands for an account that is not known yet.</summary>
    public const string UnknownAccount = "ACCOUNT_ID";

    /// <summary>The kubernetes group of the appliance, which its ClusterRole is bound to.</summary>
    public const string Group = "provisioner";

    public required Cluster Cluster { get; init; }

    /// <summary>Twelve digits, or <see cref="UnknownAccount"/>.</summary>
    public required string Account { get; init; }

    public required string ApplianceName { get; init; }

    /// <summary>The certificates of the trust anchor, PEM: the live authorities', at most two.</summary>
    public required ImmutableArray<string> Authorities { get; init; }

    /// <summary>Hosts of this cluster that join by certificate; false when all join by activation.</summary>
    public required bool UsesRolesAnywhere { get; init; }

    public required bool UsesSsm { get; init; }

    public string Region => Cluster.Spec.Region;

    public string Partition => AwsEndpoints.Partition(Region);

    public string ClusterArn => $"arn:{Partition}:eks:{Region}:{Account}:cluster/{Cluster.EksName}";

    public string StackName => $"provisioner-{Cluster.Name.Replace('.', '-')}";

    public string AnchorName => Short($"provisioner-{Cluster.Name}", 255);

    public string NodeRoleName => Short($"provisioner-{Cluster.Name}-node", 64);

    public string ApplianceRoleName => Short($"provisioner-{Cluster.Name}-appliance", 64);

    public string NodeProfileName => NodeRoleName;

    public string ApplianceProfileName => ApplianceRoleName;

    /// <summary>The Cluster names another role than the one that would be made here: somebody else looks after it.</summary>
    public bool NodeRoleIsForeign => Cluster.Spec.RoleArn is { } arn && ClusterTexts.NameIn(arn) != NodeRoleName;

    public string NodeRoleArn => Cluster.Spec.RoleArn ?? $"arn:{Partition}:iam::{Account}:role/{NodeRoleName}";

    public string ApplianceRoleArn => $"arn:{Partition}:iam::{Account}:role/{ApplianceRoleName}";

    public IReadOnlyList<Tag> Tags => [new("provisioner-cluster", Cluster.EksName)];

    /// <param name="account">Twelve digits; null to take that of the Cluster's ARNs.</param>
    public static AwsPlan For(Cluster cluster, Snapshot snapshot, string commonName, string? account)
    {
        var spec = cluster.Spec;
        var known = account ?? new[] { spec.RoleArn, spec.TrustAnchorArn, spec.ProfileArn }.OfType<string>().Select(ClusterTexts.AccountOf).FirstOrDefault();
        var providers = snapshot.Profiles.Values.Where(p => p.Spec.Cluster == cluster.Name).Select(p => p.Spec.Node?.CredentialProvider ?? spec.CredentialProvider)
            .Append(spec.CredentialProvider).ToHashSet();
        // Two certificates are what a trust anchor takes: while authorities change, the one before and the one that is or will be.
        var order = new[] { AuthorityState.Issuing, AuthorityState.Previous, AuthorityState.Next };
        return new AwsPlan
        {
            Cluster = cluster,
            Account = known ?? UnknownAccount,
            ApplianceName = commonName,
            Authorities = [.. snapshot.Authorities.Values.Where(a => order.Contains(a.State)).OrderBy(a => Array.IndexOf(order, a.State)).Take(2).Select(a => a.ToPem())],
            UsesRolesAnywhere = providers.Contains(CredentialProvider.IamRolesAnywhere),
            UsesSsm = providers.Contains(CredentialProvider.Ssm),
        };
    }

    /// <summary>The rights Kubernetes gives the appliance: EKS's API cannot make them. For <c>kubectl apply -f -</c>.</summary>
    public static string Rbac => $$"""
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: { name: provisioner }
        rules:
          - { apiGroups: [""], resources: [nodes], verbs: [get, list, watch, patch, delete] }
          - { apiGroups: [""], resources: [pods], verbs: [get, list, delete] }
          - { apiGroups: [""], resources: [pods/eviction], verbs: [create] }
          - { apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [get, list] }
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata: { name: provisioner }
        roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: provisioner }
        subjects:
          - { apiGroup: rbac.authorization.k8s.io, kind: Group, name: {{Group}} }

        """;

    // A name that is too long is cut, with a mark that keeps two of them apart.
    private static string Short(string name, int most)
    {
        name = name.Replace('.', '-');
        if (name.Length <= most)
            return name;
        var mark = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..8];
        var end = name[name.LastIndexOf('-')..];
        return $"{name[..(most - mark.Length - end.Length - 1)]}-{mark}{end}";
    }
}
