using Provisioner.Protocols.AwsSigning;

namespace Provisioner.Aws.Clients;

/// <summary>Amazon EKS in one region, with the names of AWSSDK.EKS, which is not to be had here. https://docs.aws.amazon.com/eks/latest/APIReference/</summary>
internal interface IAmazonEKS
{
    Task<EksCluster> DescribeClusterAsync(string name, CancellationToken cancellation);

    Task UpdateClusterConfigAsync(string name, UpdateClusterConfigRequest request, CancellationToken cancellation);

    Task<IReadOnlyList<string>> ListAccessEntriesAsync(string clusterName, CancellationToken cancellation);

    /// <summary>Null when there is none.</summary>
    Task<AccessEntry?> DescribeAccessEntryAsync(string clusterName, string principalArn, CancellationToken cancellation);

    Task<AccessEntry> CreateAccessEntryAsync(string clusterName, CreateAccessEntryRequest request, CancellationToken cancellation);

    Task<AccessEntry> UpdateAccessEntryAsync(string clusterName, string principalArn, UpdateAccessEntryRequest request, CancellationToken cancellation);
}

internal sealed record RemoteNodeNetwork(IReadOnlyList<string>? Cidrs);

internal sealed record RemotePodNetwork(IReadOnlyList<string>? Cidrs);

internal sealed record RemoteNetworkConfig(IReadOnlyList<RemoteNodeNetwork>? RemoteNodeNetworks, IReadOnlyList<RemotePodNetwork>? RemotePodNetworks = null);

internal sealed record EksCertificate(string? Data);

internal sealed record KubernetesNetworkConfig(string? ServiceIpv4Cidr, string? IpFamily = null);

internal sealed record VpcConfigResponse(bool EndpointPublicAccess, bool EndpointPrivateAccess, string? ClusterSecurityGroupId = null, IReadOnlyList<string>? SecurityGroupIds = null, string? VpcId = null);

internal sealed record AccessConfig(string? AuthenticationMode);

/// <summary>What DescribeCluster says.</summary>
internal sealed record EksCluster(string Name, string Arn, string Status, string? Version, string? Endpoint, EksCertificate? CertificateAuthority, KubernetesNetworkConfig? KubernetesNetworkConfig,
    VpcConfigResponse? ResourcesVpcConfig, AccessConfig? AccessConfig, RemoteNetworkConfig? RemoteNetworkConfig);

internal sealed record UpdateClusterConfigRequest(AccessConfig? AccessConfig = null, RemoteNetworkConfig? RemoteNetworkConfig = null);

internal sealed record AccessEntry(string PrincipalArn, string Type, string? Username = null, IReadOnlyList<string>? KubernetesGroups = null);

internal sealed record CreateAccessEntryRequest(string PrincipalArn, string Type, IReadOnlyList<string>? KubernetesGroups = null);

internal sealed record UpdateAccessEntryRequest(IReadOnlyList<string> KubernetesGroups);

/// <summary>The client.</summary>
internal sealed class EksClient(AwsApi api, string region) : IAmazonEKS
{
    public async Task<EksCluster> DescribeClusterAsync(string name, CancellationToken cancellation) =>
        (await SendAsync<ClusterAnswer>("DescribeCluster", HttpMethod.Get, Path(name), cancellation)).Cluster;

    public async Task UpdateClusterConfigAsync(string name, UpdateClusterConfigRequest request, CancellationToken cancellation) =>
        await SendAsync<object>("UpdateClusterConfig", HttpMethod.Post, Path(name) + "/update-config", cancellation, request);

    public async Task<IReadOnlyList<string>> ListAccessEntriesAsync(string clusterName, CancellationToken cancellation)
    {
        var all = new List<string>();
        string? next = null;
        do
        {
            var page = await api.RestAsync<AccessEntryPage>("eks", region, "ListAccessEntries", HttpMethod.Get, Path(clusterName) + "/access-entries", cancellation, null, ("nextToken", next));
            all.AddRange(page.AccessEntries ?? []);
            next = page.NextToken;
        }
        while (!string.IsNullOrEmpty(next));
        return all;
    }

    public async Task<AccessEntry?> DescribeAccessEntryAsync(string clusterName, string principalArn, CancellationToken cancellation)
    {
        try
        {
            return (await SendAsync<AccessEntryAnswer>("DescribeAccessEntry", HttpMethod.Get, Path(clusterName, principalArn), cancellation)).AccessEntry;
        }
        catch (AwsException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    public async Task<AccessEntry> CreateAccessEntryAsync(string clusterName, CreateAccessEntryRequest request, CancellationToken cancellation) =>
        (await SendAsync<AccessEntryAnswer>("CreateAccessEntry", HttpMethod.Post, Path(clusterName) + "/access-entries", cancellation, request)).AccessEntry;

    public async Task<AccessEntry> UpdateAccessEntryAsync(string clusterName, string principalArn, UpdateAccessEntryRequest request, CancellationToken cancellation) =>
        (await SendAsync<AccessEntryAnswer>("UpdateAccessEntry", HttpMethod.Post, Path(clusterName, principalArn), cancellation, request)).AccessEntry;

    private static string Path(string cluster) => $"/clusters/{CanonicalRequest.Escape(cluster)}";

    private static string Path(string cluster, string principal) => $"{Path(cluster)}/access-entries/{CanonicalRequest.Escape(principal)}";

    private Task<T> SendAsync<T>(string operation, HttpMethod method, string path, CancellationToken cancellation, object? body = null) =>
        api.RestAsync<T>("eks", region, operation, method, path, cancellation, body);

    private sealed record ClusterAnswer(EksCluster Cluster);

    private sealed record AccessEntryAnswer(AccessEntry AccessEntry);

    private sealed record AccessEntryPage(IReadOnlyList<string>? AccessEntries, string? NextToken);
}
