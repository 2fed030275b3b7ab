using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Provisioner.Aws.Clients;
using Provisioner.Clusters;

namespace Provisioner.Aws.Setup;

/// <summary>What stands in AWS for one Cluster, as far as it could be read. Null: there is none, or see <see cref="Unread"/>.</summary>
internal sealed record ClusterReading
{
    public EksCluster? Cluster { get; init; }

    public TrustAnchorDetail? TrustAnchor { get; init; }

    public ProfileDetail? Profile { get; init; }

    /// <summary>Those of the trust anchor.</summary>
    public ImmutableArray<CrlDetail> Crls { get; init; } = [];

    public Role? Role { get; init; }

    /// <summary>ARNs of managed policies.</summary>
    public ImmutableArray<string> AttachedPolicies { get; init; } = [];

    public ImmutableArray<JsonObject> RolePolicies { get; init; } = [];

    public AccessEntry? NodeAccess { get; init; }

    /// <summary>The appliance's own.</summary>
    public AccessEntry? ApplianceAccess { get; init; }

    public ImmutableArray<SecurityGroup> SecurityGroups { get; init; } = [];

    /// <summary>What could not be read, and why: about these nothing can be said.</summary>
    public ImmutableSortedDictionary<string, AwsException> Unread { get; init; } = ImmutableSortedDictionary.Create<string, AwsException>(StringComparer.Ordinal);

    public bool Knows(string part) => !Unread.ContainsKey(part);
}

/// <summary>Reads it. What one call may not read does not keep the others from it.</summary>
internal sealed class ClusterReader(AwsClients clients)
{
    public const string ClusterPart = "cluster", AnchorPart = "trust anchor", ProfilePart = "profile", CrlPart = "revocation lists", RolePart = "role", AccessPart = "access entry", OwnAccessPart = "access entry of the appliance", GroupPart = "security groups";

    /// <param name="ownRole">The appliance's; null when it uses other credentials.</param>
    /// <exception cref="AwsException">EKS cannot be reached at all: nothing can be said of anything.</exception>
    public async Task<ClusterReading> ReadAsync(Cluster cluster, string? ownRole, CancellationToken ct)
    {
        var (spec, region) = (cluster.Spec, cluster.Spec.Region);
        var unread = ImmutableSortedDictionary.CreateBuilder<string, AwsException>(StringComparer.Ordinal);
        async Task<T?> TryAsync<T>(string part, Func<Task<T?>> read)
        {
            try
            {
                return await read();
            }
            catch (AwsException e) when (e.IsNotFound)
            {
                return default;
            }
            catch (AwsException e) when (part != ClusterPart || e.Status != 0)
            {
                unread[part] = e;
                return default;
            }
        }

        var (eks, anywhere, iam) = (clients.Eks(region), clients.RolesAnywhere(region), clients.Iam(region));
        var described = await TryAsync(ClusterPart, async () => (EksCluster?)await eks.DescribeClusterAsync(cluster.EksName, ct));
        var reading = new ClusterReading { Cluster = described };
        if (spec.TrustAnchorArn is { } anchor)
        {
            reading = reading with { TrustAnchor = await TryAsync(AnchorPart, async () => (TrustAnchorDetail?)await anywhere.GetTrustAnchorAsync(ClusterTexts.NameIn(anchor), ct)) };
            reading = reading with { Crls = [.. await TryAsync(CrlPart, async () => (IEnumerable<CrlDetail>?)(await anywhere.ListCrlsAsync(ct)).Where(c => c.TrustAnchorArn == anchor)) ?? []] };
        }
        if (spec.ProfileArn is { } profile)
            reading = reading with { Profile = await TryAsync(ProfilePart, async () => (ProfileDetail?)await anywhere.GetProfileAsync(ClusterTexts.NameIn(profile), ct)) };
        if (spec.RoleArn is { } role)
        {
            var name = ClusterTexts.NameIn(role);
            reading = reading with { Role = await TryAsync(RolePart, () => iam.GetRoleAsync(name, ct)) };
            if (reading.Role is not null)
            {
                reading = reading with
                {
                    AttachedPolicies = [.. await TryAsync(RolePart, async () => (IReadOnlyList<string>?)await iam.ListAttachedRolePoliciesAsync(name, ct)) ?? []],
                    RolePolicies = [.. await TryAsync(RolePart, async () =>
                    {
                        var documents = new List<JsonObject>();
                        foreach (var policy in await iam.ListRolePoliciesAsync(name, ct))
                            documents.Add(await iam.GetRolePolicyAsync(name, policy, ct));
                        return documents;
                    }) ?? []],
                };
            }
            reading = reading with { NodeAccess = await TryAsync(AccessPart, () => eks.DescribeAccessEntryAsync(cluster.EksName, role, ct)) };
        }
        if (ownRole is not null && described is not null)
            reading = reading with { ApplianceAccess = await TryAsync(OwnAccessPart, () => eks.DescribeAccessEntryAsync(cluster.EksName, ownRole, ct)) };
        if (described?.ResourcesVpcConfig is { } vpc && new[] { vpc.ClusterSecurityGroupId }.Concat(vpc.SecurityGroupIds ?? []).OfType<string>().Distinct(StringComparer.Ordinal).ToList() is { Count: > 0 } groups)
            reading = reading with { SecurityGroups = [.. await TryAsync(GroupPart, async () => (IReadOnlyList<SecurityGroup>?)await clients.Ec2(region).DescribeSecurityGroupsAsync(groups, ct)) ?? []] };
        return reading with { Unread = unread.ToImmutable() };
    }
}
