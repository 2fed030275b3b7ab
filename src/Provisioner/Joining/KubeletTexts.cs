using System.Text.RegularExpressions;

namespace Provisioner.Joining;

/// <summary>What of kubelet's settings is a profile's to say. Each rule says what is wrong, or null.</summary>
internal static partial class KubeletTexts
{
    // https://github.com/aws/eks-hybrid internal/node/hybrid/validator.go, internal/kubelet: what nodeadm refuses, and what it sets itself.
    private static readonly (string Flag, string Instead)[] Flags =
    [
        ("--hostname-override", "is refused by nodeadm: a node's name is its host's name"),
        ("--node-labels", "is made from labels: give labels"),
        ("--register-with-taints", "is made from taints: give taints"),
        ("--node-ip", "is the host's own: give the Host's spec.address"),
        ("--cloud-provider", "is set by nodeadm"),
        ("--config", "is set by nodeadm: give kubeletConfig"),
        ("--config-dir", "is set by nodeadm: give kubeletConfig"),
        ("--kubeconfig", "is set by nodeadm"),
        ("--bootstrap-kubeconfig", "is not for hybrid nodes: they have credentials of AWS"),
        ("--container-runtime-endpoint", "is set by nodeadm"),
        ("--image-credential-provider-config", "is set by nodeadm"),
        ("--image-credential-provider-bin-dir", "is set by nodeadm"),
    ];

    private static readonly (string Key, string Why)[] Keys =
    [
        ("providerID", "is set by nodeadm for each node: it is what EKS knows it by"),
        ("authentication", "is set by nodeadm: the API server has to be known to kubelet"),
        ("authorization", "is set by nodeadm: it asks the API server"),
        ("address", "is set by nodeadm: the API server comes from the VPC"),
        ("port", "is 10250: EKS and the firewall know no other"),
        ("enableServer", "cannot be chosen: logs and exec need it"),
        ("containerRuntimeEndpoint", "is set by nodeadm"),
        ("cgroupDriver", "is set by nodeadm, the same for kubelet and containerd"),
        ("serverTLSBootstrap", "is set by nodeadm: EKS signs kubelet's certificate"),
        ("tlsCertFile", "cannot be chosen: EKS signs kubelet's certificate"),
        ("tlsPrivateKeyFile", "cannot be chosen: EKS signs kubelet's certificate"),
        ("registerNode", "cannot be chosen: without it no node appears"),
        ("registerWithTaints", "is made from taints: give taints"),
    ];

    /// <summary>A flag. nodeadm writes them into a file of words, so a blank or a quote cannot be in one.</summary>
    public static string? Flag(string text)
    {
        if (!FlagText().IsMatch(text))
            return !text.StartsWith("--", StringComparison.Ordinal) ? "does not begin with --" : "is not a flag of kubelet";
        return Array.Find(Flags, f => f.Flag == NameOf(text)).Instead;
    }

    /// <summary><c>--v</c> of <c>--v=4</c>.</summary>
    public static string NameOf(string flag) => flag.Split('=')[0];

    /// <summary>A key at the top of kubelet's configuration.</summary>
    public static string? Key(string key) => Array.Find(Keys, k => k.Key == key).Why;

    [GeneratedRegex(@"\A--[a-z][a-z0-9-]{0,63}(=[A-Za-z0-9_.,:;/@+%=<>~!\[\]{}*?^|-]{0,400})?\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex FlagText();
}
