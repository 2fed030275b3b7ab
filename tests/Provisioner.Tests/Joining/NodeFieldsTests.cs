using CsCheck;
using Provisioner.Joining;
using Provisioner.Profiles;
using Provisioner.Resources;
using Provisioner.Storage;
using Provisioner.Tests.Resources;

namespace Provisioner.Tests.Joining;

public sealed class NodeFieldsTests
{
    [Fact]
    public void Every_mistake_of_a_node_is_told_at_once()
    {
        var read = ResourceReader.Read("""
            apiVersion: provisioner/v1
            kind: Profile
            metadata: {name: worker}
            spec:
              image: rhel-9
              cluster: prod
              install: {}
              node:
                labels: {kubernetes.io/role: a, node-restriction.kubernetes.io/x: a, eks.amazonaws.com/compute-type: a, x.k8s.io/y: b, node.kubernetes.io/z: ok, topology.kubernetes.io/region: ok}
                taints: [{key: a, effect: NoSchedule}, {key: a, value: b, effect: NoSchedule}, {key: a, effect: NoExecute}]
                kubeletFlags: [--hostname-override=x, --node-labels=a=b, --node-ip=10.0.0.1, --register-with-taints=a:NoSchedule, v=4, "--v=4 5", --v=4, --v=5]
            ---
            apiVersion: provisioner/v1
            kind: Profile
            metadata: {name: other}
            spec:
              image: rhel-9
              cluster: prod
              install: {}
              node:
                kubeletConfig: {providerID: a, registerWithTaints: [], cgroupDriver: cgroupfs, kind: Pod, maxPods: 012, seccompDefault: yes, evictionHard: {memory.available: 10%}, a: 0x1F, b: 1e3, c: , d: 12:30, ok: 5m}
                containerdConfig: |
                  [plugins
            """);

        string[] keys =
        [
            "spec.node.kubeletFlags[0]", "spec.node.kubeletFlags[1]", "spec.node.kubeletFlags[2]", "spec.node.kubeletFlags[3]", "spec.node.kubeletFlags[4]", "spec.node.kubeletFlags[5]",
            "spec.node.kubeletConfig.maxPods", "spec.node.kubeletConfig.seccompDefault", "spec.node.kubeletConfig.a", "spec.node.kubeletConfig.b", "spec.node.kubeletConfig.c", "spec.node.kubeletConfig.d",
            "spec.node.kubeletConfig.providerID", "spec.node.kubeletConfig.registerWithTaints", "spec.node.kubeletConfig.cgroupDriver", "spec.node.kubeletConfig.kind", "spec.node.containerdConfig",
        ];
        Assert.Equal(keys, read.Mistakes.Select(m => m.Path));
        Assert.Contains("give labels", read.Mistakes[1].Message, StringComparison.Ordinal);
        Assert.Contains("give taints", read.Mistakes[3].Message, StringComparison.Ordinal);
        Assert.Contains("line 1", read.Mistakes[^1].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_keys_must_hold_together_is_told()
    {
        var read = ResourceReader.Read("""
            apiVersion: provisioner/v1
            kind: Profile
            metadata: {name: worker}
            spec:
              image: rhel-9
              cluster: prod
              install: {}
              node:
                labels: {kubernetes.io/role: a, node-restriction.kubernetes.io/x: a, eks.amazonaws.com/compute-type: a, x.k8s.io/y: b, node.kubernetes.io/z: ok, topology.kubernetes.io/region: ok}
                taints: [{key: a, effect: NoSchedule}, {key: a, value: b, effect: NoSchedule}, {key: a, effect: NoExecute}]
                kubeletFlags: [--v=4, --v=5]
            """);

        Assert.Equal(
        [
            "spec.node.labels[eks.amazonaws.com/compute-type]", "spec.node.labels[kubernetes.io/role]", "spec.node.labels[node-restriction.kubernetes.io/x]", "spec.node.labels[x.k8s.io/y]",
            "spec.node.taints[1]", "spec.node.kubeletFlags[1]",
        ], read.Mistakes.Select(m => m.Path));
    }

    [Fact]
    public void Kubelet_configurations_that_say_the_same_are_the_same()
    {
        Assert.Equal("""{"a":{"x":true,"y":["1",2,0.5]},"b":"10%"}""", Config("{b: 10%, a: {y: [\"1\", 2, 0.50], x: true}}"));
        Assert.Equal(Config("{a: {x: true, y: ['1', 2, 0.5]}, b: '10%'}"), Config("{b: 10%, a: {y: [\"1\", 2, 0.50], x: true}}"));
        Assert.Equal("""{"a":1}""", Config("{a: 1.0}"));
    }

    [Fact]
    public void What_is_written_is_read_back() => ResourceGen.Node.Sample(node =>
    {
        var profile = JoinSite.Profile with { Spec = JoinSite.Profile.Spec with { Node = node } };
        var yaml = ResourceWriter.ToYaml(profile);

        var read = ResourceReader.Read(yaml);

        Assert.Empty(read.Mistakes);
        Assert.Equal(RecordJson.Write(profile), RecordJson.Write((Profile)read.Documents[0].Resource));
        Assert.Equal(RecordJson.Write(profile), RecordJson.Write(RecordJson.Read<Profile>(RecordJson.Write(profile))));
    });

    [Theory]
    [InlineData("Row 4, rack 12", "Row-4-rack-12")]
    [InlineData("Köln", "K-ln")]
    [InlineData("-._", null)]
    [InlineData("漢字", null)]
    [InlineData("r12", "r12")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890 123456789", "0123456789012345678901234567890123456789012345678901234567890-1")]
    public void Words_become_a_label_value(string words, string? value) => Assert.Equal(value, NodeLabels.ValueOf(words));

    [Fact]
    public void Any_words_become_a_label_value_that_Kubernetes_takes() => Gen.String.Sample(words =>
    {
        if (NodeLabels.ValueOf(words) is { } value)
            Assert.True(value.Length > 0 && Texts.LabelValue(value) is null, value);
    });

    [Fact]
    public void A_host_outside_its_clusters_networks_is_refused_when_it_is_registered()
    {
        var snapshot = JoinSite.Snapshot();
        var host = JoinSite.Host with { Spec = JoinSite.Host.Spec with { Address = Protocols.Ipv4Address.Parse("10.99.0.1") } };

        var mistake = Assert.Single(new References(snapshot, [new ResourceDocument(host, 1)]).Check());

        Assert.Equal("spec.address", mistake.Path);
        Assert.Contains("remoteNodeNetworks of Cluster prod", mistake.Message, StringComparison.Ordinal);
        Assert.Equal("an address in 10.77.0.0/24 or 10.78.0.0/16", mistake.Expected);
        Assert.Empty(new References(snapshot, [new ResourceDocument(JoinSite.Host, 1)]).Check());
    }

    private static string? Config(string yaml)
    {
        var read = ResourceReader.Read($$"""
            apiVersion: provisioner/v1
            kind: Profile
            metadata: {name: worker}
            spec:
              image: rhel-9
              cluster: prod
              install: {}
              node: {kubeletConfig: {{yaml}}}
            """);
        Assert.Empty(read.Mistakes);
        return ((Profile)read.Documents[0].Resource).Spec.Node!.KubeletConfig;
    }
}
