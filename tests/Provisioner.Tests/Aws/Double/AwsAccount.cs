using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace Provisioner.AwsDoubles;

/// <summary>What stands in one AWS account and region, for tests to look at and to spoil.</summary>
internal sealed class AwsAccount
{
    public string Id { get; init; } = "111122223333";

    public string Region { get; init; } = "eu-west-1";

    public ConcurrentDictionary<string, DoubleAnchor> Anchors { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, DoubleProfile> Profiles { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, DoubleCrl> Crls { get; } = new(StringComparer.Ordinal);

    /// <summary>By CN.</summary>
    public ConcurrentDictionary<string, DoubleSubject> Subjects { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, DoubleRole> Roles { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, DoubleStack> Stacks { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, DoubleCluster> Clusters { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, DoubleSecurityGroup> SecurityGroups { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, DoubleActivation> Activations { get; } = new(StringComparer.Ordinal);

    /// <summary>Objects by bucket and key.</summary>
    public ConcurrentDictionary<string, ConcurrentDictionary<string, byte[]>> Buckets { get; } = new(StringComparer.Ordinal);

    /// <summary>By access key.</summary>
    public ConcurrentDictionary<string, DoubleKeys> Keys { get; } = new(StringComparer.Ordinal);

    /// <summary>Keys of somebody who may do everything, as whoever runs the first set-up has.</summary>
    public DoubleKeys Administrator()
    {
        var keys = DoubleKeys.New($"arn:aws:iam::{Id}:user/administrator", null, null, null);
        Keys[keys.AccessKeyId] = keys;
        return keys;
    }

    /// <summary>A cluster as it is when hybrid nodes can be set up.</summary>
    /// <param name="authorityPem">Of its API server; one that nobody has the key of when not said.</param>
    public DoubleCluster AddCluster(string name, string? authorityPem = null)
    {
        if (authorityPem is null)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var made = new CertificateRequest("CN=kubernetes", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
            authorityPem = made.ExportCertificatePem() + "\n";
        }
        SecurityGroups["sg-0123"] = new DoubleSecurityGroup { Id = "sg-0123", Ingress = { ("tcp", 443, 443, "10.77.0.0/16"), ("tcp", 443, 443, "10.85.0.0/16") } };
        return Clusters[name] = new DoubleCluster { Name = name, Arn = $"arn:aws:eks:{Region}:{Id}:cluster/{name}", AuthorityPem = authorityPem, SecurityGroupId = "sg-0123" };
    }

    public static string NewId() => Guid.NewGuid().ToString();
}

internal sealed class DoubleAnchor
{
    public required string Id { get; init; }

    public required string Arn { get; init; }

    public required string Name { get; set; }

    public bool Enabled { get; set; } = true;

    public string Pem { get; set; } = "";
}

internal sealed class DoubleProfile
{
    public required string Id { get; init; }

    public required string Arn { get; init; }

    public required string Name { get; set; }

    public bool Enabled { get; set; } = true;

    public bool AcceptRoleSessionName { get; set; }

    public int DurationSeconds { get; set; } = 3600;

    public List<string> RoleArns { get; set; } = [];

    public string? SessionPolicy { get; set; }
}

internal sealed class DoubleCrl
{
    public required string Id { get; init; }

    public required string Name { get; set; }

    public required string AnchorArn { get; init; }

    public bool Enabled { get; set; } = true;

    public byte[] Pem { get; set; } = [];
}

internal sealed class DoubleSubject
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    public DateTimeOffset LastSeenAt { get; set; }

    /// <summary>By serial number, decimal.</summary>
    public ConcurrentDictionary<string, (DateTimeOffset SeenAt, bool Failed, byte[] Der)> Credentials { get; } = new(StringComparer.Ordinal);
}

internal sealed class DoubleRole
{
    public required string Name { get; init; }

    public required string Arn { get; init; }

    public JsonObject Trust { get; set; } = [];

    public Dictionary<string, JsonObject> Policies { get; set; } = [];

    public List<string> Attached { get; set; } = [];

    public int MaxSessionDuration { get; set; } = 3600;
}

internal sealed class DoubleStack
{
    public required string Template { get; set; }

    public string Status { get; set; } = "CREATE_COMPLETE";

    public string? Reason { get; set; }

    /// <summary>So many looks say that it is under way.</summary>
    public int LooksUntilDone { get; set; }
}

internal sealed class DoubleCluster
{
    public required string Name { get; init; }

    public required string Arn { get; init; }

    public required string AuthorityPem { get; set; }

    public string Status { get; set; } = "ACTIVE";

    public string Version { get; set; } = "1.34";

    public string Endpoint { get; set; } = "https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com";

    public string ServiceCidr { get; set; } = "172.20.0.0/16";

    public bool PublicAccess { get; set; }

    public bool PrivateAccess { get; set; } = true;

    public required string SecurityGroupId { get; set; }

    public string AuthenticationMode { get; set; } = "API";

    public List<string> NodeCidrs { get; set; } = [];

    public List<string> PodCidrs { get; set; } = [];

    /// <summary>By the ARN of who is let in.</summary>
    public ConcurrentDictionary<string, DoubleAccessEntry> AccessEntries { get; } = new(StringComparer.Ordinal);
}

internal sealed class DoubleAccessEntry
{
    public required string Type { get; set; }

    public List<string> Groups { get; set; } = [];
}

internal sealed class DoubleSecurityGroup
{
    public required string Id { get; init; }

    public List<(string Protocol, int From, int To, string Cidr)> Ingress { get; } = [];
}

internal sealed class DoubleActivation
{
    public required string Id { get; init; }

    public required string Code { get; init; }

    public required string Role { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public int Limit { get; init; } = 1;

    public Dictionary<string, string> Tags { get; init; } = [];

    /// <summary>The managed instances that were made of it.</summary>
    public List<string> Instances { get; } = [];
}

/// <summary>Keys that were handed out.</summary>
/// <param name="Principal">Whose they are.</param>
/// <param name="Role">Null for an administrator, who may do everything.</param>
internal sealed record DoubleKeys(string AccessKeyId, string SecretAccessKey, string? SessionToken, DateTimeOffset? Expiration, string Principal, DoubleRole? Role)
{
    public static DoubleKeys New(string principal, DoubleRole? role, string? token, DateTimeOffset? expiration) =>
        new((token is null ? "AKIA" : "ASIA") + RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16), RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/+", 40), token, expiration, principal, role);
}
