using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Provisioner.AwsDoubles;

/// <summary>Amazon EKS.</summary>
internal sealed class EksPlane(AwsAccount account)
{
    private static readonly string[] Types = ["STANDARD", "FARGATE_LINUX", "EC2_LINUX", "EC2_WINDOWS", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX"];

    public (string Name, Operation Act) Find(string route)
    {
        var parts = route.Split(' ', '/').Where(p => p.Length > 0).Select(Uri.UnescapeDataString).ToArray();
        return parts switch
        {
            ["GET", "clusters", var name] => ("eks:DescribeCluster", (_, _) => (200, new JsonObject { ["cluster"] = Json(Cluster(name)) })),
            ["POST", "clusters", var name, "update-config"] => ("eks:UpdateClusterConfig", (b, _) => Update(Cluster(name), b)),
            ["GET", "clusters", var name, "access-entries"] => ("eks:ListAccessEntries", (_, _) => (200, new JsonObject { ["accessEntries"] = new JsonArray([.. Cluster(name).AccessEntries.Keys.Select(k => (JsonNode)k)]) })),
            ["POST", "clusters", var name, "access-entries"] => ("eks:CreateAccessEntry", (b, _) => Create(Cluster(name), b)),
            ["GET", "clusters", var name, "access-entries", var arn] => ("eks:DescribeAccessEntry", (_, _) => (200, Answer(arn, Entry(Cluster(name), arn)))),
            ["POST", "clusters", var name, "access-entries", var arn] => ("eks:UpdateAccessEntry", (b, _) => Change(arn, Entry(Cluster(name), arn), b)),
            _ => throw AwsRefusal.Missing($"no route {route}"),
        };
    }

    private static (int, JsonObject) Update(DoubleCluster cluster, JsonObject body)
    {
        if (body.Count != 1)
            throw new AwsRefusal(400, "InvalidParameterException", "one kind of change at a time");
        if (body["accessConfig"]?["authenticationMode"]?.GetValue<string>() is { } mode)
        {
            if (cluster.AuthenticationMode != "CONFIG_MAP" && mode == "CONFIG_MAP" || cluster.AuthenticationMode == "API" && mode != "API")
                throw new AwsRefusal(400, "InvalidParameterException", $"the authentication mode cannot go from {cluster.AuthenticationMode} to {mode}");
            cluster.AuthenticationMode = mode;
        }
        if (body["remoteNetworkConfig"] is JsonObject networks)
        {
            var (nodes, pods) = (Cidrs(networks["remoteNodeNetworks"]), Cidrs(networks["remotePodNetworks"]));
            if (nodes.Concat(pods).Append(cluster.ServiceCidr).Select(c => IPNetwork.Parse(c)).ToList() is var all && all.Any(a => all.Any(b => !a.Equals(b) && a.Contains(b.BaseAddress))))
                throw new AwsRefusal(400, "InvalidParameterException", "networks overlap");
            (cluster.NodeCidrs, cluster.PodCidrs) = (nodes, pods);
        }
        return (200, new JsonObject { ["update"] = new JsonObject { ["id"] = AwsAccount.NewId(), ["status"] = "InProgress" } });
    }

    private static List<string> Cidrs(JsonNode? networks) => networks is not JsonArray array ? []
        : array.Count > 1 ? throw new AwsRefusal(400, "InvalidParameterException", "one network at most, with its cidrs") : [.. array.SelectMany(n => n!["cidrs"]!.AsArray()).Select(c => c!.GetValue<string>())];

    private static (int, JsonObject) Create(DoubleCluster cluster, JsonObject body)
    {
        var arn = body["principalArn"]?.GetValue<string>() ?? throw new AwsRefusal(400, "InvalidParameterException", "principalArn");
        var type = body["type"]?.GetValue<string>() ?? "STANDARD";
        if (cluster.AuthenticationMode == "CONFIG_MAP")
            throw new AwsRefusal(400, "InvalidRequestException", "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.");
        if (!Types.Contains(type) || type != "STANDARD" && body["kubernetesGroups"] is JsonArray { Count: > 0 })
            throw new AwsRefusal(400, "InvalidParameterException", "type, or groups with a type that takes none");
        var entry = new DoubleAccessEntry { Type = type, Groups = Groups(body) };
        return cluster.AccessEntries.TryAdd(arn, entry) ? (200, Answer(arn, entry)) : throw new AwsRefusal(409, "ResourceInUseException", "The specified access entry resource is already in use on this cluster.");
    }

    private static (int, JsonObject) Change(string arn, DoubleAccessEntry entry, JsonObject body)
    {
        entry.Groups = Groups(body);
        return (200, Answer(arn, entry));
    }

    private static List<string> Groups(JsonObject body) => [.. (body["kubernetesGroups"] as JsonArray ?? []).Select(g => g!.GetValue<string>())];

    private DoubleCluster Cluster(string name) => account.Clusters.GetValueOrDefault(name) ?? throw AwsRefusal.Missing($"No cluster found for name: {name}.");

    private static DoubleAccessEntry Entry(DoubleCluster cluster, string arn) =>
        cluster.AccessEntries.GetValueOrDefault(arn) ?? throw AwsRefusal.Missing("The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.");

    private static JsonObject Answer(string arn, DoubleAccessEntry entry) => new()
    {
        ["accessEntry"] = new JsonObject
        {
            ["principalArn"] = arn, ["type"] = entry.Type, ["kubernetesGroups"] = new JsonArray([.. entry.Groups.Select(g => (JsonNode)g)]),
            ["username"] = entry.Type == "HYBRID_LINUX" ? "system:node:{{SessionName}}" : arn,
        },
    };

    private static JsonObject Json(DoubleCluster cluster)
    {
        var json = new JsonObject
        {
            ["name"] = cluster.Name,
            ["arn"] = cluster.Arn,
            ["status"] = cluster.Status,
            ["version"] = cluster.Version,
            ["createdAt"] = 1767225600.123,
            ["endpoint"] = cluster.Endpoint,
            ["certificateAuthority"] = new JsonObject { ["data"] = Convert.ToBase64String(Encoding.ASCII.GetBytes(cluster.AuthorityPem)) },
            ["kubernetesNetworkConfig"] = new JsonObject { ["serviceIpv4Cidr"] = cluster.ServiceCidr, ["ipFamily"] = "ipv4" },
            ["accessConfig"] = new JsonObject { ["authenticationMode"] = cluster.AuthenticationMode },
            ["resourcesVpcConfig"] = new JsonObject
            {
                ["endpointPublicAccess"] = cluster.PublicAccess, ["endpointPrivateAccess"] = cluster.PrivateAccess, ["clusterSecurityGroupId"] = cluster.SecurityGroupId, ["securityGroupIds"] = new JsonArray(), ["vpcId"] = "vpc-1",
            },
        };
        if (cluster.NodeCidrs.Count > 0)
        {
            var networks = new JsonObject { ["remoteNodeNetworks"] = new JsonArray(new JsonObject { ["cidrs"] = new JsonArray([.. cluster.NodeCidrs.Select(c => (JsonNode)c)]) }) };
            if (cluster.PodCidrs.Count > 0)
                networks["remotePodNetworks"] = new JsonArray(new JsonObject { ["cidrs"] = new JsonArray([.. cluster.PodCidrs.Select(c => (JsonNode)c)]) });
            json["remoteNetworkConfig"] = networks;
        }
        return json;
    }
}
