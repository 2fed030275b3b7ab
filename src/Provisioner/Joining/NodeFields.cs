using Provisioner.Clusters;
using Provisioner.Resources;

namespace Provisioner.Joining;

/// <summary>The keys of <c>node</c> in a Profile.</summary>
internal static class NodeFields
{
    public static readonly Shape<NodeOptions> Options = Declare();

    private static Shape<NodeOptions> Declare()
    {
        var shape = new Shape<NodeOptions>("node", () => new NodeOptions());
        shape.Optional("credentialProvider", ClusterFields.Provider, n => n.CredentialProvider, (n, v) => n with { CredentialProvider = v }, "How they prove to AWS who they are; the cluster's way when not given.");
        shape.Optional("labels", new LabelsKind(), n => n.Labels.IsEmpty ? null : n.Labels, (n, v) => n with { Labels = v }, "Labels of the nodes.");
        shape.Optional("taints", new ListKind<Taint>(Taint(), maximum: 32), n => n.Taints, (n, v) => n with { Taints = v }, "Taints of the nodes from their first moment.");
        return shape;
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
