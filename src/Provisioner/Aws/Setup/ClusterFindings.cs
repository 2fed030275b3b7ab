using Provisioner.Aws.Clients;
using Provisioner.Certificates;
using Provisioner.Clusters;
using Provisioner.Protocols;
using Provisioner.Storage;
using static Provisioner.Aws.Setup.ClusterReader;

namespace Provisioner.Aws.Setup;

/// <summary>One thing wrong in AWS.</summary>
/// <param name="Code">Stays the same for programs, such as <c>profile-session-name</c>.</param>
/// <param name="Wrong">What is wrong.</param>
/// <param name="Breaks">What it breaks.</param>
/// <param name="Remedy">What to do.</param>
internal sealed record Finding(string Code, string Wrong, string Breaks, string Remedy)
{
    /// <summary>It works today, and will not for ever, or not for all.</summary>
    public bool IsWarning { get; init; }
}

/// <summary>What the appliance itself knows and AWS is compared with.</summary>
internal sealed record ClusterFacts(AwsPlan Plan, Snapshot Snapshot, IReadOnlyList<ServedRevocationList> Lists, DateTimeOffset Now)
{
    /// <summary>The appliance's role; null when it uses other credentials.</summary>
    public string? OwnRole { get; init; }
}

/// <summary>Finds the traps: each is one that stops hybrid nodes from joining, or from being kept out. Pure.</summary>
internal static class ClusterFindings
{
    private static readonly TimeSpan AnchorEndsSoon = TimeSpan.FromDays(180);

    public static IReadOnlyList<Finding> Of(ClusterReading reading, ClusterFacts facts) =>
        [.. InCluster(reading, facts), .. InNetworks(reading, facts), .. InAccess(reading, facts), .. InRole(reading, facts), .. InAnchor(reading, facts), .. InProfile(reading, facts),
            .. reading.Unread.Select(u => new Finding("not-read", $"The {u.Key} could not be read. {u.Value.Message}", "Nothing can be said of it.", u.Value.Status == 0 ? "Let the appliance reach it (DNS, proxy, firewall), then check again." : $"Give the appliance's role the right to read it (provisioner aws plan {facts.Plan.Cluster.Name} --as policies), or run the check with credentials that may.") { IsWarning = true })];

    private static IEnumerable<Finding> InCluster(ClusterReading reading, ClusterFacts facts)
    {
        var cluster = facts.Plan.Cluster;
        if (!reading.Knows(ClusterPart))
            yield break;
        if (reading.Cluster is not { } eks)
        {
            yield return new("cluster-missing", $"There is no EKS cluster '{cluster.EksName}' in {cluster.Spec.Region}.", "No node can join.", "Make it, or set spec.eksName and spec.region right.");
            yield break;
        }
        if (eks.Status is not ("ACTIVE" or "UPDATING"))
            yield return new("cluster-not-active", $"The cluster is {eks.Status}.", "nodeadm init refuses it.", "Wait, or look in the EKS console.");
        if (eks.AccessConfig?.AuthenticationMode is not ("API" or "API_AND_CONFIG_MAP"))
        {
            yield return new("authentication-mode", $"The authentication mode is {eks.AccessConfig?.AuthenticationMode ?? "CONFIG_MAP"}.", "Access entries do not count, and hybrid nodes are let in by nothing else.",
                $"provisioner aws apply {cluster.Name}, or: aws eks update-cluster-config --name {cluster.EksName} --access-config authenticationMode=API_AND_CONFIG_MAP");
        }
        if (eks.ResourcesVpcConfig is { } vpc)
        {
            if (vpc is { EndpointPublicAccess: true, EndpointPrivateAccess: true })
            {
                yield return new("endpoint-both", "Both the public and the private endpoint are on.", "Outside the VPC the name leads to public addresses: nodes at the site go by the internet, or nowhere.",
                    $"Turn one off: aws eks update-cluster-config --name {cluster.EksName} --resources-vpc-config endpointPublicAccess=false,endpointPrivateAccess=true");
            }
            else if (vpc.EndpointPrivateAccess != (cluster.Spec.EndpointAccess == EndpointAccess.Private))
            {
                yield return new("endpoint-access", $"The endpoint is {(vpc.EndpointPrivateAccess ? "private" : "public")}, the Cluster says {(vpc.EndpointPrivateAccess ? "public" : "private")}.",
                    "The preflight of joining hosts expects the wrong addresses.", $"Set spec.endpointAccess: {(vpc.EndpointPrivateAccess ? "private" : "public")}.");
            }
        }
        if (cluster.Spec.Endpoint is { } endpoint && eks.Endpoint is { } real && endpoint.TrimEnd('/') != real.TrimEnd('/'))
            yield return new("endpoint-other", $"The Cluster names {endpoint}, EKS {real}.", "Nodes are told a server that is not their cluster's.", $"provisioner aws apply {cluster.Name} takes over what EKS says.");
        if (cluster.Spec.CertificateAuthority is { } authority && eks.CertificateAuthority?.Data is { } data && authority != data)
            yield return new("authority-other", "The Cluster names another certificate authority than EKS.", "Nodes and the appliance refuse the API server.", $"provisioner aws apply {cluster.Name} takes over what EKS says.");
        if (eks.KubernetesNetworkConfig?.IpFamily is "ipv6")
            yield return new("ip-family", "The cluster is of IPv6.", "Hybrid nodes are of IPv4 alone.", "Use a cluster of IPv4: it cannot be changed.");
        if (Minor(eks.Version) is { } theirs && Minor(cluster.Spec.KubernetesVersion) is { } ours && (ours > theirs || theirs - ours > 3))
        {
            yield return new("kubernetes-version", $"Nodes are installed with {cluster.Spec.KubernetesVersion}, the cluster is {eks.Version}.", "A kubelet may be the API server's version or up to three minor ones older; nodeadm init refuses others.",
                $"Set spec.kubernetesVersion: \"{eks.Version}\".");
        }
    }

    private static IEnumerable<Finding> InNetworks(ClusterReading reading, ClusterFacts facts)
    {
        var cluster = facts.Plan.Cluster;
        if (reading.Cluster is not { } eks)
            yield break;
        var (nodes, pods) = (RemoteNetworks.Nodes(eks), RemoteNetworks.Pods(eks));
        if (nodes.Count == 0)
        {
            yield return new("remote-network-missing", "The cluster has no remoteNetworkConfig.", "nodeadm init refuses it.", $"Set spec.remoteNodeNetworks, then: provisioner aws apply {cluster.Name}");
            yield break;
        }
        var missing = RemoteNetworks.Missing(cluster.Spec.RemoteNodeNetworks, nodes);
        if (missing.Count > 0)
        {
            yield return new("node-network", $"{string.Join(", ", missing)} of spec.remoteNodeNetworks is not in the cluster's remoteNodeNetworks ({string.Join(", ", nodes)}).",
                "nodeadm init refuses a node with an address there, and its serving certificate is never approved: no logs, no exec.", $"provisioner aws apply {cluster.Name}");
        }
        var outside = facts.Snapshot.Hosts.Values.Where(h => h.RetiredAt is null && h.Spec is { Profile: { } profile, Address: { } address }
            && facts.Snapshot.Profiles.GetValueOrDefault(profile)?.Spec.Cluster == cluster.Name && !nodes.Any(n => n.Contains(address))).Select(h => $"{h.Name} ({h.Spec.Address})").ToList();
        if (outside.Count > 0)
        {
            yield return new("host-address", $"The address of {Resources.ResourceChanges.Enumerate(outside)} is not in the cluster's remoteNodeNetworks ({string.Join(", ", nodes)}).",
                "nodeadm init refuses it.", $"Add its network to spec.remoteNodeNetworks, then: provisioner aws apply {cluster.Name}");
        }
        var missingPods = RemoteNetworks.Missing(cluster.Spec.RemotePodNetworks, pods);
        if (missingPods.Count > 0)
        {
            yield return new("pod-network", $"{string.Join(", ", missingPods)} of spec.remotePodNetworks is not in the cluster's remotePodNetworks ({(pods.Count == 0 ? "none" : string.Join(", ", pods))}).",
                "The control plane does not reach pods there: webhooks fail.", $"provisioner aws apply {cluster.Name}");
        }
        if (!reading.Knows(GroupPart) || reading.SecurityGroups.Length == 0)
            yield break;
        var closed = nodes.Concat(pods).Where(n => !reading.SecurityGroups.Any(g => g.IpPermissions.Any(p => p.Allows(443)
            && p.Ipv4Ranges.Any(r => Ipv4Cidr.TryParse(r, out var allowed) && RemoteNetworks.Inside(n, allowed))))).ToList();
        if (closed.Count > 0)
        {
            var group = reading.SecurityGroups[0].GroupId;
            yield return new("security-group", $"No security group of the cluster lets {string.Join(", ", closed)} in at TCP 443 ({string.Join(", ", reading.SecurityGroups.Select(g => g.GroupId))}).",
                "Nodes and pods there do not reach the API server by its private endpoint.", $"aws ec2 authorize-security-group-ingress --group-id {group} --protocol tcp --port 443 --cidr {closed[0]}");
        }
    }

    private static IEnumerable<Finding> InAccess(ClusterReading reading, ClusterFacts facts)
    {
        var cluster = facts.Plan.Cluster;
        if (facts.OwnRole is { } own && reading.Cluster is not null && reading.Knows(OwnAccessPart) && reading.ApplianceAccess is null)
            yield return new("appliance-access", $"The appliance's role {own} has no access entry in the cluster.", "It sees no node: hosts stay Joining for ever, and retiring one does not remove its Node.", $"provisioner aws apply {cluster.Name}, with credentials that may.");
        if (cluster.Spec.RoleArn is not { } role || reading.Cluster is null || !reading.Knows(AccessPart))
            yield break;
        if (reading.NodeAccess is not { } entry)
            yield return new("access-entry-missing", $"{role} has no access entry in the cluster.", "Nodes are not let in: their kubelets are answered 401.", $"provisioner aws apply {cluster.Name}");
        else if (entry.Type != "HYBRID_LINUX")
        {
            yield return new("access-entry-type", $"The access entry of {role} is of type {entry.Type}.", "Nodes get no name of their own, and may not register.",
                $"aws eks delete-access-entry --cluster-name {cluster.EksName} --principal-arn {role}, then: provisioner aws apply {cluster.Name}");
        }
    }

    private static IEnumerable<Finding> InRole(ClusterReading reading, ClusterFacts facts)
    {
        var plan = facts.Plan;
        var repair = plan.NodeRoleIsForeign ? $"Change the role as 'provisioner aws plan {plan.Cluster.Name} --as policies' shows it." : $"provisioner aws apply {plan.Cluster.Name}";
        if (plan.Cluster.Spec.RoleArn is not { } arn)
        {
            yield return new("role-missing", "The Cluster names no role of its nodes.", "No node can join.", $"provisioner aws apply {plan.Cluster.Name}, or set spec.roleArn.");
            yield break;
        }
        if (!reading.Knows(RolePart))
            yield break;
        if (reading.Role is not { } role)
        {
            yield return new("role-missing", $"There is no role {arn}.", "No node can join.", plan.NodeRoleIsForeign ? "Make it, or take spec.roleArn out of the Cluster." : repair);
            yield break;
        }
        foreach (var action in new[] { "eks:DescribeCluster", "eks:ListAccessEntries" })
        {
            if (!PolicyReading.Allows(reading.RolePolicies, action, plan.ClusterArn))
            {
                yield return new(action == "eks:ListAccessEntries" ? "role-list-access-entries" : "role-describe-cluster", $"The role may not {action} on {plan.ClusterArn}.",
                    action == "eks:ListAccessEntries" ? "nodeadm init (1.0.16 and later) refuses to go on; AWS's own example lacks this right." : "nodeadm init cannot learn its cluster.", repair);
            }
        }
        if (!reading.AttachedPolicies.Any(p => p.Contains("AmazonEC2ContainerRegistry", StringComparison.Ordinal)) && !PolicyReading.Allows(reading.RolePolicies, "ecr:GetAuthorizationToken", "*"))
            yield return new("role-images", "The role may not fetch images (AmazonEC2ContainerRegistryPullOnly is not attached).", "The pause image is not fetched, and nodeadm init fails.", repair);
        if (plan.UsesSsm && !reading.AttachedPolicies.Any(p => p.EndsWith("/AmazonSSMManagedInstanceCore", StringComparison.Ordinal)))
            yield return new("role-ssm", "AmazonSSMManagedInstanceCore is not attached to the role.", "Hosts that join by an activation get no credentials.", repair);
        var statements = PolicyReading.Statements(role.AssumeRolePolicyDocument).ToList();
        if (plan.UsesSsm && !statements.Exists(s => PolicyReading.IsFor(s, AwsPolicies.Ssm) && PolicyReading.Allows(s, "sts:AssumeRole")))
            yield return new("trust-ssm", $"The role's trust policy does not let {AwsPolicies.Ssm} assume it.", "Activations are refused.", repair);
        if (plan.UsesRolesAnywhere)
        {
            foreach (var finding in InTrust(statements.FindAll(s => PolicyReading.IsFor(s, AwsPolicies.RolesAnywhere)), plan, repair))
                yield return finding;
        }
    }

    private static IEnumerable<Finding> InTrust(List<System.Text.Json.Nodes.JsonObject> statements, AwsPlan plan, string repair)
    {
        var absent = AwsPolicies.SessionActions.Where(action => !statements.Exists(s => PolicyReading.Allows(s, action))).ToList();
        if (absent.Count > 0)
            yield return new("trust-actions", $"The role's trust policy does not allow {string.Join(", ", absent)} to {AwsPolicies.RolesAnywhere}.", "CreateSession is refused: no node gets credentials.", repair);
        foreach (var action in AwsPolicies.SessionActions)
        {
            var allowing = statements.FindAll(s => PolicyReading.Allows(s, action));
            if (allowing.Find(s => PolicyReading.Condition(s, "aws:SourceArn").Count == 0) is not null)
            {
                yield return new("trust-source-arn", $"The role's trust policy allows {action} from any trust anchor: there is no aws:SourceArn.",
                    "Whoever may make a trust anchor in this account can make nodes of this cluster. AWS's own example has this mistake.", repair);
                break;
            }
        }
        if (plan.Cluster.Spec.TrustAnchorArn is { } anchor
            && statements.FindAll(s => PolicyReading.Condition(s, "aws:SourceArn") is { Count: > 0 } arns && !arns.Any(a => PolicyReading.Matches(a, anchor))) is { Count: > 0 } others && others.Count == statements.Count)
            yield return new("trust-other-anchor", $"The role's trust policy lets in another trust anchor than {anchor}.", "CreateSession is refused: no node gets credentials.", repair);
        var assuming = statements.FindAll(s => PolicyReading.Allows(s, "sts:AssumeRole"));
        var names = assuming.ConvertAll(s => PolicyReading.Condition(s, "sts:RoleSessionName"));
        if (assuming.Count > 0 && names.Exists(n => n.Count == 0))
        {
            yield return new("trust-session-name", "The role's trust policy does not hold the session's name to the certificate's CN (sts:RoleSessionName).",
                "A host can become a node under any other host's name.", repair);
        }
        else if (names.Exists(n => !n.Contains(AwsPolicies.SameName, StringComparer.Ordinal)))
        {
            yield return new("trust-session-name", $"The role's trust policy wants the session's name to be {string.Join(" or ", names.SelectMany(n => n).Distinct())}, which is not {AwsPolicies.SameName}.",
                "The names of hosts stand as CN in their certificates: CreateSession is refused.", repair);
        }
    }

    private static IEnumerable<Finding> InAnchor(ClusterReading reading, ClusterFacts facts)
    {
        var plan = facts.Plan;
        var name = plan.Cluster.Name;
        if (plan.Cluster.Spec.TrustAnchorArn is not { } arn)
        {
            if (plan.UsesRolesAnywhere)
                yield return new("anchor-missing", "The Cluster names no trust anchor.", "No host gets credentials by its certificate.", $"provisioner aws apply {name}");
            yield break;
        }
        if (!reading.Knows(AnchorPart))
            yield break;
        if (reading.TrustAnchor is not { } anchor)
        {
            yield return new("anchor-missing", $"There is no trust anchor {arn}.", "No host gets credentials by its certificate.", $"Take spec.trustAnchorArn out of the Cluster, then: provisioner aws apply {name}");
            yield break;
        }
        if (!anchor.Enabled)
            yield return new("anchor-disabled", "The trust anchor is disabled.", "CreateSession is refused for every host.", $"provisioner aws apply {name}, if nobody disabled it on purpose.");
        var trusted = RolesAnywhereData.Certificates(anchor);
        foreach (var one in facts.Snapshot.Authorities.Values.Where(a => a.IsLive))
        {
            if (!trusted.Any(t => t.AsSpan().SequenceEqual(one.Der)))
                yield return new("anchor-authority", $"The trust anchor does not have {one.Subject}, which is {Api.Json.Word(one.State)} here.", "CreateSession is refused for the hosts it signed.", $"provisioner aws apply {name}");
            else if (one.NotAfter - facts.Now < AnchorEndsSoon && one.State == AuthorityState.Issuing)
                yield return new("anchor-expiring", $"{one.Subject}, in the trust anchor, ends on {one.NotAfter:u}.", "With it ends every certificate that it signed.", "Begin to change to the next: provisioner ca rotate") { IsWarning = true };
        }
        if (!reading.Knows(CrlPart))
            yield break;
        foreach (var list in facts.Lists)
        {
            var there = reading.Crls.Where(c => c.Name == $"provisioner-{list.Authority}").ToList();
            if (there.Count == 0)
                yield return new("crl-missing", $"The revocation list of authority {list.Authority} is not imported at the trust anchor.", "Revoked hosts are let in.", $"provisioner aws apply {name}");
            else if (!there[0].Enabled)
                yield return new("crl-disabled", "The revocation list at the trust anchor is disabled.", "Revoked hosts are let in.", $"provisioner aws apply {name}");
            else if (RolesAnywhereData.Read(there[0]) is not { } read || read.Number < list.Number)
                yield return new("crl-old", $"The revocation list at the trust anchor is number {(RolesAnywhereData.Read(there[0]) is { } old ? old.Number : "?")}, ours is {list.Number} with {list.Entries} entries.", "Hosts revoked since are let in.", $"provisioner aws apply {name} carries it now; 'provisioner get alerts' says why it was not.");
        }
    }

    private static IEnumerable<Finding> InProfile(ClusterReading reading, ClusterFacts facts)
    {
        var (plan, name) = (facts.Plan, facts.Plan.Cluster.Name);
        if (!plan.UsesRolesAnywhere)
            yield break;
        if (plan.Cluster.Spec.ProfileArn is not { } arn)
        {
            yield return new("profile-missing", "The Cluster names no profile of Roles Anywhere.", "No host gets credentials by its certificate.", $"provisioner aws apply {name}");
            yield break;
        }
        if (!reading.Knows(ProfilePart))
            yield break;
        if (reading.Profile is not { } profile)
        {
            yield return new("profile-missing", $"There is no profile {arn}.", "No host gets credentials by its certificate.", $"Take spec.profileArn out of the Cluster, then: provisioner aws apply {name}");
            yield break;
        }
        if (!profile.Enabled)
            yield return new("profile-disabled", "The profile is disabled.", "CreateSession is refused for every host.", $"provisioner aws apply {name}, if nobody disabled it on purpose.");
        if (!profile.AcceptRoleSessionName)
            yield return new("profile-session-name", "The profile does not accept a session name (acceptRoleSessionName is off).", "nodeadm always passes the node's name as one: CreateSession is refused.", $"provisioner aws apply {name}");
        if (plan.Cluster.Spec.RoleArn is { } role && profile.RoleArns?.Contains(role, StringComparer.Ordinal) != true)
            yield return new("profile-role", $"The profile does not have the role {role}.", "CreateSession is refused for every host.", $"provisioner aws apply {name}");
        if (!string.IsNullOrEmpty(profile.SessionPolicy))
            yield return new("profile-policy", "The profile has a session policy, which takes rights away from every node.", "Nodes may lack rights that their role has.", "Look whether it is meant: aws rolesanywhere get-profile") { IsWarning = true };
    }

    private static int? Minor(string? version) => version?.Split('.') is [_, var minor, ..] && int.TryParse(minor, out var number) ? number : null;
}
