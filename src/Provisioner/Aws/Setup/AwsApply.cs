using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Provisioner.Aws.Clients;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Aws.Setup;

internal enum AwsStepResult
{
    Created,
    Changed,
    Unchanged,
    Failed,
}

/// <summary>One step of <c>aws apply</c>.</summary>
/// <param name="Detail">What is there now, or why it failed and what to do.</param>
internal sealed record AwsStep(string Name, AwsStepResult Result, string Detail);

/// <summary>
/// Makes what <see cref="AwsPlan"/> says, step by step. Each step looks first and changes only what differs, so that it can be run again after a
/// failure, and a second run changes nothing.
/// </summary>
internal sealed class AwsApply(AwsClients clients, AwsOptions options, CurrentState state, StateWriter writer, RevocationSync revocations, TimeProvider time)
{
    private static readonly TimeSpan PollEvery = TimeSpan.FromSeconds(3);

    /// <summary>A cluster takes minutes to change.</summary>
    private static readonly TimeSpan PollFor = TimeSpan.FromMinutes(20);

    /// <summary>Runs every step; the first that fails is the last.</summary>
    public async IAsyncEnumerable<AwsStep> RunAsync(Cluster cluster, string? actor, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var run = new Run { Cluster = cluster };
        (string Name, Func<Run, CancellationToken, Task<AwsStep>> Do)[] steps =
        [
            ("account", AccountAsync),
            ("cluster", ClusterAsync),
            ("authentication mode", AuthenticationAsync),
            ("remote networks", NetworksAsync),
            ("trust anchor", AnchorAsync),
            ("roles", RolesAsync),
            ("profile of nodes", NodeProfileAsync),
            ("profile of the appliance", ApplianceProfileAsync),
            ("revocation list", RevocationsAsync),
            ("access entry of nodes", NodeAccessAsync),
            ("access entry of the appliance", ApplianceAccessAsync),
            ($"Cluster {cluster.Name}", (r, ct) => FillAsync(r, actor, ct)),
        ];
        foreach (var (name, act) in steps)
        {
            AwsStep step;
            try
            {
                step = await act(run, cancellation) with { Name = name };
            }
            catch (AwsException e)
            {
                step = new AwsStep(name, AwsStepResult.Failed, e.IsDenied ? $"{e.Message}. Who may: provisioner aws plan {cluster.Name} --as policies, setup-policy.json" : $"{e.Message}.");
            }
            catch (Exception e) when (e is NoAwsCredentialsException or StoreException or ChangeRefusedException or TimeoutException)
            {
                step = new AwsStep(name, AwsStepResult.Failed, e.Message);
            }
            if (step.Result != AwsStepResult.Unchanged)
                await RecordAsync(cluster, step, actor);
            yield return step;
            if (step.Result == AwsStepResult.Failed)
                yield break;
        }
    }

    private async Task<AwsStep> AccountAsync(Run run, CancellationToken ct)
    {
        using var sts = clients.Sts(run.Region);
        try
        {
            var who = await sts.GetCallerIdentityAsync(new Amazon.SecurityToken.Model.GetCallerIdentityRequest(), ct);
            run.Plan = AwsPlan.For(run.Cluster, state.Snapshot, options.CommonName, who.Account);
            var foreign = new[] { run.Cluster.Spec.TrustAnchorArn, run.Cluster.Spec.ProfileArn, run.Cluster.Spec.RoleArn }.OfType<string>().FirstOrDefault(arn => ClusterTexts.AccountOf(arn) != who.Account);
            return foreign is null ? Same($"{who.Account}, as {who.Arn}")
                : new AwsStep("", AwsStepResult.Failed, $"The credentials are of account {who.Account}, as {who.Arn}; the Cluster names {foreign}. Use credentials of that account, or take the ARN out of the Cluster.");
        }
        catch (Exception e) when (e is Amazon.Runtime.AmazonServiceException or Amazon.Runtime.AmazonClientException or HttpRequestException)
        {
            throw new AwsException("sts:GetCallerIdentity", 0, "Unreachable", e.Message, e);
        }
    }

    private async Task<AwsStep> ClusterAsync(Run run, CancellationToken ct)
    {
        try
        {
            run.Described = await clients.Eks(run.Region).DescribeClusterAsync(run.Cluster.EksName, ct);
        }
        catch (AwsException e) when (e.IsNotFound)
        {
            return new AwsStep("", AwsStepResult.Failed, $"There is no EKS cluster '{run.Cluster.EksName}' in {run.Region}, account {run.Plan.Account}. Make it first; its name there is spec.eksName where it differs.");
        }
        return run.Described is { Status: "ACTIVE" or "UPDATING", Endpoint: not null, CertificateAuthority.Data: not null } described
            ? Same($"{described.Name}, Kubernetes {described.Version}, {described.Status}")
            : new AwsStep("", AwsStepResult.Failed, $"{run.Described.Name} is {run.Described.Status}. Run this again when it is ACTIVE.");
    }

    // CONFIG_MAP knows no access entries; there is no way back from the others, so that this is the one step that cannot be undone.
    private async Task<AwsStep> AuthenticationAsync(Run run, CancellationToken ct)
    {
        var mode = run.Described.AccessConfig?.AuthenticationMode;
        if (mode is "API" or "API_AND_CONFIG_MAP")
            return Same(mode);
        await UpdateAsync(run, new UpdateClusterConfigRequest(AccessConfig: new AccessConfig("API_AND_CONFIG_MAP")), ct);
        return new AwsStep("", AwsStepResult.Changed, $"{mode ?? "CONFIG_MAP"} → API_AND_CONFIG_MAP; what aws-auth says holds on");
    }

    private async Task<AwsStep> NetworksAsync(Run run, CancellationToken ct)
    {
        var (nodes, pods) = (RemoteNetworks.Nodes(run.Described), RemoteNetworks.Pods(run.Described));
        var (moreNodes, morePods) = (RemoteNetworks.Missing(run.Cluster.Spec.RemoteNodeNetworks, nodes), RemoteNetworks.Missing(run.Cluster.Spec.RemotePodNetworks, pods));
        if (nodes.Count == 0 && moreNodes.Count == 0)
        {
            return new AwsStep("", AwsStepResult.Failed,
                $"The EKS cluster has no remoteNetworkConfig, and the Cluster names no networks: put the networks of your servers into spec.remoteNodeNetworks (and of their pods into spec.remotePodNetworks), and run this again.");
        }
        if (moreNodes.Count == 0 && morePods.Count == 0)
            return Same($"nodes {string.Join(", ", nodes)}; pods {(pods.Count == 0 ? "none" : string.Join(", ", pods))}");
        // The whole list is replaced (https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateClusterConfig.html): what is there stays in it.
        string[] allNodes = [.. nodes.Concat(moreNodes).Select(n => n.ToString())], allPods = [.. pods.Concat(morePods).Select(n => n.ToString())];
        await UpdateAsync(run, new UpdateClusterConfigRequest(RemoteNetworkConfig: new RemoteNetworkConfig([new RemoteNodeNetwork(allNodes)], allPods.Length == 0 ? null : [new RemotePodNetwork(allPods)])), ct);
        return new AwsStep("", AwsStepResult.Changed, $"nodes {string.Join(", ", allNodes)}; pods {(allPods.Length == 0 ? "none" : string.Join(", ", allPods))}");
    }

    private async Task<AwsStep> AnchorAsync(Run run, CancellationToken ct)
    {
        if (run.Plan.Authorities.Length == 0)
            return new AwsStep("", AwsStepResult.Failed, "The appliance has no certificate authority yet: 'provisioner ca show' says why.");
        var roles = clients.RolesAnywhere(run.Region);
        var wanted = run.Plan.Authorities.Select(Der).ToList();
        var all = await roles.ListTrustAnchorsAsync(ct);
        // By what it trusts and not by its name: one anchor serves every cluster of the account and region.
        var found = all.FirstOrDefault(a => a.TrustAnchorArn == run.Cluster.Spec.TrustAnchorArn)
            ?? all.FirstOrDefault(a => RolesAnywhereData.Certificates(a).Any(c => wanted.Exists(w => w.AsSpan().SequenceEqual(c))));
        var source = new Source(Source.CertificateBundle, new SourceData(string.Join('\n', run.Plan.Authorities)));
        if (found is null)
        {
            found = await roles.CreateTrustAnchorAsync(new CreateTrustAnchorRequest(run.Plan.AnchorName, source, Tags: run.Plan.Tags), ct);
            run.TrustAnchorArn = found.TrustAnchorArn;
            return new AwsStep("", AwsStepResult.Created, found.TrustAnchorArn);
        }
        run.TrustAnchorArn = found.TrustAnchorArn;
        var changed = false;
        var trusts = RolesAnywhereData.Certificates(found);
        if (!trusts.Any(t => state.Snapshot.Authorities.Values.Any(a => t.AsSpan().SequenceEqual(a.Der))))
            return new AwsStep("", AwsStepResult.Failed, $"{found.TrustAnchorArn} trusts another authority than this appliance, and others may depend on it. Take spec.trustAnchorArn out of the Cluster, and an anchor of its own is made.");
        if (trusts.Count != wanted.Count || wanted.Exists(w => !trusts.Any(t => t.AsSpan().SequenceEqual(w))))
        {
            await roles.UpdateTrustAnchorAsync(found.TrustAnchorId, new UpdateTrustAnchorRequest(source), ct);
            changed = true;
        }
        if (!found.Enabled)
        {
            await roles.EnableTrustAnchorAsync(found.TrustAnchorId, ct);
            changed = true;
        }
        return new AwsStep("", changed ? AwsStepResult.Changed : AwsStepResult.Unchanged, found.TrustAnchorArn);
    }

    private async Task<AwsStep> RolesAsync(Run run, CancellationToken ct)
    {
        var formation = clients.CloudFormation(run.Region);
        var template = CloudFormationTemplate.Roles(run.Plan, run.TrustAnchorArn);
        var name = run.Plan.StackName;
        var before = await SettledAsync(formation, name, ct);
        var result = AwsStepResult.Unchanged;
        if (before is null)
        {
            await formation.CreateStackAsync(name, template, run.Plan.Tags, ct);
            result = AwsStepResult.Created;
        }
        else if (await formation.UpdateStackAsync(name, template, run.Plan.Tags, ct))
        {
            result = AwsStepResult.Changed;
        }
        if (result != AwsStepResult.Unchanged && (await SettledAsync(formation, name, ct))?.StackStatus is not ("CREATE_COMPLETE" or "UPDATE_COMPLETE"))
        {
            var stack = await formation.DescribeStackAsync(name, ct);
            return new AwsStep("", AwsStepResult.Failed, $"The CloudFormation stack {name} ended as {stack?.StackStatus ?? "gone"}: {stack?.StackStatusReason ?? "its events in the console say why"}");
        }
        return new AwsStep("", result, run.Plan.NodeRoleIsForeign ? $"{run.Plan.ApplianceRoleName}, by the stack {name}; the Cluster names {run.Plan.NodeRoleArn} for nodes, which is left as it is"
            : $"{run.Plan.NodeRoleName} and {run.Plan.ApplianceRoleName}, by the stack {name}");
    }

    private async Task<AwsStep> NodeProfileAsync(Run run, CancellationToken ct)
    {
        if (!run.Plan.UsesRolesAnywhere)
            return Same("not needed: all hosts join by an activation of Systems Manager");
        var (step, arn) = await ProfileAsync(run, run.Cluster.Spec.ProfileArn, run.Plan.NodeProfileName, run.Plan.NodeRoleArn, acceptsName: true, ct);
        run.ProfileArn = arn;
        return step;
    }

    private async Task<AwsStep> ApplianceProfileAsync(Run run, CancellationToken ct)
    {
        var (step, arn) = await ProfileAsync(run, null, run.Plan.ApplianceProfileName, run.Plan.ApplianceRoleArn, acceptsName: false, ct);
        run.ApplianceProfileArn = arn;
        return step;
    }

    private async Task<(AwsStep Step, string Arn)> ProfileAsync(Run run, string? arn, string name, string role, bool acceptsName, CancellationToken ct)
    {
        var roles = clients.RolesAnywhere(run.Region);
        run.Profiles ??= await roles.ListProfilesAsync(ct);
        var found = run.Profiles.FirstOrDefault(p => arn is not null ? p.ProfileArn == arn : p.Name == name);
        if (found is null && arn is not null)
            return (new AwsStep("", AwsStepResult.Failed, $"The Cluster names {arn}, and there is none. Take spec.profileArn out of the Cluster, and one is made."), arn);
        if (found is null)
        {
            found = await roles.CreateProfileAsync(new CreateProfileRequest(name, [role], acceptsName, Tags: run.Plan.Tags), ct);
            return (new AwsStep("", AwsStepResult.Created, found.ProfileArn), found.ProfileArn);
        }
        var changed = false;
        var has = found.RoleArns ?? [];
        if (!has.Contains(role, StringComparer.Ordinal) || acceptsName && !found.AcceptRoleSessionName)
        {
            await roles.UpdateProfileAsync(found.ProfileId, new UpdateProfileRequest([.. has.Union([role], StringComparer.Ordinal)], acceptsName || found.AcceptRoleSessionName), ct);
            changed = true;
        }
        if (!found.Enabled)
        {
            await roles.EnableProfileAsync(found.ProfileId, ct);
            changed = true;
        }
        return (new AwsStep("", changed ? AwsStepResult.Changed : AwsStepResult.Unchanged, found.ProfileArn), found.ProfileArn);
    }

    private async Task<AwsStep> RevocationsAsync(Run run, CancellationToken ct)
    {
        var carried = await revocations.CarryAsync(run.TrustAnchorArn, ct);
        var said = string.Join("; ", carried.Select(c => c.Words));
        return new AwsStep("", carried.Any(c => c.Result == AwsStepResult.Created) ? AwsStepResult.Created : carried.Any(c => c.Result != AwsStepResult.Unchanged) ? AwsStepResult.Changed : AwsStepResult.Unchanged, said);
    }

    private Task<AwsStep> NodeAccessAsync(Run run, CancellationToken ct) => AccessAsync(run, run.Plan.NodeRoleArn, "HYBRID_LINUX", [], ct);

    private Task<AwsStep> ApplianceAccessAsync(Run run, CancellationToken ct) => AccessAsync(run, run.Plan.ApplianceRoleArn, "STANDARD", [AwsPlan.Group], ct);

    private async Task<AwsStep> AccessAsync(Run run, string role, string type, string[] groups, CancellationToken ct)
    {
        var eks = clients.Eks(run.Region);
        var found = await eks.DescribeAccessEntryAsync(run.Cluster.EksName, role, ct);
        if (found is null)
        {
            await eks.CreateAccessEntryAsync(run.Cluster.EksName, new CreateAccessEntryRequest(role, type, groups.Length == 0 ? null : groups), ct);
            return new AwsStep("", AwsStepResult.Created, $"{type} for {role}");
        }
        if (found.Type != type)
        {
            return new AwsStep("", AwsStepResult.Failed,
                $"{role} has an access entry of type {found.Type}, and a type cannot be changed. Remove it (aws eks delete-access-entry --cluster-name {run.Cluster.EksName} --principal-arn {role}) and run this again.");
        }
        var has = found.KubernetesGroups ?? [];
        if (groups.Except(has, StringComparer.Ordinal).Any())
        {
            await eks.UpdateAccessEntryAsync(run.Cluster.EksName, role, new UpdateAccessEntryRequest([.. has.Union(groups, StringComparer.Ordinal)]), ct);
            return new AwsStep("", AwsStepResult.Changed, $"{type} for {role}, now in {string.Join(", ", groups)}");
        }
        return Same($"{type} for {role}");
    }

    private async Task<AwsStep> FillAsync(Run run, string? actor, CancellationToken ct)
    {
        var (name, described, plan) = (run.Cluster.Name, run.Described, run.Plan);
        var changed = await writer.ChangeAsync(editor =>
        {
            if (!editor.Snapshot.Clusters.TryGetValue(name, out var stored))
                throw new ChangeRefusedException(RefusalKind.NotFound, $"Cluster {name} was deleted meanwhile");
            var vpc = described.ResourcesVpcConfig;
            var filled = stored with
            {
                Spec = stored.Spec with
                {
                    TrustAnchorArn = run.TrustAnchorArn,
                    ProfileArn = run.ProfileArn ?? stored.Spec.ProfileArn,
                    RoleArn = plan.NodeRoleArn,
                    Endpoint = described.Endpoint!.TrimEnd('/'),
                    CertificateAuthority = described.CertificateAuthority!.Data,
                    ServiceCidr = Ipv4Cidr.TryParse(described.KubernetesNetworkConfig?.ServiceIpv4Cidr ?? "", out var services) ? services : stored.Spec.ServiceCidr,
                    // Where one alone is on there is no choice; where both are, 'aws check' has something to say.
                    EndpointAccess = vpc is { EndpointPublicAccess: true, EndpointPrivateAccess: false } ? EndpointAccess.Public
                        : vpc is { EndpointPublicAccess: false, EndpointPrivateAccess: true } ? EndpointAccess.Private : stored.Spec.EndpointAccess,
                    RemoteNodeNetworks = Kept(stored.Spec.RemoteNodeNetworks, RemoteNetworks.Nodes(described)),
                    RemotePodNetworks = Kept(stored.Spec.RemotePodNetworks, RemoteNetworks.Pods(described)),
                },
            };
            // The three are given together or not at all.
            if (filled.Spec.ServiceCidr is null)
                filled = filled with { Spec = filled.Spec with { Endpoint = null, CertificateAuthority = null } };
            if (ResourceWriter.SameWish(filled, stored))
                return false;
            editor.Put(filled);
            ResourceChanges.RecordChange(editor, filled, "configured", "filled by aws apply", actor);
            return true;
        }, ct);
        return new AwsStep("", changed ? AwsStepResult.Changed : AwsStepResult.Unchanged,
            $"has its ARNs, endpoint and networks. For the appliance's own credentials, in its configuration: aws: {{ credentials: roles-anywhere, trustAnchorArn: {run.TrustAnchorArn}, profileArn: {run.ApplianceProfileArn}, roleArn: {plan.ApplianceRoleArn} }}");
    }

    private static ImmutableArray<Ipv4Cidr> Kept(ImmutableArray<Ipv4Cidr> wish, IReadOnlyList<Ipv4Cidr> there) => wish.IsDefaultOrEmpty ? [.. there] : wish;

    private async Task UpdateAsync(Run run, UpdateClusterConfigRequest request, CancellationToken ct)
    {
        await ActiveAsync(run, ct);
        await clients.Eks(run.Region).UpdateClusterConfigAsync(run.Cluster.EksName, request, ct);
        await ActiveAsync(run, ct);
    }

    // EKS makes one change at a time.
    private async Task ActiveAsync(Run run, CancellationToken ct)
    {
        var until = time.GetUtcNow() + PollFor;
        while (true)
        {
            run.Described = await clients.Eks(run.Region).DescribeClusterAsync(run.Cluster.EksName, ct);
            if (run.Described.Status == "ACTIVE")
                return;
            if (time.GetUtcNow() >= until)
                throw new TimeoutException($"EKS still says that {run.Cluster.EksName} is {run.Described.Status}. Run this again later: it goes on from here.");
            await Task.Delay(PollEvery, time, ct);
        }
    }

    private async Task<Stack?> SettledAsync(IAmazonCloudFormation formation, string name, CancellationToken ct)
    {
        var until = time.GetUtcNow() + PollFor;
        while (true)
        {
            var stack = await formation.DescribeStackAsync(name, ct);
            if (stack is null || !stack.StackStatus.EndsWith("_IN_PROGRESS", StringComparison.Ordinal))
                return stack is { StackStatus: "DELETE_COMPLETE" } ? null : stack;
            if (time.GetUtcNow() >= until)
                throw new TimeoutException($"The CloudFormation stack {name} is still {stack.StackStatus}. Run this again later: it goes on from here.");
            await Task.Delay(PollEvery, time, ct);
        }
    }

    private Task<int> RecordAsync(Cluster cluster, AwsStep step, string? actor) => writer.ChangeAsync(editor =>
    {
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Api,
            Outcome = step.Result == AwsStepResult.Failed ? EventOutcome.Failed : EventOutcome.Changed,
            What = $"aws apply {cluster.Name}: {step.Name} {Api.Json.Word(step.Result)}",
            Reason = step.Detail,
            Actor = actor,
            Subject = $"Cluster/{cluster.Name}",
        });
        return 0;
    });

    private static AwsStep Same(string detail) => new("", AwsStepResult.Unchanged, detail);

    private static byte[] Der(string pem) => PemEncoding.TryFind(pem, out var fields) ? Convert.FromBase64String(pem[fields.Base64Data]) : [];

    /// <summary>What the steps hand on.</summary>
    private sealed class Run
    {
        public required Cluster Cluster { get; init; }

        public string Region => Cluster.Spec.Region;

        public AwsPlan Plan { get; set; } = null!;

        public EksCluster Described { get; set; } = null!;

        public string TrustAnchorArn { get; set; } = "";

        public string? ProfileArn { get; set; }

        public string? ApplianceProfileArn { get; set; }

        public IReadOnlyList<ProfileDetail>? Profiles { get; set; }
    }
}

/// <summary>The networks outside AWS, as EKS has them.</summary>
internal static class RemoteNetworks
{
    public static IReadOnlyList<Ipv4Cidr> Nodes(EksCluster cluster) => Read(cluster.RemoteNetworkConfig?.RemoteNodeNetworks?.SelectMany(n => n.Cidrs ?? []));

    public static IReadOnlyList<Ipv4Cidr> Pods(EksCluster cluster) => Read(cluster.RemoteNetworkConfig?.RemotePodNetworks?.SelectMany(n => n.Cidrs ?? []));

    public static bool Inside(Ipv4Cidr inner, Ipv4Cidr outer) => outer.PrefixLength <= inner.PrefixLength && outer.Contains(inner.Network);

    /// <summary>Those of the first that are in none of the second.</summary>
    public static IReadOnlyList<Ipv4Cidr> Missing(IEnumerable<Ipv4Cidr> wanted, IReadOnlyList<Ipv4Cidr> there) => [.. wanted.Where(w => !there.Any(t => Inside(w, t)))];

    private static List<Ipv4Cidr> Read(IEnumerable<string>? cidrs) => [.. (cidrs ?? []).Select(c => Ipv4Cidr.TryParse(c, out var cidr) ? cidr : (Ipv4Cidr?)null).OfType<Ipv4Cidr>()];
}
