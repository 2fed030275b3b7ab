using System.Collections.Immutable;
using System.Text;

namespace Provisioner.Joining;

/// <summary>The labels a node has from its first moment: what is known of its host, its profile's and its own.</summary>
internal static class NodeLabels
{
    public const string Zone = "topology.kubernetes.io/zone";

    public const string Lane = "provisioner/lane";

    public const string Site = "provisioner/site";

    public const string Rack = "provisioner/rack";

    public const string Expected = "a prefix of your own such as example.com/, no prefix, or one of those that kubelet may set";

    private const int LongestValue = 63;

    /// <summary>
    /// What kubelet may set on its own node below kubernetes.io and k8s.io, besides the prefixes: with another one it does not start, and the
    /// admission plugin NodeRestriction would refuse its node.
    /// https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction
    /// </summary>
    private static readonly ImmutableHashSet<string> OfKubelet =
    [
        "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
        "topology.kubernetes.io/region", Zone, "failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
        "node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type",
    ];

    /// <summary>Why a node cannot have that label from kubelet, as the rest of a sentence; null when it can.</summary>
    public static string? WhyNot(string key)
    {
        var slash = key.IndexOf('/', StringComparison.Ordinal);
        var prefix = slash < 0 ? "" : key[..slash];
        if (Below(prefix, "node-restriction.kubernetes.io"))
            return "is kept from nodes on purpose (NodeRestriction): set it with kubectl";
        if (prefix == "eks.amazonaws.com")
            return "is of EKS, and set by nodeadm";
        if (!Below(prefix, "kubernetes.io") && !Below(prefix, "k8s.io"))
            return null;
        return OfKubelet.Contains(key) || Below(prefix, "kubelet.kubernetes.io") || Below(prefix, "node.kubernetes.io")
            ? null : "is one that kubelet may not set on its own node (NodeRestriction)";
    }

    /// <summary>All labels of the host's node. What is of the host goes before what is of its profile.</summary>
    public static ImmutableSortedDictionary<string, string> Of(Host host, NodeOptions options)
    {
        var labels = options.Labels.ToBuilder();
        void Put(string key, string? value)
        {
            if (!string.IsNullOrEmpty(value))
                labels[key] = value;
        }

        Put(Zone, host.Spec.Zone);
        Put(Lane, host.Spec.Lane);
        Put(Site, ValueOf(host.Spec.Location?.Site));
        Put(Rack, ValueOf(host.Spec.Location?.Rack));
        foreach (var (key, value) in host.Spec.Node?.Labels ?? ImmutableSortedDictionary<string, string>.Empty)
            labels[key] = value;
        return labels.ToImmutable();
    }

    /// <summary>The profile's taints and the host's, which go before those of the same key and effect.</summary>
    public static ImmutableArray<Taint> TaintsOf(Host host, NodeOptions options)
    {
        var own = host.Spec.Node?.Taints ?? [];
        return [.. options.Taints.Where(t => !own.Any(o => o.Key == t.Key && o.Effect == t.Effect)), .. own];
    }

    /// <summary>
    /// Words for people as a label's value: each run of characters that a value cannot have becomes one <c>-</c>, and it begins and ends with a
    /// letter or a digit. <c>Row 4, rack 12</c> is <c>Row-4-rack-12</c>. Null when nothing is left.
    /// </summary>
    public static string? ValueOf(string? words)
    {
        if (words is null)
            return null;
        var value = new StringBuilder();
        foreach (var c in words)
        {
            if (char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-')
                value.Append(c);
            else if (value.Length > 0 && value[^1] != '-')
                value.Append('-');
        }
        var text = value.ToString().Trim('-', '_', '.');
        text = text.Length > LongestValue ? text[..LongestValue].TrimEnd('-', '_', '.') : text;
        return text.Length == 0 ? null : text;
    }

    private static bool Below(string prefix, string domain) => prefix == domain || prefix.EndsWith("." + domain, StringComparison.Ordinal);
}
