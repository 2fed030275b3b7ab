using System.Security.Cryptography;
using System.Text;
using Provisioner.Artifacts;
using Provisioner.Aws;
using Provisioner.Boot;
using Provisioner.Clusters;
using Provisioner.Resources;

namespace Provisioner.Joining;

/// <summary>What the host's join program is told: lines of <c>key=value</c>, which a shell reads.</summary>
internal sealed class JoinAnswers(ArtifactCatalogue artifacts, TimeProvider time)
{
    /// <summary>The registry of EKS's own images in most regions; what the manifest says of the region goes before it.</summary>
    private const string UsualRegistry = "602401143452";

    /// <summary>The upstream may have to be asked first; a host does not wait longer for that here.</summary>
    private static readonly TimeSpan UpstreamWait = TimeSpan.FromSeconds(3);

    private Tuple<NodeadmManifest, string, string>? lastSum;

    /// <param name="endpoint">Where the host reaches the boot plane, which serves the artifacts.</param>
    /// <param name="desired">What an upgrade wants the host to run. That a cluster's version changed upgrades nobody: who upgrades drains first.</param>
    public async Task<string> WriteAsync(JoinPlan plan, BootEndpoint endpoint, string? desired, CancellationToken cancellation) =>
        Write(plan, endpoint, plan.Cluster is null ? new ArtifactFacts(UsualRegistry) : await FactsAsync(plan, endpoint, cancellation), desired);

    /// <summary>The lines. Pure.</summary>
    public static string Write(JoinPlan plan, BootEndpoint endpoint, ArtifactFacts facts, string? desired)
    {
        var lines = new StringBuilder();
        void Line(string key, string? value) => lines.Append(key).Append('=').Append(Texts.OneLine(value ?? "", 2_000)).Append('\n');

        Line("state", plan.Readiness switch { JoinReadiness.Ready => "ready", JoinReadiness.Wait => "wait", _ => "refused" });
        if (plan.Reason is { } reason)
            Line("reason", reason);
        if (plan.Cluster is not { } cluster)
            return lines.ToString();
        var spec = cluster.Spec;
        Line("cluster", cluster.EksName);
        Line("region", spec.Region);
        Line("kubernetes", desired ?? spec.KubernetesVersion);
        Line("provider", plan.Provider == CredentialProvider.Ssm ? "ssm" : "iam-ra");
        Line("nodeip", plan.NodeIp?.ToString());
        Line("nodenetworks", string.Join(' ', spec.RemoteNodeNetworks));
        Line("podnetworks", string.Join(' ', spec.RemotePodNetworks));
        Line("endpoint", spec.Endpoint);
        Line("access", spec.EndpointAccess == EndpointAccess.Private ? "private" : "public");
        Line("cni", spec.Cni == Installing.PodNetwork.Cilium ? "cilium" : "calico");
        Line("cniport", spec.TunnelPort.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Line("artifacts", $"{endpoint.HttpRoot}{ArtifactPath.Prefix.TrimEnd('/')}");
        Line("nodeadm", NodeadmOf(plan).ToString());
        Line("manifest", $"{spec.NodeadmUpstream}/{NodeadmManifest.Name}");
        // Artifacts come by plain HTTP. What is said here comes over a connection that is verified.
        if (facts.NodeadmSha256 is { } nodeadm)
            Line("nodeadmsha256", nodeadm);
        if (facts.ManifestSha256 is { } manifest)
            Line("manifestsha256", manifest);
        Line("endpoints", string.Join(' ', Endpoints(cluster, plan.Provider, facts.Registry)));
        Line("desired", desired);
        return lines.ToString();
    }

    /// <summary>
    /// What the host must reach itself to join and to stay; everything else comes through the appliance.
    /// https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-networking.html
    /// </summary>
    public static IEnumerable<string> Endpoints(Cluster cluster, CredentialProvider provider, string registry)
    {
        var region = cluster.Spec.Region;
        string Of(string service) => AwsEndpoints.HostOf(service, region) + ":443";
        yield return Of("eks");
        yield return Of("sts");
        if (provider == CredentialProvider.IamRolesAnywhere)
        {
            yield return Of("rolesanywhere");
        }
        else
        {
            yield return Of("ssm");
            // Where the agent's set-up comes from, which the manifest does not turn to the appliance.
            yield return Of($"amazon-ssm-{region}.s3");
        }
        yield return Of("api.ecr");
        yield return Of($"{registry}.dkr.ecr");
        if (cluster.Spec.Endpoint is { } endpoint)
        {
            var url = new Uri(endpoint);
            yield return $"{url.Host}:{url.Port}";
        }
    }

    private static ArtifactPath NodeadmOf(JoinPlan plan)
    {
        var architecture = plan.Host.Spec.Architecture == CpuArchitecture.Arm64 ? "arm64" : "amd64";
        return new(plan.Cluster!.Spec.NodeadmUpstream, $"releases/{plan.Cluster.Spec.Nodeadm}/bin/linux/{architecture}/nodeadm");
    }

    private async Task<ArtifactFacts> FactsAsync(JoinPlan plan, BootEndpoint endpoint, CancellationToken cancellation)
    {
        var facts = new ArtifactFacts(UsualRegistry);
        using var limit = new CancellationTokenSource(UpstreamWait, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            if (await artifacts.ManifestAsync(plan.Cluster!.Spec.NodeadmUpstream, both.Token) is { } manifest)
            {
                facts = new ArtifactFacts(manifest.RegistryOf(plan.Cluster.Spec.Region) ?? UsualRegistry)
                {
                    ManifestSha256 = SumOf(manifest, $"{endpoint.HttpRoot}{ArtifactPath.Prefix}{plan.Cluster.Spec.NodeadmUpstream}/"),
                };
            }
            return facts with { NodeadmSha256 = await artifacts.DigestAsync(NodeadmOf(plan), both.Token) };
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return facts;
        }
    }

    // It is the same for a whole rack.
    private string SumOf(NodeadmManifest manifest, string at)
    {
        if (lastSum is { } last && ReferenceEquals(last.Item1, manifest) && last.Item2 == at)
            return last.Item3;
        var sum = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(manifest.Rewrite(at))));
        lastSum = Tuple.Create(manifest, at, sum);
        return sum;
    }
}

/// <summary>What the appliance's cache knows of what a host will fetch.</summary>
/// <param name="Registry">The account whose registry has EKS's own images in the cluster's region.</param>
internal sealed record ArtifactFacts(string Registry)
{
    /// <summary>Null when it could not be had in time: the host takes the checksum beside the file.</summary>
    public string? NodeadmSha256 { get; init; }

    /// <summary>Of the manifest with its addresses turned to the appliance.</summary>
    public string? ManifestSha256 { get; init; }
}
