using System.Text;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Artifacts;
using Provisioner.Boot;
using Provisioner.Clusters;
using Provisioner.Joining;
using Provisioner.Protocols;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Artifacts;

namespace Provisioner.Tests.Joining;

public sealed class JoinAnswersTests
{
    private static readonly BootEndpoint Endpoint = new(Ipv4Address.Parse("10.77.0.1"), 8080);

    [Fact]
    public void Each_provider_has_its_endpoints()
    {
        var known = JoinSite.Cluster with { Spec = JoinSite.Cluster.Spec with { Endpoint = "https://ABC.gr7.eu-west-1.eks.amazonaws.com" } };

        Assert.Equal(
        [
            "eks.eu-west-1.amazonaws.com:443", "sts.eu-west-1.amazonaws.com:443", "rolesanywhere.eu-west-1.amazonaws.com:443", "api.ecr.eu-west-1.amazonaws.com:443",
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com:443", "abc.gr7.eu-west-1.eks.amazonaws.com:443",
        ], JoinAnswers.Endpoints(known, CredentialProvider.IamRolesAnywhere, "111111111111"));
        Assert.Equal(
        [
            "eks.eu-west-1.amazonaws.com:443", "sts.eu-west-1.amazonaws.com:443", "ssm.eu-west-1.amazonaws.com:443", "amazon-ssm-eu-west-1.s3.eu-west-1.amazonaws.com:443",
            "api.ecr.eu-west-1.amazonaws.com:443", "111111111111.dkr.ecr.eu-west-1.amazonaws.com:443",
        ], JoinAnswers.Endpoints(JoinSite.Cluster, CredentialProvider.Ssm, "111111111111"));
    }

    [Theory]
    [InlineData("cn-north-1", "sts.cn-north-1.amazonaws.com.cn:443")]
    [InlineData("us-gov-east-1", "sts.us-gov-east-1.amazonaws.com:443")]
    [InlineData("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu:443")]
    public void Each_partition_has_its_names(string region, string endpoint) =>
        Assert.Contains(endpoint, JoinAnswers.Endpoints(JoinSite.Cluster with { Spec = JoinSite.Cluster.Spec with { Region = region } }, CredentialProvider.IamRolesAnywhere, "1"));

    [Fact]
    public void Every_line_is_a_key_and_a_value_and_nothing_else()
    {
        var plan = JoinSite.Plan(h => h with { Architecture = CpuArchitecture.Arm64 }, cluster: c => c with { Nodeadm = "v1.0.20", NodeadmUpstream = "mine", CniPort = 8473, EndpointAccess = EndpointAccess.Public });

        var lines = JoinAnswers.Write(plan, Endpoint, new ArtifactFacts("1") { NodeadmSha256 = "ab", ManifestSha256 = "cd" }, "1.35").Split('\n');

        Assert.Equal("", lines[^1]);
        Assert.All(lines[..^1], line => Assert.Matches(@"\A[a-z0-9]+=[^=\p{C}]*\z", line));
        Assert.Equal(lines.Length - 1, lines[..^1].Select(line => line.Split('=')[0]).Distinct().Count());
        Assert.Contains("nodeadm=mine/releases/v1.0.20/bin/linux/arm64/nodeadm", lines);
        Assert.Contains("manifest=mine/manifest.yaml", lines);
        Assert.Contains("artifacts=http://10.77.0.1:8080/artifacts", lines);
        Assert.Contains("cniport=8473", lines);
        Assert.Contains("access=public", lines);
        Assert.Contains("desired=1.35", lines);
        Assert.Contains("nodeadmsha256=ab", lines);
        Assert.Contains("manifestsha256=cd", lines);
        // The paths are those that the cache knows.
        foreach (var key in new[] { "nodeadm=", "manifest=" })
            Assert.True(ArtifactPath.TryParse(lines.Single(l => l.StartsWith(key, StringComparison.Ordinal))[key.Length..], out _, out var wrong), wrong);
    }

    [Fact]
    public async Task Checksums_are_of_what_the_host_is_served()
    {
        await using var upstream = await UpstreamDouble.StartAsync();
        var nodeadm = Encoding.UTF8.GetBytes("#!/bin/sh\n# nodeadm\n");
        upstream.Add("manifest.yaml", Encoding.UTF8.GetBytes($"supported_eks_releases:\n- major_minor_version: \"1.34\"\n  uri: {upstream.Url}kubelet\n  checksum_uri: {upstream.Url}kubelet.sha256\nregion_config:\n  eu-west-1: {{ecr_account_id: \"111122223333\"}}\n"), "\"m\"");
        upstream.Add("releases/latest/bin/linux/amd64/nodeadm", nodeadm, "\"n\"");
        upstream.Add("releases/latest/bin/linux/amd64/nodeadm.sha256", Encoding.UTF8.GetBytes($"{ArtifactSite.Sha256(nodeadm)}  nodeadm\n"));
        using var directory = new TemporaryDirectory();
        await using var site = await ArtifactSite.StartAsync(ArtifactSite.Options(upstream, UpstreamKind.Nodeadm), directory.Path);
        var plan = JoinSite.Plan(cluster: c => c with { NodeadmUpstream = "up" });

        var text = await new JoinAnswers(site.Catalogue, new FakeTimeProvider()).WriteAsync(plan, new BootEndpoint(Ipv4Address.Parse("127.0.0.1"), site.Port), desired: null, TestContext.Current.CancellationToken);

        var lines = text.TrimEnd('\n').Split('\n').Select(line => line.Split('=', 2)).ToDictionary(line => line[0], line => line[1]);
        foreach (var what in new[] { "nodeadm", "manifest" })
        {
            var (status, served) = await site.AskAsync(lines[what]);
            Assert.Equal(System.Net.HttpStatusCode.OK, status);
            Assert.Equal(ArtifactSite.Sha256(Encoding.UTF8.GetBytes(served)), lines[what + "sha256"]);
        }
        Assert.Contains("111122223333.dkr.ecr.eu-west-1.amazonaws.com:443", lines["endpoints"], StringComparison.Ordinal);
    }

    [Fact]
    public void The_manifest_tells_the_registry_of_a_region()
    {
        Assert.True(NodeadmManifest.TryParse(Encoding.UTF8.GetBytes("""
            supported_eks_releases: []
            region_config:
              eu-west-1: {ecr_account_id: "602401143452", partition: aws}
              eu-south-2: {ecr_account_id: "455263428931"}
              xx-east-1: {ecr_account_id: "../.."}
            """), mayBePlain: false, out var manifest, out var reason), reason);

        Assert.Equal("455263428931", manifest.RegistryOf("eu-south-2"));
        Assert.Null(manifest.RegistryOf("xx-east-1"));
        Assert.Null(manifest.RegistryOf("mars-1"));
    }
}
