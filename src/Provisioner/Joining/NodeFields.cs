using System.Collections.Immutable;
using Provisioner.Clusters;
using Provisioner.Resources;

namespace Provisioner.Joining;

/// <summary>The keys of <c>node</c> in a Profile and in a Host.</summary>
internal static class NodeFields
{
    private static readonly ListKind<Taint> Taints = new(Taint(), maximum: 32);

    public static readonly ScalarKind<string> KubeletFlag = Values.OfText("a flag of kubelet", "one flag an item, such as --v=4, without blanks and quotes", KubeletTexts.Flag);

    public static readonly TomlKind Toml = new();

    public static readonly Shape<NodeOptions> Options = Declare();

    public static readonly Shape<HostNodeOptions> Host = DeclareHost();

    private static Shape<NodeOptions> Declare()
    {
        var shape = new Shape<NodeOptions>("node", () => new NodeOptions());
        shape.Optional("credentialProvider", ClusterFields.Provider, n => n.CredentialProvider, (n, v) => n with { CredentialProvider = v }, "How they prove to AWS who they are; the cluster's way when not given.");
        shape.Optional("labels", new LabelsKind(), n => n.Labels.IsEmpty ? null : n.Labels, (n, v) => n with { Labels = v }, "Labels of the nodes, from their first moment.");
        shape.Optional("taints", Taints, n => n.Taints, (n, v) => n with { Taints = v }, "Taints of the nodes from their first moment.");
        shape.Optional("kubeletConfig", new KubeletConfigKind(), n => n.KubeletConfig, (n, v) => n with { KubeletConfig = v }, "Over what nodeadm writes into kubelet's configuration (kubelet.config.k8s.io/v1beta1).");
        shape.Optional("kubeletFlags", new ListKind<string>(KubeletFlag, maximum: 32), n => n.KubeletFlags, (n, v) => n with { KubeletFlags = v }, "More of kubelet's flags, where its configuration has no key.");
        shape.Optional("containerdConfig", Toml, n => n.ContainerdConfig, (n, v) => n with { ContainerdConfig = v }, "Over what nodeadm writes into containerd's configuration.");
        shape.Default("credentialsFile", Values.Boolean, n => n.CredentialsFile, (n, v) => n with { CredentialsFile = v }, "Keep the node's AWS credentials in /eks-hybrid/.aws/credentials, for pods that need them.");
        shape.Check((node, report) =>
        {
            CheckLabels(node.Labels, (key, message, value, expected) => report(key, message, value, expected));
            CheckTaints(node.Taints, (key, message, value, expected) => report(key, message, value, expected));
            for (var i = 0; i < node.KubeletFlags.Length; i++)
            {
                var name = KubeletTexts.NameOf(node.KubeletFlags[i]);
                if (node.KubeletFlags.Take(i).Any(flag => KubeletTexts.NameOf(flag) == name))
                    report($"kubeletFlags[{i}]", $"{name} is there twice", node.KubeletFlags[i], "each flag once");
            }
        });
        return shape;
    }

    private static Shape<HostNodeOptions> DeclareHost()
    {
        var shape = new Shape<HostNodeOptions>("node", () => new HostNodeOptions());
        shape.Optional("labels", new LabelsKind(), n => n.Labels.IsEmpty ? null : n.Labels, (n, v) => n with { Labels = v }, "Labels of its node, besides its profile's and before them.");
        shape.Optional("taints", Taints, n => n.Taints, (n, v) => n with { Taints = v }, "Taints of its node from its first moment, besides its profile's and before them.");
        shape.Check((node, report) =>
        {
            CheckLabels(node.Labels, (key, message, value, expected) => report(key, message, value, expected));
            CheckTaints(node.Taints, (key, message, value, expected) => report(key, message, value, expected));
        });
        return shape;
    }

    private static void CheckLabels(ImmutableSortedDictionary<string, string> labels, Action<string, string, string?, string?> report)
    {
        foreach (var key in labels.Keys)
        {
            if (NodeLabels.WhyNot(key) is { } wrong)
                report($"labels[{key}]", $"'{key}' {wrong}", key, NodeLabels.Expected);
        }
    }

    private static void CheckTaints(ImmutableArray<Taint> taints, Action<string, string, string?, string?> report)
    {
        for (var i = 0; i < taints.Length; i++)
        {
            var taint = taints[i];
            if (taints.Take(i).Any(other => other.Key == taint.Key && other.Effect == taint.Effect))
                report($"taints[{i}]", $"{taint.Key} is there twice with the effect {taint.Effect}", taint.ToString(), "each key once with an effect, as Kubernetes has them");
        }
    }

    private static Shape<Taint> Taint()
    {
        var effect = Values.OneOf("an effect", ("NoSchedule", TaintEffect.NoSchedule), ("PreferNoSchedule", TaintEffect.PreferNoSchedule), ("NoExecute", TaintEffect.NoExecute));
        var shape = new Shape<Taint>("a taint", () => new Taint { Key = "", Effect = default });
        shape.Required("key", Values.OfText("a taint's key", "at most 63 letters, digits, '-', '_' and '.', after an optional prefix such as example.com/", Texts.LabelKey), t => t.Key, (t, v) => t with { Key = v }, "Its key.");
        shape.Optional("value", Values.LabelValue, t => t.Value, (t, v) => t with { Value = v }, "Its value.");
        shape.Required("effect", effect, t => t.Effect, (t, v) => t with { Effect = v }, "What it does.");
        return shape;
    }
}
