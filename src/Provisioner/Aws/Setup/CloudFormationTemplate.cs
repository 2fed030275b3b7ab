using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Aws.Setup;

/// <summary>The plan as a template of AWS CloudFormation.</summary>
internal static class CloudFormationTemplate
{
    /// <summary>Everything, for those who run it themselves. YAML.</summary>
    public static string Everything(AwsPlan plan)
    {
        var anchor = GetAtt("TrustAnchor", "TrustAnchorArn");
        JsonNode account = new JsonObject { ["Ref"] = "AWS::AccountId" };
        var clusterArn = new JsonObject { ["Fn::Join"] = new JsonArray("", new JsonArray($"arn:{plan.Partition}:eks:{plan.Region}:", account.DeepClone(), $":cluster/{plan.Cluster.EksName}")) };
        JsonNode nodeRole = plan.NodeRoleIsForeign ? plan.NodeRoleArn : GetAtt("NodeRole", "Arn");
        var policies = new AwsPolicies(plan, anchor, clusterArn, nodeRole, account);
        var resources = new JsonObject
        {
            ["TrustAnchor"] = Resource("AWS::RolesAnywhere::TrustAnchor", new JsonObject
            {
                ["Name"] = plan.AnchorName,
                ["Enabled"] = true,
                ["Source"] = new JsonObject { ["SourceType"] = "CERTIFICATE_BUNDLE", ["SourceData"] = new JsonObject { ["X509CertificateData"] = string.Join('\n', plan.Authorities) } },
            }),
        };
        AddRoles(resources, plan, policies);
        if (plan.UsesRolesAnywhere)
            resources["NodeProfile"] = Profile(plan.NodeProfileName, nodeRole, acceptsName: true);
        resources["ApplianceProfile"] = Profile(plan.ApplianceProfileName, GetAtt("ApplianceRole", "Arn"), acceptsName: false);
        resources["NodeAccess"] = Resource("AWS::EKS::AccessEntry", new JsonObject { ["ClusterName"] = plan.Cluster.EksName, ["PrincipalArn"] = nodeRole.DeepClone(), ["Type"] = "HYBRID_LINUX" });
        resources["ApplianceAccess"] = Resource("AWS::EKS::AccessEntry", new JsonObject
        {
            ["ClusterName"] = plan.Cluster.EksName, ["PrincipalArn"] = GetAtt("ApplianceRole", "Arn"), ["Type"] = "STANDARD", ["KubernetesGroups"] = new JsonArray(AwsPlan.Group),
        });
        var outputs = new JsonObject { ["trustAnchorArn"] = Output(anchor.DeepClone()), ["roleArn"] = Output(nodeRole.DeepClone()) };
        if (plan.UsesRolesAnywhere)
            outputs["profileArn"] = Output(GetAtt("NodeProfile", "ProfileArn"));
        outputs["applianceRoleArn"] = Output(GetAtt("ApplianceRole", "Arn"));
        outputs["applianceProfileArn"] = Output(GetAtt("ApplianceProfile", "ProfileArn"));
        return YamlWriter.Write(new JsonObject
        {
            ["AWSTemplateFormatVersion"] = "2010-09-09",
            ["Description"] = $"What hosts of {plan.Cluster.Name} need to join the EKS cluster {plan.Cluster.EksName}, and the appliance to look after them",
            ["Resources"] = resources,
            ["Outputs"] = outputs,
        });
    }

    /// <summary>The roles alone, for 'aws apply', which makes the rest by its own calls. JSON.</summary>
    public static string Roles(AwsPlan plan, string trustAnchorArn)
    {
        var resources = new JsonObject();
        AddRoles(resources, plan, AwsPolicies.Literal(plan, trustAnchorArn));
        return new JsonObject { ["AWSTemplateFormatVersion"] = "2010-09-09", ["Description"] = $"Roles of {plan.Cluster.EksName}'s hybrid nodes and of their appliance", ["Resources"] = resources }.ToJsonString(Api.Json.Options);
    }

    private static void AddRoles(JsonObject resources, AwsPlan plan, AwsPolicies policies)
    {
        if (!plan.NodeRoleIsForeign)
        {
            resources["NodeRole"] = Resource("AWS::IAM::Role", new JsonObject
            {
                ["RoleName"] = plan.NodeRoleName,
                ["AssumeRolePolicyDocument"] = policies.NodeTrust,
                ["ManagedPolicyArns"] = new JsonArray([.. policies.ManagedPolicies.Select(name => (JsonNode)$"arn:{plan.Partition}:iam::aws:policy/{name}")]),
                ["Policies"] = new JsonArray(new JsonObject { ["PolicyName"] = "node", ["PolicyDocument"] = policies.Node }),
            });
        }
        resources["ApplianceRole"] = Resource("AWS::IAM::Role", new JsonObject
        {
            ["RoleName"] = plan.ApplianceRoleName,
            ["AssumeRolePolicyDocument"] = policies.ApplianceTrust,
            ["Policies"] = new JsonArray(new JsonObject { ["PolicyName"] = "appliance", ["PolicyDocument"] = policies.Appliance }),
        });
    }

    private static JsonObject Profile(string name, JsonNode role, bool acceptsName) => Resource("AWS::RolesAnywhere::Profile", new JsonObject
    {
        ["Name"] = name, ["Enabled"] = true, ["AcceptRoleSessionName"] = acceptsName, ["DurationSeconds"] = 3600, ["RoleArns"] = new JsonArray(role.DeepClone()),
    });

    private static JsonObject Resource(string type, JsonObject properties) => new() { ["Type"] = type, ["Properties"] = properties };

    private static JsonObject Output(JsonNode value) => new() { ["Value"] = value };

    private static JsonObject GetAtt(string resource, string attribute) => new() { ["Fn::GetAtt"] = new JsonArray(resource, attribute) };
}
