using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Provisioner.AwsDoubles;

/// <summary>The services that are asked by a form and answer in XML: IAM, CloudFormation, EC2, STS.</summary>
internal sealed class QueryPlanes(AwsAccount account)
{
    public string Act(string service, string action, IReadOnlyDictionary<string, string> form, DoubleKeys keys) => (service, action) switch
    {
        ("sts", "GetCallerIdentity") => $"<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>{keys.Principal}</Arn><UserId>AIDA</UserId><Account>{account.Id}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
        ("iam", "GetRole") => Iam("GetRole", $"<Role><Path>/</Path><RoleName>{Role(form).Name}</RoleName><Arn>{Role(form).Arn}</Arn><AssumeRolePolicyDocument>{Escaped(Role(form).Trust)}</AssumeRolePolicyDocument><MaxSessionDuration>{Role(form).MaxSessionDuration}</MaxSessionDuration></Role>"),
        ("iam", "ListAttachedRolePolicies") => Iam("ListAttachedRolePolicies", $"<AttachedPolicies>{string.Concat(Role(form).Attached.Select(a => $"<member><PolicyName>{a[(a.LastIndexOf('/') + 1)..]}</PolicyName><PolicyArn>{a}</PolicyArn></member>"))}</AttachedPolicies><IsTruncated>false</IsTruncated>"),
        ("iam", "ListRolePolicies") => Iam("ListRolePolicies", $"<PolicyNames>{string.Concat(Role(form).Policies.Keys.Select(p => $"<member>{p}</member>"))}</PolicyNames><IsTruncated>false</IsTruncated>"),
        ("iam", "GetRolePolicy") => Iam("GetRolePolicy", $"<RoleName>{Role(form).Name}</RoleName><PolicyName>{form["PolicyName"]}</PolicyName><PolicyDocument>{Escaped(Role(form).Policies.GetValueOrDefault(form["PolicyName"]) ?? throw new AwsRefusal(404, "NoSuchEntity", "no such policy"))}</PolicyDocument>"),
        ("cloudformation", "DescribeStacks") => Describe(form["StackName"]),
        ("cloudformation", "CreateStack") => Create(form),
        ("cloudformation", "UpdateStack") => Update(form),
        ("ec2", "DescribeSecurityGroups") => Groups(form),
        _ => throw new AwsRefusal(400, "InvalidAction", $"{service} has no {action}"),
    };

    private static string Iam(string action, string inner) => $"<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result>{inner}</{action}Result></{action}Response>";

    private static string Escaped(JsonObject document) => Uri.EscapeDataString(document.ToJsonString());

    private DoubleRole Role(IReadOnlyDictionary<string, string> form) =>
        account.Roles.GetValueOrDefault(form["RoleName"]) ?? throw new AwsRefusal(404, "NoSuchEntity", $"The role with name {form["RoleName"]} cannot be found.");

    private string Describe(string name)
    {
        if (!account.Stacks.TryGetValue(name, out var stack))
            throw new AwsRefusal(400, "ValidationError", $"Stack with id {name} does not exist");
        var status = stack.LooksUntilDone-- > 0 ? stack.Status.Replace("_COMPLETE", "_IN_PROGRESS", StringComparison.Ordinal) : stack.Status;
        return $"<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult><Stacks><member><StackName>{name}</StackName><StackStatus>{status}</StackStatus>"
            + $"{(stack.Reason is null ? "" : $"<StackStatusReason>{WebUtility.HtmlEncode(stack.Reason)}</StackStatusReason>")}</member></Stacks></DescribeStacksResult></DescribeStacksResponse>";
    }

    private string Create(IReadOnlyDictionary<string, string> form)
    {
        var stack = new DoubleStack { Template = form["TemplateBody"] };
        if (!account.Stacks.TryAdd(form["StackName"], stack))
            throw new AwsRefusal(400, "AlreadyExistsException", $"Stack [{form["StackName"]}] already exists");
        Carry(form);
        return "<CreateStackResponse><CreateStackResult><StackId>1</StackId></CreateStackResult></CreateStackResponse>";
    }

    private string Update(IReadOnlyDictionary<string, string> form)
    {
        if (!account.Stacks.TryGetValue(form["StackName"], out var stack))
            throw new AwsRefusal(400, "ValidationError", $"Stack [{form["StackName"]}] does not exist");
        if (stack.Template == form["TemplateBody"])
            throw new AwsRefusal(400, "ValidationError", "No updates are to be performed.");
        Carry(form);
        (stack.Template, stack.Status) = (form["TemplateBody"], "UPDATE_COMPLETE");
        return "<UpdateStackResponse><UpdateStackResult><StackId>1</StackId></UpdateStackResult></UpdateStackResponse>";
    }

    private void Carry(IReadOnlyDictionary<string, string> form)
    {
        if (form.GetValueOrDefault("Capabilities.member.1") != "CAPABILITY_NAMED_IAM")
            throw new AwsRefusal(400, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]");
        foreach (var (_, resource) in JsonNode.Parse(form["TemplateBody"])!["Resources"]!.AsObject())
        {
            if (resource!["Type"]!.GetValue<string>() != "AWS::IAM::Role")
                throw new AwsRefusal(400, "ValidationError", $"Unrecognized resource type {resource["Type"]}");
            var properties = resource["Properties"]!.AsObject();
            var name = properties["RoleName"]!.GetValue<string>();
            if (name.Length > 64)
                throw new AwsRefusal(400, "ValidationError", "RoleName is longer than 64");
            account.Roles[name] = new DoubleRole
            {
                Name = name,
                Arn = $"arn:aws:iam::{account.Id}:role/{name}",
                Trust = properties["AssumeRolePolicyDocument"]!.DeepClone().AsObject(),
                Policies = (properties["Policies"] as JsonArray ?? []).ToDictionary(p => p!["PolicyName"]!.GetValue<string>(), p => p!["PolicyDocument"]!.DeepClone().AsObject()),
                Attached = [.. (properties["ManagedPolicyArns"] as JsonArray ?? []).Select(a => a!.GetValue<string>())],
            };
        }
    }

    private string Groups(IReadOnlyDictionary<string, string> form)
    {
        var text = new StringBuilder("<DescribeSecurityGroupsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><securityGroupInfo>");
        foreach (var id in form.Where(p => p.Key.StartsWith("GroupId.", StringComparison.Ordinal)).Select(p => p.Value))
        {
            var group = account.SecurityGroups.GetValueOrDefault(id) ?? throw new AwsRefusal(400, "InvalidGroup.NotFound", $"The security group '{id}' does not exist");
            text.Append(CultureInfo.InvariantCulture, $"<item><groupId>{id}</groupId><ipPermissions>");
            foreach (var (protocol, from, to, cidr) in group.Ingress)
                text.Append(CultureInfo.InvariantCulture, $"<item><ipProtocol>{protocol}</ipProtocol><fromPort>{from}</fromPort><toPort>{to}</toPort><ipRanges><item><cidrIp>{cidr}</cidrIp></item></ipRanges></item>");
            text.Append("</ipPermissions></item>");
        }
        return text.Append("</securityGroupInfo></DescribeSecurityGroupsResponse>").ToString();
    }
}
