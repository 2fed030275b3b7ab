using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Provisioner.AwsDoubles;

/// <summary>Systems Manager, as far as hybrid activations go.</summary>
internal sealed class SsmPlane(AwsAccount account, TimeProvider time)
{
    public JsonObject Act(string operation, JsonObject body) => operation switch
    {
        "CreateActivation" => Create(body),
        "DescribeInstanceInformation" => Describe(body),
        "DeregisterManagedInstance" => Deregister(body["InstanceId"]!.GetValue<string>()),
        _ => throw AwsRefusal.Invalid($"ssm has no {operation}"),
    };

    /// <summary>What a host's agent does with its activation: it becomes a managed instance.</summary>
    /// <exception cref="AwsRefusal">The activation is not good any more.</exception>
    public string Register(string activationId, string code)
    {
        if (!account.Activations.TryGetValue(activationId, out var activation) || activation.Code != code)
            throw new AwsRefusal(400, "InvalidActivation", "The activation is not valid.");
        lock (activation)
        {
            if (time.GetUtcNow() >= activation.ExpiresAt || activation.Instances.Count >= activation.Limit)
                throw new AwsRefusal(400, "InvalidActivation", "The activation is over, or used up.");
            var id = "mi-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(9))[..17];
            activation.Instances.Add(id);
            return id;
        }
    }

    private JsonObject Create(JsonObject body)
    {
        var role = body["IamRole"]?.GetValue<string>() is { Length: > 0 and <= 64 } name ? name : throw new AwsRefusal(400, "ValidationException", "IamRole");
        if (account.Roles.GetValueOrDefault(role[(role.LastIndexOf('/') + 1)..]) is not { } there || !TrustPolicy.Allows(there.Trust, "ssm.amazonaws.com", "sts:AssumeRole",
            new Dictionary<string, string>(StringComparer.Ordinal) { ["aws:SourceAccount"] = account.Id, ["aws:SourceArn"] = $"arn:aws:ssm:{account.Region}:{account.Id}:*" }))
            throw new AwsRefusal(400, "ValidationException", "Not existing role, or it does not trust SSM.");
        var now = time.GetUtcNow();
        var ends = body["ExpirationDate"] is JsonValue at ? DateTimeOffset.FromUnixTimeMilliseconds((long)(at.GetValue<double>() * 1000)) : now.AddHours(24);
        if (ends <= now || ends > now.AddDays(30))
            throw new AwsRefusal(400, "InvalidParameters", "ExpirationDate is at most 30 days away");
        var activation = new DoubleActivation
        {
            Id = AwsAccount.NewId(),
            Code = RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 20),
            Role = role,
            ExpiresAt = ends,
            Limit = body["RegistrationLimit"]?.GetValue<int>() ?? 1,
            Tags = (body["Tags"] as JsonArray ?? []).ToDictionary(t => t!["Key"]!.GetValue<string>(), t => t!["Value"]!.GetValue<string>()),
        };
        account.Activations[activation.Id] = activation;
        return new JsonObject { ["ActivationId"] = activation.Id, ["ActivationCode"] = activation.Code };
    }

    private JsonObject Describe(JsonObject body)
    {
        var filters = (body["Filters"] as JsonArray ?? []).Select(f => (Key: f!["Key"]!.GetValue<string>(), Values: f["Values"]!.AsArray().Select(v => v!.GetValue<string>()).ToList())).ToList();
        var found = account.Activations.Values.Where(a => filters.TrueForAll(f => f.Key.StartsWith("tag:", StringComparison.Ordinal) && f.Values.Contains(a.Tags.GetValueOrDefault(f.Key[4..], "")))).SelectMany(a => a.Instances);
        return new JsonObject { ["InstanceInformationList"] = new JsonArray([.. found.Select(id => (JsonNode)new JsonObject { ["InstanceId"] = id, ["ResourceType"] = "ManagedInstance" })]) };
    }

    private JsonObject Deregister(string id) =>
        account.Activations.Values.Any(a => a.Instances.Remove(id)) ? [] : throw new AwsRefusal(400, "InvalidInstanceId", $"{id} is not a managed instance.");
}
