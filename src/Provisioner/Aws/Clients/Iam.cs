using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;

namespace Provisioner.Aws.Clients;

/// <summary>IAM, as far as roles are read back; with the names of AWSSDK.IdentityManagement, which is not to be had here. Roles are made by <see cref="IAmazonCloudFormation"/>.</summary>
internal interface IAmazonIdentityManagementService
{
    /// <summary>Null when there is none.</summary>
    Task<Role?> GetRoleAsync(string roleName, CancellationToken cancellation);

    Task<IReadOnlyList<string>> ListAttachedRolePoliciesAsync(string roleName, CancellationToken cancellation);

    Task<IReadOnlyList<string>> ListRolePoliciesAsync(string roleName, CancellationToken cancellation);

    Task<JsonObject> GetRolePolicyAsync(string roleName, string policyName, CancellationToken cancellation);
}

/// <param name="MaxSessionDuration">In seconds.</param>
internal sealed record Role(string RoleName, string Arn, JsonObject AssumeRolePolicyDocument, int MaxSessionDuration);

/// <summary>The client. IAM is one for all regions; the region only says which partition.</summary>
internal sealed class IamClient(AwsApi api, string region) : IAmazonIdentityManagementService
{
    public async Task<Role?> GetRoleAsync(string roleName, CancellationToken cancellation)
    {
        try
        {
            var role = Descendant(await AskAsync("GetRole", roleName, null, cancellation), "Role");
            return new Role(Value(role, "RoleName"), Value(role, "Arn"), Document(Value(role, "AssumeRolePolicyDocument"), "GetRole"),
                int.TryParse(role.Elements().FirstOrDefault(e => e.Name.LocalName == "MaxSessionDuration")?.Value, out var duration) ? duration : 3600);
        }
        catch (AwsException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    public async Task<IReadOnlyList<string>> ListAttachedRolePoliciesAsync(string roleName, CancellationToken cancellation) =>
        [.. (await AskAsync("ListAttachedRolePolicies", roleName, null, cancellation)).Descendants().Where(e => e.Name.LocalName == "PolicyArn").Select(e => e.Value)];

    public async Task<IReadOnlyList<string>> ListRolePoliciesAsync(string roleName, CancellationToken cancellation) =>
        [.. Descendant(await AskAsync("ListRolePolicies", roleName, null, cancellation), "PolicyNames").Elements().Select(e => e.Value)];

    public async Task<JsonObject> GetRolePolicyAsync(string roleName, string policyName, CancellationToken cancellation) =>
        Document(Value(Descendant(await AskAsync("GetRolePolicy", roleName, policyName, cancellation), "GetRolePolicyResult"), "PolicyDocument"), "GetRolePolicy");

    private Task<XElement> AskAsync(string operation, string role, string? policy, CancellationToken cancellation)
    {
        List<KeyValuePair<string, string>> parameters = [new("RoleName", role)];
        if (policy is not null)
            parameters.Add(new("PolicyName", policy));
        return api.QueryAsync("iam", region, "2010-05-08", operation, parameters, cancellation);
    }

    // Documents come escaped as in a URL (https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html).
    private static JsonObject Document(string text, string operation)
    {
        try
        {
            return JsonNode.Parse(Uri.UnescapeDataString(text)) as JsonObject ?? [];
        }
        catch (JsonException e)
        {
            throw new AwsException($"iam:{operation}", 200, "Unreadable", "the policy is no JSON", e);
        }
    }

    private static XElement Descendant(XElement xml, string name) => xml.Descendants().FirstOrDefault(e => e.Name.LocalName == name) ?? new XElement(name);

    private static string Value(XElement xml, string name) => xml.Elements().FirstOrDefault(e => e.Name.LocalName == name)?.Value ?? "";
}

/// <summary>CloudFormation, as far as one stack is made and followed.</summary>
internal interface IAmazonCloudFormation
{
    /// <summary>Null when there is none.</summary>
    Task<Stack?> DescribeStackAsync(string stackName, CancellationToken cancellation);

    Task CreateStackAsync(string stackName, string templateBody, IReadOnlyList<Tag> tags, CancellationToken cancellation);

    /// <returns>False when the stack is as the template says.</returns>
    Task<bool> UpdateStackAsync(string stackName, string templateBody, IReadOnlyList<Tag> tags, CancellationToken cancellation);
}

/// <param name="StackStatus">Such as <c>CREATE_COMPLETE</c>.</param>
internal sealed record Stack(string StackName, string StackStatus, string? StackStatusReason);

/// <summary>The client.</summary>
internal sealed class CloudFormationClient(AwsApi api, string region) : IAmazonCloudFormation
{
    public async Task<Stack?> DescribeStackAsync(string stackName, CancellationToken cancellation)
    {
        try
        {
            var answer = await AskAsync("DescribeStacks", [new("StackName", stackName)], cancellation);
            var member = answer.Descendants().FirstOrDefault(e => e.Name.LocalName == "StackStatus")?.Parent;
            return member is null ? null : new Stack(stackName, Value(member, "StackStatus")!, Value(member, "StackStatusReason"));
        }
        catch (AwsException e) when (e.Code == "ValidationError" && e.Said.Contains("does not exist", StringComparison.Ordinal))
        {
            return null;
        }
    }

    public Task CreateStackAsync(string stackName, string templateBody, IReadOnlyList<Tag> tags, CancellationToken cancellation) =>
        AskAsync("CreateStack", [.. Body(stackName, templateBody, tags), new("OnFailure", "DELETE")], cancellation);

    public async Task<bool> UpdateStackAsync(string stackName, string templateBody, IReadOnlyList<Tag> tags, CancellationToken cancellation)
    {
        try
        {
            await AskAsync("UpdateStack", Body(stackName, templateBody, tags), cancellation);
            return true;
        }
        catch (AwsException e) when (e.Code == "ValidationError" && e.Said.Contains("No updates are to be performed", StringComparison.Ordinal))
        {
            return false;
        }
    }

    private static List<KeyValuePair<string, string>> Body(string stackName, string templateBody, IReadOnlyList<Tag> tags)
    {
        List<KeyValuePair<string, string>> parameters = [new("StackName", stackName), new("TemplateBody", templateBody), new("Capabilities.member.1", "CAPABILITY_NAMED_IAM")];
        for (var i = 0; i < tags.Count; i++)
        {
            parameters.Add(new($"Tags.member.{i + 1}.Key", tags[i].Key));
            parameters.Add(new($"Tags.member.{i + 1}.Value", tags[i].Value));
        }
        return parameters;
    }

    private Task<XElement> AskAsync(string operation, List<KeyValuePair<string, string>> parameters, CancellationToken cancellation) =>
        api.QueryAsync("cloudformation", region, "2010-05-15", operation, parameters, cancellation);

    private static string? Value(XElement xml, string name) => xml.Elements().FirstOrDefault(e => e.Name.LocalName == name)?.Value;
}
