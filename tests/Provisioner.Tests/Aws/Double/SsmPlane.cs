using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Provisioner.AwsDoubles;

/// <summary>Systems Manager, as far as hybrid activations go.</summary>
internal sealed partial class SsmPlane(AwsAccount account, TimeProvider time)
{
    /// <summary>What an agent registered with, by the managed instance's id.</summary>
    private readonly ConcurrentDictionary<string, (DoubleActivation Activation, string Fingerprint, byte[] PublicKey)> registrations = new(StringComparer.Ordinal);

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

    /// <summary>
    /// What an agent asks before it has keys: to be registered by its activation, and then for its role's credentials, signed with the key it
    /// registered. The agent's own way of signing is not documented; here it is the lab's, an RSA signature over the body.
    /// </summary>
    /// <exception cref="AwsRefusal">The activation is over, or the signature is not the instance's.</exception>
    public JsonObject ActForAgent(string operation, SignedRequest request)
    {
        var body = JsonNode.Parse(request.Body)!.AsObject();
        string Of(string name) => body[name]?.GetValue<string>() is { Length: > 0 } value ? value : throw new AwsRefusal(400, "ValidationException", name);
        if (operation == "RegisterManagedInstance")
        {
            var key = Convert.FromBase64String(Of("PublicKey"));
            using var rsa = RSA.Create();
            rsa.ImportSubjectPublicKeyInfo(key, out _);
            var id = Register(Of("ActivationId"), Of("ActivationCode"));
            registrations[id] = (account.Activations[Of("ActivationId")], Of("Fingerprint"), key);
            return new JsonObject { ["InstanceId"] = id };
        }
        var instance = Of("InstanceId");
        if (!registrations.TryGetValue(instance, out var registration) || !registration.Activation.Instances.Contains(instance))
            throw new AwsRefusal(400, "MachineFingerprintDoesNotMatch", $"{instance} is not a managed instance.");
        var shown = AgentSignature().Match(request.Header("authorization"));
        using var agent = RSA.Create();
        agent.ImportSubjectPublicKeyInfo(registration.PublicKey, out _);
        if (!shown.Success || shown.Groups["instance"].Value != instance || registration.Fingerprint != Of("Fingerprint")
            || !agent.VerifyData(request.Body, Convert.FromBase64String(shown.Groups["signature"].Value), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))
            throw new AwsRefusal(400, "InvalidSignatureException", "The signature is not that of the registered key, or the machine is another.");
        var role = account.Roles[registration.Activation.Role];
        var keys = DoubleKeys.New($"arn:aws:sts::{account.Id}:assumed-role/{role.Name}/{instance}", role, Convert.ToBase64String(RandomNumberGenerator.GetBytes(120)), time.GetUtcNow().AddHours(1));
        account.Keys[keys.AccessKeyId] = keys;
        return new JsonObject
        {
            ["AccessKeyId"] = keys.AccessKeyId,
            ["SecretAccessKey"] = keys.SecretAccessKey,
            ["SessionToken"] = keys.SessionToken,
            ["TokenExpirationDate"] = keys.Expiration!.Value.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        };
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

    [GeneratedRegex(@"\AAmazonSSM-RSA-SHA256 InstanceId=(?<instance>mi-[0-9a-f]{17}), Signature=(?<signature>[A-Za-z0-9+/=]+)\z", RegexOptions.NonBacktracking)]
    private static partial Regex AgentSignature();
}
