using System.Text.Json.Nodes;

namespace Provisioner.Aws.Setup;

/// <summary>
/// The policies of the roles (https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html). An ARN is any JSON value, because in
/// CloudFormation and Terraform it is a reference.
/// </summary>
internal sealed class AwsPolicies(AwsPlan plan, JsonNode trustAnchorArn, JsonNode clusterArn, JsonNode nodeRoleArn, JsonNode account)
{
    public const string SameName = "${aws:PrincipalTag/x509Subject/CN}";

    public const string RolesAnywhere = "rolesanywhere.amazonaws.com";

    public const string Ssm = "ssm.amazonaws.com";

    /// <summary>What every role for Roles Anywhere has to allow; AWS's own example limits the first alone to one trust anchor, and so lets any other anchor of the account in.</summary>
    public static readonly string[] SessionActions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];

    public static readonly string[] NodeManagedPolicies = ["AmazonEC2ContainerRegistryPullOnly"];

    public static readonly string[] SsmManagedPolicies = ["AmazonSSMManagedInstanceCore"];

    /// <summary>Written with names and ARNs as they are known now.</summary>
    public static AwsPolicies Literal(AwsPlan plan, string? trustAnchorArn) =>
        new(plan, trustAnchorArn ?? plan.Cluster.Spec.TrustAnchorArn ?? "TRUST_ANCHOR_ARN", plan.ClusterArn, plan.NodeRoleArn, plan.Account);

    /// <summary>Names of managed policies of AWS.</summary>
    public IEnumerable<string> ManagedPolicies => plan.UsesSsm ? NodeManagedPolicies.Concat(SsmManagedPolicies) : NodeManagedPolicies;

    /// <summary>Who may become a node: the holder of a certificate of ours, under the name that stands in it, and no other.</summary>
    public JsonObject NodeTrust
    {
        get
        {
            var statements = new List<JsonObject>();
            if (plan.UsesRolesAnywhere)
            {
                statements.Add(Trust(["sts:TagSession", "sts:SetSourceIdentity"], null));
                statements.Add(Trust(["sts:AssumeRole"], new JsonObject { ["sts:RoleSessionName"] = SameName }));
            }
            if (plan.UsesSsm)
            {
                statements.Add(new JsonObject
                {
                    ["Effect"] = "Allow",
                    ["Principal"] = new JsonObject { ["Service"] = Ssm },
                    ["Action"] = "sts:AssumeRole",
                    ["Condition"] = new JsonObject
                    {
                        ["StringEquals"] = new JsonObject { ["aws:SourceAccount"] = account.DeepClone() },
                        ["ArnEquals"] = new JsonObject { ["aws:SourceArn"] = Joined($"arn:{plan.Partition}:ssm:{plan.Region}:", account, ":*") },
                    },
                });
            }
            return Document(statements);
        }
    }

    /// <summary>Who may become the appliance: the holder of its own certificate, whose CN no host can have.</summary>
    public JsonObject ApplianceTrust => Document([Trust(SessionActions, new JsonObject { ["aws:PrincipalTag/x509Subject/CN"] = plan.ApplianceName })]);

    /// <summary>What a node may do besides fetching images.</summary>
    public JsonObject Node
    {
        get
        {
            List<JsonObject> statements = [Allow(["eks:DescribeCluster", "eks:ListAccessEntries"], clusterArn.DeepClone())];
            if (plan.UsesSsm)
            {
                statements.Add(Allow(["ssm:DescribeInstanceInformation"], "*"));
                var own = Allow(["ssm:DeregisterManagedInstance"], Joined($"arn:{plan.Partition}:ssm:{plan.Region}:", account, ":managed-instance/*"));
                own["Condition"] = new JsonObject { ["StringEquals"] = new JsonObject { [$"ssm:resourceTag/{SsmActivations.ClusterArnTag}"] = clusterArn.DeepClone() } };
                statements.Add(own);
            }
            return Document(statements);
        }
    }

    /// <summary>What the appliance may do from day to day: carry revocations, see who authenticated, read back what 'aws check' compares. It can make nothing but activations.</summary>
    public JsonObject Appliance
    {
        get
        {
            List<JsonObject> statements =
            [
                Allow(["rolesanywhere:ListCrls", "rolesanywhere:ImportCrl", "rolesanywhere:UpdateCrl", "rolesanywhere:EnableCrl", "rolesanywhere:DeleteCrl",
                    "rolesanywhere:ListSubjects", "rolesanywhere:GetSubject", "rolesanywhere:GetTrustAnchor", "rolesanywhere:GetProfile"], "*"),
                Allow(["eks:DescribeCluster", "eks:ListAccessEntries"], clusterArn.DeepClone()),
                Allow(["eks:DescribeAccessEntry"], Joined($"arn:{plan.Partition}:eks:{plan.Region}:", account, $":access-entry/{plan.Cluster.EksName}/*")),
                Allow(["iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies"], nodeRoleArn.DeepClone()),
                Allow(["ec2:DescribeSecurityGroups"], "*"),
            ];
            if (plan.UsesSsm)
            {
                statements.Add(Allow(["ssm:CreateActivation", "ssm:AddTagsToResource", "ssm:DescribeInstanceInformation"], "*"));
                var leave = Allow(["ssm:DeregisterManagedInstance"], Joined($"arn:{plan.Partition}:ssm:{plan.Region}:", account, ":managed-instance/*"));
                leave["Condition"] = new JsonObject { ["StringEquals"] = new JsonObject { [$"ssm:resourceTag/{SsmActivations.ClusterArnTag}"] = clusterArn.DeepClone() } };
                statements.Add(leave);
                var pass = Allow(["iam:PassRole"], nodeRoleArn.DeepClone());
                pass["Condition"] = new JsonObject { ["StringEquals"] = new JsonObject { ["iam:PassedToService"] = Ssm } };
                statements.Add(pass);
            }
            return Document(statements);
        }
    }

    /// <summary>What whoever runs 'aws apply' needs, once.</summary>
    public JsonObject Setup => Document(
    [
        Allow(["rolesanywhere:ListTrustAnchors", "rolesanywhere:CreateTrustAnchor", "rolesanywhere:UpdateTrustAnchor", "rolesanywhere:EnableTrustAnchor", "rolesanywhere:ListProfiles",
            "rolesanywhere:CreateProfile", "rolesanywhere:UpdateProfile", "rolesanywhere:EnableProfile", "rolesanywhere:ListCrls", "rolesanywhere:ImportCrl", "rolesanywhere:UpdateCrl",
            "rolesanywhere:EnableCrl", "rolesanywhere:DeleteCrl", "rolesanywhere:TagResource"], "*"),
        Allow(["eks:DescribeCluster", "eks:UpdateClusterConfig", "eks:CreateAccessEntry", "eks:DescribeAccessEntry", "eks:UpdateAccessEntry", "eks:TagResource"], "*"),
        Allow(["cloudformation:CreateStack", "cloudformation:UpdateStack", "cloudformation:DescribeStacks"], Joined($"arn:{plan.Partition}:cloudformation:{plan.Region}:", account, $":stack/{plan.StackName}/*")),
        Allow(["iam:CreateRole", "iam:GetRole", "iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy", "iam:ListRolePolicies", "iam:AttachRolePolicy",
            "iam:DetachRolePolicy", "iam:ListAttachedRolePolicies", "iam:TagRole", "iam:DeleteRole", "iam:PassRole"], Joined($"arn:{plan.Partition}:iam::", account, ":role/provisioner-*")),
    ]);

    private JsonObject Trust(string[] actions, JsonObject? equals)
    {
        var condition = new JsonObject();
        if (equals is not null)
            condition["StringEquals"] = equals;
        condition["ArnEquals"] = new JsonObject { ["aws:SourceArn"] = trustAnchorArn.DeepClone() };
        return new JsonObject
        {
            ["Effect"] = "Allow",
            ["Principal"] = new JsonObject { ["Service"] = RolesAnywhere },
            ["Action"] = Array(actions),
            ["Condition"] = condition,
        };
    }

    private static JsonObject Allow(string[] actions, JsonNode resource) => new() { ["Effect"] = "Allow", ["Action"] = Array(actions), ["Resource"] = resource };

    private static JsonObject Document(IEnumerable<JsonObject> statements) => new() { ["Version"] = "2012-10-17", ["Statement"] = new JsonArray([.. statements]) };

    private static JsonArray Array(string[] words) => [.. words.Select(w => (JsonNode)w)];

    // In CloudFormation the account is a reference, and so is what is made of it.
    private static JsonNode Joined(string before, JsonNode middle, string after) => middle switch
    {
        JsonValue value => $"{before}{value.GetValue<string>()}{after}",
        JsonObject { Count: 1 } expression when expression[Terraform.Expression] is { } reference => new JsonObject { [Terraform.Template] = $"{before}${{{reference.GetValue<string>()}}}{after}" },
        _ => new JsonObject { ["Fn::Join"] = new JsonArray("", new JsonArray(before, middle.DeepClone(), after)) },
    };
}
