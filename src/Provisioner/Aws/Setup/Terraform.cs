using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Provisioner.Aws.Setup;

/// <summary>The plan in Terraform's language (https://developer.hashicorp.com/terraform/language/syntax/configuration), for the provider hashicorp/aws.</summary>
internal static class Terraform
{
    /// <summary>The key of an object that stands for an expression instead of a value.</summary>
    public const string Expression = "terraform:expression";

    /// <summary>The same for a text with <c>${…}</c> in it.</summary>
    public const string Template = "terraform:template";

    public static string Everything(AwsPlan plan)
    {
        var account = Reference("data.aws_caller_identity.current.account_id");
        var cluster = new JsonObject { [Template] = $"arn:{plan.Partition}:eks:{plan.Region}:${{data.aws_caller_identity.current.account_id}}:cluster/{plan.Cluster.EksName}" };
        JsonNode nodeRole = plan.NodeRoleIsForeign ? plan.NodeRoleArn : Reference("aws_iam_role.node.arn");
        var policies = new AwsPolicies(plan, Reference("aws_rolesanywhere_trust_anchor.provisioner.arn"), cluster, nodeRole, account);
        var text = new StringBuilder();
        text.Append("terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\", version = \">= 5.62\" }\n  }\n}\n\n");
        text.Append("data \"aws_caller_identity\" \"current\" {}\n\n");
        Block(text, "aws_rolesanywhere_trust_anchor", "provisioner", ("name", plan.AnchorName), ("enabled", true));
        text.Append("  source {\n    source_type = \"CERTIFICATE_BUNDLE\"\n    source_data {\n      x509_certificate_data = ").Append(Value(string.Join('\n', plan.Authorities), 6)).Append("\n    }\n  }\n}\n\n");
        if (!plan.NodeRoleIsForeign)
        {
            Role(text, "node", plan.NodeRoleName, policies.NodeTrust, policies.Node);
            foreach (var name in policies.ManagedPolicies)
            {
                Block(text, "aws_iam_role_policy_attachment", name == AwsPolicies.NodeManagedPolicies[0] ? "images" : "ssm",
                    ("role", Reference("aws_iam_role.node.name")), ("policy_arn", $"arn:{plan.Partition}:iam::aws:policy/{name}"));
                text.Append("}\n\n");
            }
        }
        Role(text, "appliance", plan.ApplianceRoleName, policies.ApplianceTrust, policies.Appliance);
        if (plan.UsesRolesAnywhere)
            Profile(text, "node", plan.NodeProfileName, nodeRole, acceptsName: true);
        Profile(text, "appliance", plan.ApplianceProfileName, Reference("aws_iam_role.appliance.arn"), acceptsName: false);
        Block(text, "aws_eks_access_entry", "node", ("cluster_name", plan.Cluster.EksName), ("principal_arn", nodeRole.DeepClone()), ("type", "HYBRID_LINUX"));
        text.Append("}\n\n");
        Block(text, "aws_eks_access_entry", "appliance", ("cluster_name", plan.Cluster.EksName), ("principal_arn", Reference("aws_iam_role.appliance.arn")), ("type", "STANDARD"), ("kubernetes_groups", new JsonArray(AwsPlan.Group)));
        text.Append("}\n\n");
        Output(text, "trust_anchor_arn", Reference("aws_rolesanywhere_trust_anchor.provisioner.arn"));
        Output(text, "role_arn", nodeRole.DeepClone());
        if (plan.UsesRolesAnywhere)
            Output(text, "profile_arn", Reference("aws_rolesanywhere_profile.node.arn"));
        Output(text, "appliance_role_arn", Reference("aws_iam_role.appliance.arn"));
        Output(text, "appliance_profile_arn", Reference("aws_rolesanywhere_profile.appliance.arn"));
        return text.ToString();
    }

    private static void Role(StringBuilder text, string label, string name, JsonObject trust, JsonObject policy)
    {
        Block(text, "aws_iam_role", label, ("name", name));
        text.Append("  assume_role_policy = jsonencode(").Append(Value(trust, 2)).Append(")\n}\n\n");
        Block(text, "aws_iam_role_policy", label, ("name", label), ("role", Reference($"aws_iam_role.{label}.name")));
        text.Append("  policy = jsonencode(").Append(Value(policy, 2)).Append(")\n}\n\n");
    }

    private static void Profile(StringBuilder text, string label, string name, JsonNode role, bool acceptsName)
    {
        Block(text, "aws_rolesanywhere_profile", label, ("name", name), ("enabled", true), ("accept_role_session_name", acceptsName), ("duration_seconds", 3600), ("role_arns", new JsonArray(role.DeepClone())));
        text.Append("}\n\n");
    }

    private static JsonObject Reference(string expression) => new() { [Expression] = expression };

    private static void Output(StringBuilder text, string name, JsonNode value) => text.Append("output \"").Append(name).Append("\" { value = ").Append(Value(value, 0)).Append(" }\n");

    private static void Block(StringBuilder text, string type, string label, params (string Name, JsonNode Value)[] arguments)
    {
        text.Append($"resource \"{type}\" \"{label}\" {{\n");
        foreach (var (name, value) in arguments)
            text.Append($"  {name} = {Value(value, 2)}\n");
    }

    private static string Value(JsonNode? node, int indent)
    {
        var inside = new string(' ', indent + 2);
        var close = new string(' ', indent);
        return node switch
        {
            JsonObject { Count: 1 } expression when expression[Expression] is { } reference => reference.GetValue<string>(),
            JsonObject { Count: 1 } template when template[Template] is { } with => Quoted(with.GetValue<string>()),
            JsonObject json => "{\n" + string.Concat(json.Select(p => $"{inside}{Quoted(p.Key)} = {Value(p.Value, indent + 2)}\n")) + close + "}",
            JsonArray { Count: 1 } one when one[0] is not JsonObject { Count: > 1 } => $"[{Value(one[0], indent)}]",
            JsonArray array => "[\n" + string.Concat(array.Select(item => $"{inside}{Value(item, indent + 2)},\n")) + close + "]",
            JsonValue value when value.GetValueKind() == JsonValueKind.String => Quoted(value.GetValue<string>().Replace("${", "$${", StringComparison.Ordinal).Replace("%{", "%%{", StringComparison.Ordinal)),
            null => "null",
            _ => node.ToJsonString(),
        };
    }

    private static string Quoted(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)}\"";
}
