using System.Collections.Immutable;
using Provisioner.Clusters;
using Provisioner.Installing;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Storage;

namespace Provisioner.Joining;

/// <summary>Whether a host can join now.</summary>
internal enum JoinReadiness
{
    Ready,

    /// <summary>Something is missing that somebody is about to give: it asks again.</summary>
    Wait,

    /// <summary>As things are, never.</summary>
    Refused,
}

/// <summary>This host has no NodeConfig now; the message says why and what to do.</summary>
internal sealed class JoinRefusedException(JoinReadiness readiness, string message) : Exception(message)
{
    public JoinReadiness Readiness => readiness;
}

/// <summary>Host, profile and cluster put together: what joining takes. Pure: the same snapshot and address give the same plan.</summary>
internal sealed record JoinPlan
{
    public required Host Host { get; init; }

    /// <summary>Null for a host whose profile names no cluster, or is gone.</summary>
    public Profile? Profile { get; init; }

    public Cluster? Cluster { get; init; }

    /// <summary>The node's address, as far as it is known.</summary>
    public Ipv4Address? NodeIp { get; init; }

    public JoinReadiness Readiness { get; init; }

    /// <summary>Why it is not ready.</summary>
    public string? Reason { get; init; }

    public NodeOptions Node => Profile?.Spec.Node ?? new NodeOptions();

    public CredentialProvider Provider => Node.CredentialProvider ?? Cluster?.Spec.CredentialProvider ?? CredentialProvider.IamRolesAnywhere;

    /// <param name="from">Where the host's request came from; null in a preview.</param>
    public static JoinPlan Of(Host host, Snapshot snapshot, Ipv4Address? from)
    {
        // The profile it was built by: changing the host's profile does not change what it is.
        var built = snapshot.Installations.GetValueOrDefault(host.Name) is { EnrolOnly: false } installation ? installation.Profile : null;
        var plan = new JoinPlan { Host = host };
        if ((built ?? host.Spec.Profile) is not { } name)
            return plan.Refuse($"Host {host.Name} has no profile, so it joins no cluster");
        if (snapshot.Profiles.GetValueOrDefault(name) is not { } profile)
            return plan.Refuse($"Profile {name}, by which {host.Name} was built, does not exist any more");
        plan = plan with { Profile = profile, NodeIp = ConfiguredAddress(host, profile) ?? from };
        if (profile.Spec.Cluster is not { } clusterName)
            return plan.Refuse($"Profile {name} names no cluster: give its spec.cluster");
        if (snapshot.Clusters.GetValueOrDefault(clusterName) is not { } cluster)
            return plan.Refuse($"Cluster {clusterName} of Profile {name} does not exist");
        plan = plan with { Cluster = cluster };
        if (plan.NodeIp is { } address && WhyNotNode(address, cluster) is { } outside)
            return plan.Refuse(outside);
        return plan.MissingKeys() is { Count: > 0 } missing
            ? plan with
            {
                Readiness = JoinReadiness.Wait,
                Reason = $"Cluster {cluster.Name} has no {string.Join(", ", missing)}: run 'provisioner aws apply', or give {(missing.Count == 1 ? "it" : "them")} in its spec",
            }
            : plan;
    }

    /// <summary>The address the host has by its documents; null when that is left to DHCP.</summary>
    public static Ipv4Address? ConfiguredAddress(Host host, Profile profile) =>
        (profile.Spec.Install?.Network?.Mode == AddressMode.Static ? host.Spec.Install?.Network?.Address : null) ?? host.Spec.Address;

    /// <summary>Why a node of that cluster cannot have that address; null when it can, or when nobody said which networks there are.</summary>
    public static string? WhyNotNode(Ipv4Address address, Cluster cluster) =>
        cluster.Spec.RemoteNodeNetworks.IsDefaultOrEmpty || cluster.Spec.RemoteNodeNetworks.Any(network => network.Contains(address)) ? null
            : $"its address {address} is in none of the remoteNodeNetworks of Cluster {cluster.Name} ({string.Join(", ", cluster.Spec.RemoteNodeNetworks)}): EKS would neither reach the node nor sign its certificate";

    /// <summary>What it will be told.</summary>
    /// <param name="activation">For <c>ssm</c>.</param>
    /// <exception cref="JoinRefusedException">It is not ready, or its NodeConfig would not be taken by nodeadm.</exception>
    public NodeConfig ToNodeConfig(Activation? activation)
    {
        if (Readiness != JoinReadiness.Ready)
            throw new JoinRefusedException(Readiness, Reason!);
        if (NodeIp is not { } address)
            throw new JoinRefusedException(JoinReadiness.Refused, $"the node's address is not known: give Host {Host.Name} a spec.address");
        return Make(activation, address.ToString());
    }

    /// <summary>The same for people: no secret, and words in place of an address that only the host's request will tell.</summary>
    /// <exception cref="JoinRefusedException">It is not ready.</exception>
    public NodeConfig ToPreview() => Readiness != JoinReadiness.Ready
        ? throw new JoinRefusedException(Readiness, Reason!)
        : Make(new Activation("00000000-0000-0000-0000-000000000000", "REDACTED-made-when-the-host-asks", default), NodeIp?.ToString() ?? "THE-ADDRESS-IT-ASKS-FROM");

    private NodeConfig Make(Activation? activation, string address)
    {
        var (cluster, node) = (Cluster!.Spec, Node);
        // All three or none: with fewer, nodeadm asks EKS for all of them.
        var known = cluster is { Endpoint: not null, CertificateAuthority: not null, ServiceCidr: not null };
        var flags = ImmutableArray.CreateBuilder<string>();
        flags.Add($"--node-ip={address}");
        if (NodeLabels.Of(Host, node) is { IsEmpty: false } labels)
            flags.Add($"--node-labels={string.Join(',', labels.Select(label => $"{label.Key}={label.Value}"))}");
        if (NodeLabels.TaintsOf(Host, node) is { IsEmpty: false } taints)
            flags.Add($"--register-with-taints={string.Join(',', taints)}");
        flags.AddRange(node.KubeletFlags);
        var config = new NodeConfig
        {
            Cluster = new(Cluster.EksName, cluster.Region, known ? cluster.Endpoint : null, known ? cluster.CertificateAuthority : null, known ? cluster.ServiceCidr : null),
            Hybrid = Provider == CredentialProvider.Ssm
                ? new(node.CredentialsFile, Ssm: new(activation!.Code, activation.Id))
                : new(node.CredentialsFile, new(Host.Name, cluster.TrustAnchorArn!, cluster.ProfileArn!, cluster.RoleArn!)),
            Kubelet = new(node.KubeletConfig, flags.ToImmutable()),
            Containerd = node.ContainerdConfig is { } toml ? new(toml) : null,
        };
        // As nodeadm will: what does not read back as what was meant is not served.
        var text = config.ToYaml();
        if (NodeConfig.Read(text, out var mistakes) is not { } read)
            throw new JoinRefusedException(JoinReadiness.Refused, $"the NodeConfig would not be taken by nodeadm: {mistakes[0].Path}: {Safe(mistakes[0])}");
        if (read.ToYaml() != text)
            throw new JoinRefusedException(JoinReadiness.Refused, "the NodeConfig reads back as something else than was meant");
        return config;
    }

    // A mistake quotes the value, which may be a secret.
    private static string Safe(Resources.Mistake mistake) => mistake.Path?.Contains("activationCode", StringComparison.Ordinal) == true ? "is not right" : mistake.Message;

    private List<string> MissingKeys()
    {
        var spec = Cluster!.Spec;
        (string Key, string? Value)[] needed = Provider == CredentialProvider.Ssm ? [("roleArn", spec.RoleArn)]
            : [("trustAnchorArn", spec.TrustAnchorArn), ("profileArn", spec.ProfileArn), ("roleArn", spec.RoleArn)];
        return [.. needed.Where(n => n.Value is null).Select(n => n.Key)];
    }

    private JoinPlan Refuse(string reason) => this with { Readiness = JoinReadiness.Refused, Reason = reason };
}
