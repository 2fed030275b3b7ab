using CsCheck;
using Provisioner.Clusters;
using Provisioner.Joining;
using Provisioner.Protocols;
using Provisioner.Tests.Resources;
using YamlDotNet.Serialization;

namespace Provisioner.Tests.Joining;

public sealed class NodeConfigTests
{
    [Fact]
    public void By_Roles_Anywhere() => Golden.Match(JoinSite.Plan().ToNodeConfig(null).ToYaml(), "iam-ra");

    [Fact]
    public void By_an_activation() => Golden.Match(JoinSite.Plan(node: new NodeOptions { CredentialProvider = CredentialProvider.Ssm }).ToNodeConfig(JoinSite.Activation).ToYaml(), "ssm");

    [Fact]
    public void With_everything_that_can_be_said() => Golden.Match(
        JoinSite.Plan(
            h => h with { Node = new HostNodeOptions { Labels = JoinSite.Labels(("tier", "silver"), ("provisioner/rack", "r12")), Taints = [new Taint { Key = "new", Value = "no", Effect = TaintEffect.NoExecute }] } },
            JoinSite.Full,
            c => c with { EksName = "Prod_1", Endpoint = "https://ABC.gr7.eu-west-1.eks.amazonaws.com", CertificateAuthority = JoinSite.Authority.Value, ServiceCidr = Ipv4Cidr.Parse("172.20.0.0/16") })
            // Another one with each run.
            .ToNodeConfig(null).ToYaml().Replace(JoinSite.Authority.Value, "AUTHORITY", StringComparison.Ordinal), "full");

    [Fact]
    public void A_preview_holds_no_secret_and_marks_what_only_the_request_tells()
    {
        var preview = JoinSite.Plan(h => h with { Address = null }, new NodeOptions { CredentialProvider = CredentialProvider.Ssm }).ToPreview().ToYaml();

        Assert.Contains("--node-ip=THE-ADDRESS-IT-ASKS-FROM", preview, StringComparison.Ordinal);
        Assert.Contains("REDACTED", preview, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_host_is_told_reads_back_as_what_was_meant() => Gen.Select(ResourceGen.Node, ResourceGen.HostNodeOptions, ResourceGen.Cluster, Gen.UInt[1, 250]).Sample((node, own, cluster, last) =>
    {
        var address = $"10.77.0.{last}";
        var plan = JoinSite.Plan(h => h with { Node = own, Address = null }, node, _ => cluster.Spec with { TrustAnchorArn = JoinSite.TrustAnchor.Replace("eu-west-1", cluster.Spec.Region), ProfileArn = JoinSite.ProfileArn, RoleArn = JoinSite.Role }, address);
        Assert.Equal(JoinReadiness.Ready, plan.Readiness);

        var yaml = plan.ToNodeConfig(JoinSite.Activation).ToYaml();

        // By another reader than the one that checked it.
        var spec = Map(Map(new DeserializerBuilder().Build().Deserialize<Dictionary<object, object>>(yaml))["spec"]);
        Assert.Equal(plan.Cluster!.EksName, Map(spec["cluster"])["name"]);
        Assert.Equal(plan.Provider == CredentialProvider.Ssm, Map(spec["hybrid"]).ContainsKey("ssm"));
        Assert.Equal(plan.Provider == CredentialProvider.IamRolesAnywhere, Map(spec["hybrid"]).ContainsKey("iamRolesAnywhere"));
        var flags = ((List<object>)Map(spec["kubelet"])["flags"]).Select(f => (string)f).ToList();
        Assert.Equal($"--node-ip={address}", flags[0]);
        Assert.Equal(node.KubeletFlags, flags.TakeLast(node.KubeletFlags.Length));
        var labels = flags.Single(f => f.StartsWith("--node-labels=", StringComparison.Ordinal))["--node-labels=".Length..].Split(',').Select(l => l.Split('=')).ToDictionary(l => l[0], l => l[1]);
        Assert.All(own.Labels, label => Assert.Equal(label.Value, labels[label.Key]));
        Assert.All(node.Labels.Where(l => !own.Labels.ContainsKey(l.Key)), label => Assert.Equal(label.Value, labels[label.Key]));
        Assert.Equal("dc1", labels[NodeLabels.Zone]);
        Assert.Equal(node.ContainerdConfig, spec.TryGetValue("containerd", out var containerd) ? Map(containerd)["config"] : null);
        var read = NodeConfig.Read(yaml, out var mistakes);
        Assert.Empty(mistakes);
        Assert.Equal(node.KubeletConfig, read!.Kubelet!.Config);
    });

    [Theory]
    [InlineData("spec.hybrid.region", "  hybrid:\n", "  hybrid:\n    region: eu-west-1\n")]
    [InlineData("spec.nodeName", "spec:\n", "spec:\n  nodeName: a\n")]
    [InlineData("spec.cluster.name", "    name: prod\n", "")]
    [InlineData("spec.hybrid.iamRolesAnywhere.nodeName", "nodeName: rack1-n07", "nodeName: rack1-n07.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("spec.hybrid.ssm", "    iamRolesAnywhere:\n", "    ssm: {activationId: 3f2e1d0c-1111-2222-3333-444455556666, activationCode: abcdefghijklmnopqrstuvwxyz}\n    iamRolesAnywhere:\n")]
    [InlineData("spec.kubelet.flags[0]", "--node-ip=10.77.0.21", "--hostname-override=b")]
    [InlineData("apiVersion", "node.eks.aws/v1alpha1", "node.eks.aws/v1")]
    public void What_nodeadm_refuses_is_not_read(string path, string from, string to)
    {
        var yaml = JoinSite.Plan().ToNodeConfig(null).ToYaml();
        Assert.Contains(from, yaml, StringComparison.Ordinal);

        Assert.Null(NodeConfig.Read(yaml.Replace(from, to, StringComparison.Ordinal), out var mistakes));

        Assert.Equal(path, mistakes[0].Path);
    }

    [Fact]
    public void Who_cannot_join_is_told_why()
    {
        Says(JoinSite.Plan(cluster: c => c with { TrustAnchorArn = null, ProfileArn = null }), JoinReadiness.Wait, "Cluster prod has no trustAnchorArn, profileArn: run 'provisioner aws apply', or give them in its spec");
        Says(JoinSite.Plan(node: new NodeOptions { CredentialProvider = CredentialProvider.Ssm }, cluster: c => c with { TrustAnchorArn = null, RoleArn = null }), JoinReadiness.Wait, "Cluster prod has no roleArn: ");
        Says(JoinSite.Plan(h => h with { Address = Ipv4Address.Parse("10.79.0.1") }), JoinReadiness.Refused, "10.79.0.1 is in none of the remoteNodeNetworks of Cluster prod (10.77.0.0/24, 10.78.0.0/16)");
        Says(JoinSite.Plan(h => h with { Address = null }, from: "192.0.2.1"), JoinReadiness.Refused, "192.0.2.1 is in none");
        var host = JoinSite.Host with { Spec = JoinSite.Host.Spec with { Profile = null } };
        Says(JoinPlan.Of(host, JoinSite.Snapshot(host), null), JoinReadiness.Refused, "has no profile");
        var loose = JoinSite.Profile with { Spec = JoinSite.Profile.Spec with { Cluster = null } };
        Says(JoinPlan.Of(JoinSite.Host, JoinSite.Snapshot(profile: loose), null), JoinReadiness.Refused, "names no cluster");
        var unknown = JoinSite.Plan(h => h with { Address = null });
        Assert.Contains("give Host rack1-n07 a spec.address", Assert.Throws<JoinRefusedException>(() => unknown.ToNodeConfig(null)).Message, StringComparison.Ordinal);

        static void Says(JoinPlan plan, JoinReadiness readiness, string reason)
        {
            Assert.Equal(readiness, plan.Readiness);
            Assert.Contains(reason, plan.Reason, StringComparison.Ordinal);
            Assert.Equal(readiness, Assert.Throws<JoinRefusedException>(() => plan.ToNodeConfig(JoinSite.Activation)).Readiness);
        }
    }

    [Fact]
    public void An_activation_that_AWS_would_not_make_is_not_served_and_not_quoted()
    {
        var plan = JoinSite.Plan(node: new NodeOptions { CredentialProvider = CredentialProvider.Ssm });

        var refused = Assert.Throws<JoinRefusedException>(() => plan.ToNodeConfig(JoinSite.Activation with { Code = "short-s3cret" }));

        Assert.DoesNotContain("short-s3cret", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(JoinSite.Activation.Code, $"{JoinSite.Activation} {plan.ToNodeConfig(JoinSite.Activation)}", StringComparison.Ordinal);
    }

    private static Dictionary<object, object> Map(object node) => (Dictionary<object, object>)node;
}
