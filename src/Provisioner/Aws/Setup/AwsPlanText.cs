using System.Text;
using System.Text.Json.Nodes;

namespace Provisioner.Aws.Setup;

/// <summary>The plan for people to read, and as policy files.</summary>
internal static class AwsPlanText
{
    public static string Write(AwsPlan plan)
    {
        var text = new StringBuilder();
        var cluster = plan.Cluster;
        var item = 0;
        void Line(string line) => text.Append(line).Append('\n');
        void Item(string line) => Line(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{++item}. {line}"));

        Line($"What '{cluster.Name}' (EKS cluster {cluster.EksName}, {plan.Region}, account {plan.Account}) needs in AWS:");
        Line("");
        Item($"Trust anchor {plan.AnchorName}");
        Line($"   The appliance's own authority, {plan.Authorities.Length} {(plan.Authorities.Length == 1 ? "certificate" : "certificates")}. It has to be the anchor itself, because nodeadm passes no certificates in between.");
        Item(plan.NodeRoleIsForeign ? $"Role {plan.NodeRoleArn}" : $"Role {plan.NodeRoleName}, for nodes");
        Line(plan.NodeRoleIsForeign ? "   Named in the Cluster, and left as it is; 'aws check' says what it lacks." : "   Nodes fetch images (AmazonEC2ContainerRegistryPullOnly) and read their cluster (eks:DescribeCluster, eks:ListAccessEntries).");
        if (!plan.NodeRoleIsForeign && plan.UsesRolesAnywhere)
            Line("   It trusts Roles Anywhere from that anchor alone, and only under the name in the certificate (sts:RoleSessionName = CN).");
        if (!plan.NodeRoleIsForeign && plan.UsesSsm)
            Line("   It trusts Systems Manager of this account, for hosts that join by an activation (AmazonSSMManagedInstanceCore).");
        Item($"Role {plan.ApplianceRoleName}, for this appliance");
        Line($"   It carries revocation lists and reads back what is there. It trusts the certificate of {plan.ApplianceName} alone, a name no host can have.");
        Line($"   Both roles are made by the CloudFormation stack {plan.StackName}.");
        if (plan.UsesRolesAnywhere)
        {
            Item($"Profile {plan.NodeProfileName}");
            Line("   acceptRoleSessionName is on: nodeadm always passes the node's name, and is refused without.");
        }
        Item($"Profile {plan.ApplianceProfileName}, for this appliance");
        Item("Revocation list, imported at the trust anchor, and carried on after each revocation from then on");
        Item($"Cluster {cluster.EksName}: authentication mode with access entries (API or API_AND_CONFIG_MAP), and");
        Line($"   remoteNetworkConfig with nodes {Networks(cluster.Spec.RemoteNodeNetworks)} and pods {Networks(cluster.Spec.RemotePodNetworks)}");
        Item("Access entry of type HYBRID_LINUX for the nodes' role, and one of type STANDARD for the appliance's, in");
        Line($"   the group {AwsPlan.Group}. Its rights inside Kubernetes: provisioner aws plan {cluster.Name} --as kubernetes | kubectl apply -f -");
        Line("");
        Line($"Make it:          provisioner aws apply {cluster.Name}        (needs credentials that may; --as policies shows which)");
        Line($"Or by your tools: provisioner aws plan {cluster.Name} --as cloudformation | terraform | policies");
        if (plan.Account == AwsPlan.UnknownAccount)
            Line($"The account is not known here yet; --account 111122223333 puts it in the place of {AwsPlan.UnknownAccount}.");
        return text.ToString();
    }

    /// <summary>One JSON object: each policy by the name of the file it belongs in.</summary>
    public static string Policies(AwsPlan plan)
    {
        var policies = AwsPolicies.Literal(plan, null);
        var all = new JsonObject
        {
            ["node-trust.json"] = policies.NodeTrust,
            ["node-policy.json"] = policies.Node,
            ["appliance-trust.json"] = policies.ApplianceTrust,
            ["appliance-policy.json"] = policies.Appliance,
            ["setup-policy.json"] = policies.Setup,
        };
        return all.ToJsonString(Api.Json.Indented) + "\n";
    }

    private static string Networks<T>(IEnumerable<T> networks) => string.Join(", ", networks) is { Length: > 0 } list ? list : "as they are there";
}
