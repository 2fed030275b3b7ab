using System.Text;
using Provisioner.Artifacts;
using Provisioner.Boot;
using Provisioner.Clusters;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Joining;

/// <summary>What the host's join program is told: lines of <c>key=value</c>, which a shell reads.</summary>
internal sealed class JoinAnswers(CurrentState state, ArtifactCatalogue artifacts)
{
    /// <summary>The registry of EKS's own images in most regions; what the manifest says of the region goes before it.</summary>
    private const string UsualRegistry = "602401143452";

    /// <summary>The manifest may have to be fetched first; a host does not wait for that here.</summary>
    private static readonly TimeSpan ManifestWait = TimeSpan.FromSeconds(3);

    /// <param name="endpoint">Where the host reaches the boot plane, which serves the artifacts.</param>
    public async Task<string> WriteAsync(JoinPlan plan, BootEndpoint endpoint, CancellationToken cancellation) =>
        Write(plan, endpoint, plan.Cluster is { } cluster ? await RegistryAsync(cluster, cancellation) : UsualRegistry, state.Snapshot.DesiredVersions.GetValueOrDefault(plan.Host.Name)?.Version);

    /// <summary>The lines. Pure.</summary>
    /// <param name="desired">What an upgrade wants the host to run. That a cluster's version changed upgrades nobody: who upgrades drains first.</param>
    public static string Write(JoinPlan plan, BootEndpoint endpoint, string registry, string? desired)
    {
        var lines = new StringBuilder();
        void Line(string key, string? value) => lines.Append(key).Append('=').Append(Texts.OneLine(value ?? "", 2_000)).Append('\n');

        Line("state", plan.Readiness switch { JoinReadiness.Ready => "ready", JoinReadiness.Wait => "wait", _ => "refused" });
        if (plan.Reason is { } reason)
            Line("reason", reason);
        if (plan.Cluster is not { } cluster)
            return lines.ToString();
        var spec = cluster.Spec;
        var architecture = plan.Host.Spec.Architecture == CpuArchitecture.Arm64 ? "arm64" : "amd64";
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
        Line("nodeadm", $"{spec.NodeadmUpstream}/releases/{spec.Nodeadm}/bin/linux/{architecture}/nodeadm");
        Line("manifest", $"{spec.NodeadmUpstream}/{NodeadmManifest.Name}");
        Line("endpoints", string.Join(' ', Endpoints(cluster, plan.Provider, registry)));
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
        var suffix = region.StartsWith("cn-", StringComparison.Ordinal) ? "amazonaws.com.cn" : region.StartsWith("eusc-", StringComparison.Ordinal) ? "amazonaws.eu" : "amazonaws.com";
        yield return $"eks.{region}.{suffix}:443";
        yield return $"sts.{region}.{suffix}:443";
        if (provider == CredentialProvider.IamRolesAnywhere)
        {
            yield return $"rolesanywhere.{region}.{suffix}:443";
        }
        else
        {
            yield return $"ssm.{region}.{suffix}:443";
            // Where the agent's set-up comes from, which the manifest does not turn to the appliance.
            yield return $"amazon-ssm-{region}.s3.{region}.{suffix}:443";
        }
        yield return $"api.ecr.{region}.{suffix}:443";
        yield return $"{registry}.dkr.ecr.{region}.{suffix}:443";
        if (cluster.Spec.Endpoint is { } endpoint)
        {
            var url = new Uri(endpoint);
            yield return $"{url.Host}:{url.Port}";
        }
    }

    private async Task<string> RegistryAsync(Cluster cluster, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(ManifestWait);
        try
        {
            return await artifacts.RegistryAsync(cluster.Spec.NodeadmUpstream, cluster.Spec.Region, limit.Token) ?? UsualRegistry;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return UsualRegistry;
        }
    }
}
