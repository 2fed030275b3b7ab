using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Provisioner.Clusters;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Joining;

/// <summary>
/// What <c>nodeadm init</c> is told: <c>node.eks.aws/v1alpha1</c>, <c>NodeConfig</c>, as far as hybrid nodes have it. nodeadm decodes it strictly, and so
/// does <see cref="Read"/>: a key that is not there is a mistake.
/// </summary>
internal sealed record NodeConfig
{
    public const string ApiVersion = "node.eks.aws/v1alpha1";

    public const string Kind = "NodeConfig";

    public required ClusterPart Cluster { get; init; }

    public required HybridPart Hybrid { get; init; }

    public KubeletPart? Kubelet { get; init; }

    public ContainerdPart? Containerd { get; init; }

    /// <param name="ApiServerEndpoint">With the next two, nodeadm asks EKS for nothing.</param>
    public sealed record ClusterPart(string Name, string Region, string? ApiServerEndpoint = null, string? CertificateAuthority = null, Ipv4Cidr? Cidr = null);

    /// <summary>One of the two ways, never both.</summary>
    public sealed record HybridPart(bool EnableCredentialsFile = false, RolesAnywherePart? IamRolesAnywhere = null, SsmPart? Ssm = null);

    public sealed record RolesAnywherePart(string NodeName, string TrustAnchorArn, string ProfileArn, string RoleArn);

    /// <param name="ActivationCode">A secret.</param>
    public sealed record SsmPart(string ActivationCode, string ActivationId)
    {
        /// <summary>Never in a log or a debugger's window by accident.</summary>
        public override string ToString() => $"SsmPart {ActivationId} (code redacted)";
    }

    /// <param name="Config">JSON with its keys in order, as in <see cref="NodeOptions.KubeletConfig"/>.</param>
    public sealed record KubeletPart(string? Config, ImmutableArray<string> Flags);

    /// <param name="Config">TOML.</param>
    public sealed record ContainerdPart(string Config);

    /// <summary>As YAML.</summary>
    public string ToYaml() => YamlWriter.Write(NodeConfigFields.Document.Write(this));

    /// <summary>Reads one, by the rules nodeadm has.</summary>
    /// <returns>Null when there are mistakes.</returns>
    public static NodeConfig? Read(string yaml, out IReadOnlyList<Mistake> mistakes)
    {
        var reading = new Reading();
        NodeConfig? read = null;
        var documents = 0;
        YamlText.Read(yaml, reading, node =>
        {
            documents++;
            if (NodeConfigFields.Document.TryRead(node, "", reading, out var config))
                read = config;
        });
        if (documents != 1 && reading.MistakesSoFar == 0)
            reading.Add(new TextPosition(1, 1), "", $"holds {documents} documents", null, "one NodeConfig");
        mistakes = reading.Mistakes;
        return mistakes.Count == 0 ? read : null;
    }
}

/// <summary>The keys of a NodeConfig. https://github.com/aws/eks-hybrid api/v1alpha1/nodeconfig_types.go, internal/node/hybrid/validator.go</summary>
internal static partial class NodeConfigFields
{
    public static readonly Shape<NodeConfig> Document = Declare();

    private sealed record Spec
    {
        public NodeConfig.ClusterPart Cluster { get; init; } = new("", "");

        public NodeConfig.HybridPart Hybrid { get; init; } = new();

        public NodeConfig.KubeletPart? Kubelet { get; init; }

        public NodeConfig.ContainerdPart? Containerd { get; init; }
    }

    private static Shape<NodeConfig> Declare()
    {
        var spec = new Shape<Spec>("a NodeConfig's spec", () => new Spec());
        spec.Required("cluster", Cluster(), s => s.Cluster, (s, v) => s with { Cluster = v }, "The cluster.");
        spec.Required("hybrid", Hybrid(), s => s.Hybrid, (s, v) => s with { Hybrid = v }, "How the node proves to AWS who it is.");
        spec.Optional("kubelet", Kubelet(), s => s.Kubelet, (s, v) => s with { Kubelet = v }, "kubelet.");
        spec.Optional("containerd", Containerd(), s => s.Containerd, (s, v) => s with { Containerd = v }, "containerd.");

        var shape = new Shape<NodeConfig>("a NodeConfig", () => new NodeConfig { Cluster = new("", ""), Hybrid = new() });
        shape.Required("apiVersion", Values.OneOf("an apiVersion", (NodeConfig.ApiVersion, NodeConfig.ApiVersion)), _ => NodeConfig.ApiVersion, (c, _) => c, "The version of these keys.");
        shape.Required("kind", Values.OneOf("a kind", (NodeConfig.Kind, NodeConfig.Kind)), _ => NodeConfig.Kind, (c, _) => c, "What it is.");
        shape.Required("spec", spec, c => new Spec { Cluster = c.Cluster, Hybrid = c.Hybrid, Kubelet = c.Kubelet, Containerd = c.Containerd },
            (c, s) => new NodeConfig { Cluster = s.Cluster, Hybrid = s.Hybrid, Kubelet = s.Kubelet, Containerd = s.Containerd }, "What is wanted.");
        return shape;
    }

    private static Shape<NodeConfig.ClusterPart> Cluster()
    {
        var shape = new Shape<NodeConfig.ClusterPart>("cluster", () => new("", ""));
        shape.Required("name", Values.OfText("a cluster's name", "its name in EKS", ClusterTexts.EksName), c => c.Name, (c, v) => c with { Name = v }, "Its name.");
        shape.Required("region", Values.OfText("a region", "a region such as eu-west-1", ClusterTexts.Region), c => c.Region, (c, v) => c with { Region = v }, "Its region.");
        shape.Optional("apiServerEndpoint", Values.OfText("an endpoint", "an https URL", Texts.WebAddress), c => c.ApiServerEndpoint, (c, v) => c with { ApiServerEndpoint = v }, "The API server.");
        shape.Optional("certificateAuthority", Values.OfText("a certificate authority", "PEM in base64", ClusterTexts.CertificateAuthority),
            c => c.CertificateAuthority, (c, v) => c with { CertificateAuthority = v }, "What its certificate is checked with.");
        shape.Optional("cidr", Values.Subnet, c => c.Cidr, (c, v) => c with { Cidr = v }, "The addresses of Services.");
        return shape;
    }

    private static Shape<NodeConfig.HybridPart> Hybrid()
    {
        var text = Values.OfText("a node's name", "at most 64 lower-case letters, digits, '-' and '.'", t => Texts.Name(t, 64));
        var anywhere = new Shape<NodeConfig.RolesAnywherePart>("iamRolesAnywhere", () => new("", "", "", ""));
        anywhere.Required("nodeName", text, r => r.NodeName, (r, v) => r with { NodeName = v }, "The node's name, and its certificate's.");
        anywhere.Required("trustAnchorArn", Arn("rolesanywhere", "trust-anchor"), r => r.TrustAnchorArn, (r, v) => r with { TrustAnchorArn = v }, "The trust anchor.");
        anywhere.Required("profileArn", Arn("rolesanywhere", "profile"), r => r.ProfileArn, (r, v) => r with { ProfileArn = v }, "The profile.");
        anywhere.Required("roleArn", Arn("iam", "role"), r => r.RoleArn, (r, v) => r with { RoleArn = v }, "The role.");

        var ssm = new Shape<NodeConfig.SsmPart>("ssm", () => new("", ""));
        ssm.Required("activationCode", Values.OfText("an activation code", "20 to 250 characters", t => t.Length is >= 20 and <= 250 ? null : "is not an activation code"),
            s => s.ActivationCode, (s, v) => s with { ActivationCode = v }, "The code.");
        ssm.Required("activationId", Values.OfText("an activation's id", "a UUID in lower case", t => Uuid().IsMatch(t) ? null : "is not an activation's id"),
            s => s.ActivationId, (s, v) => s with { ActivationId = v }, "The id.");

        var shape = new Shape<NodeConfig.HybridPart>("hybrid", () => new());
        shape.Optional("enableCredentialsFile", Values.Boolean, h => h.EnableCredentialsFile ? true : null, (h, v) => h with { EnableCredentialsFile = v }, "Keep credentials in a file.");
        shape.Optional("iamRolesAnywhere", anywhere, h => h.IamRolesAnywhere, (h, v) => h with { IamRolesAnywhere = v }, "By IAM Roles Anywhere.");
        shape.Optional("ssm", ssm, h => h.Ssm, (h, v) => h with { Ssm = v }, "By a hybrid activation.");
        shape.Check((hybrid, report) =>
        {
            if (hybrid.IamRolesAnywhere is null == hybrid.Ssm is null)
                report("ssm", hybrid.Ssm is null ? "there is neither iamRolesAnywhere nor ssm" : "there are both iamRolesAnywhere and ssm", null, "one of the two");
        });
        return shape;
    }

    private static Shape<NodeConfig.KubeletPart> Kubelet()
    {
        // What the appliance sets itself is among them here.
        var flag = Values.OfText("a flag of kubelet", "one flag an item", t => t.StartsWith("--hostname-override", StringComparison.Ordinal) ? KubeletTexts.Flag(t)
            : !t.StartsWith("--", StringComparison.Ordinal) ? "does not begin with --" : t.Any(c => c is <= ' ' or > '~' or '"' or '\'' or '\\' or '$' or '`') ? "holds a character that nodeadm's file of flags cannot carry" : null);
        var shape = new Shape<NodeConfig.KubeletPart>("kubelet", () => new(null, []));
        shape.Optional("config", new KubeletConfigKind(owned: true), k => k.Config, (k, v) => k with { Config = v }, "Its configuration.");
        shape.Optional("flags", new ListKind<string>(flag, maximum: 64), k => k.Flags, (k, v) => k with { Flags = v }, "Its flags.");
        return shape;
    }

    private static Shape<NodeConfig.ContainerdPart> Containerd()
    {
        var shape = new Shape<NodeConfig.ContainerdPart>("containerd", () => new(""));
        shape.Optional("config", NodeFields.Toml, c => c.Config, (c, v) => c with { Config = v }, "Its configuration.");
        return shape;
    }

    private static ScalarKind<string> Arn(string service, string resource) => Values.OfText($"the ARN of a {resource}", $"an ARN of a {resource}", text => ClusterTexts.Arn(text, service, resource));

    [GeneratedRegex(@"\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\z", RegexOptions.NonBacktracking)]
    private static partial Regex Uuid();
}
