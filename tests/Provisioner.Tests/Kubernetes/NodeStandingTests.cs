using Provisioner.Clusters;
using Provisioner.Hosts;
using Provisioner.Kubernetes;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Tests.Kubernetes;

public sealed class NodeStandingTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);

    private static readonly Cluster Prod = new(new Metadata("prod"), new ClusterSpec { Region = "eu-west-1", KubernetesVersion = "1.34" });

    private static readonly NodeFacts Node = new()
    {
        Name = "web-1", Uid = "u-1", CreatedAt = Now.AddHours(-1), KubeletVersion = "v1.34.2", Address = Ipv4Address.Parse("10.0.0.11"),
        ProviderId = "eks-hybrid:///eu-west-1/prod/web-1", CredentialProvider = "iam-ra", Cpus = 8, Ready = Condition("True", "KubeletReady"),
    };

    [Theory]
    [InlineData("32881032Ki", 32110L)]
    [InlineData("32Gi", 32768L)]
    [InlineData("512Mi", 512L)]
    [InlineData("34359738368", 32768L)]
    [InlineData("", null)]
    [InlineData("99999999999999999999Ki", null)]
    [InlineData("1e3", null)]
    public void What_a_kubelet_says_of_its_machine_is_kept(string memory, long? mebibytes)
    {
        var facts = NodeFacts.Of(new ApiNode
        {
            Status = new ApiNodeStatus([new("Ready", "True", null, null, null, null), new("DiskPressure", "False", null, null, null, null)], null, new ApiNodeInfo("v1.34.2", "Ubuntu 24.04.3 LTS", "6.8.0-60-generic", "containerd://1.7.27"),
                new() { ["cpu"] = "7910m", ["memory"] = memory }),
        });
        Assert.Equal((8, mebibytes), (facts.Cpus, facts.MemoryMiB));
        Assert.Equal("Ubuntu 24.04.3 LTS, 6.8.0-60-generic, containerd://1.7.27", facts.Software);
        Assert.Equal("DiskPressure False, Ready True", facts.Conditions);
        Assert.Equal(facts.Conditions, NodeChanges.Next(null, "web-1", facts, Prod, null, Now).Conditions);
    }

    // The messages are those of kubelets 1.20 to 1.34 with containerd and docker.
    [Theory]
    [InlineData("True", "KubeletReady", "kubelet is posting ready status", NodeState.Ready)]
    [InlineData("False", "KubeletNotReady", "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized", NodeState.WaitingForCni)]
    [InlineData("False", "KubeletNotReady", "[container runtime status check may not have completed yet, network plugin is not ready: cni config uninitialized]", NodeState.WaitingForCni)]
    [InlineData("False", "KubeletNotReady", "runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:docker: network plugin is not ready: cni config uninitialized", NodeState.WaitingForCni)]
    [InlineData("False", "KubeletNotReady", "PLEG is not healthy: pleg was last seen active 3m5s ago", NodeState.NotReady)]
    [InlineData("False", "KubeletNotReady", "container runtime is down", NodeState.NotReady)]
    [InlineData("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.", NodeState.Unknown)]
    [InlineData("Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.", NodeState.Joined)]
    public void Tells_apart(string status, string reason, string message, NodeState expected)
    {
        var standing = NodeStanding.Of(Node with { Ready = Condition(status, reason, message) }, Now);
        Assert.Equal(expected, standing.State);
        Assert.True(expected == NodeState.Ready == standing.Reason is null, standing.Reason);
    }

    [Fact]
    public void Ready_needs_more_than_its_condition()
    {
        Assert.Equal(NodeState.Joined, NodeStanding.Of(Node with { Ready = null }, Now).State);
        Assert.Equal(NodeState.Joined, NodeStanding.Of(Node with { Address = null }, Now).State);
        Assert.Equal(NodeState.WaitingForCni, NodeStanding.Of(Node with { NetworkUnavailable = true }, Now).State);
        // A cluster without a node controller never says Unknown; the heartbeat does.
        Assert.Equal(NodeState.Ready, NodeStanding.Of(Node, Now + TimeSpan.FromMinutes(14)).State);
        Assert.Equal(NodeState.Unknown, NodeStanding.Of(Node, Now + TimeSpan.FromMinutes(16)).State);
    }

    [Theory]
    [InlineData("eks-hybrid:///eu-west-1/prod/web-1", null)]
    [InlineData("eks-hybrid:///eu-west-1/test/web-1", "eu-west-1/test")]
    [InlineData("aws:///eu-west-1a/i-0123456789abcdef0", "i-0123456789abcdef0")]
    [InlineData(null, "no providerID")]
    public void Checks_the_provider_id(string? id, string? wrong)
    {
        var said = NodeStanding.WrongProviderId(Node with { ProviderId = id }, Prod);
        Assert.Equal(wrong is null, said is null);
        if (wrong is not null)
            Assert.Contains(wrong, said, StringComparison.Ordinal);
    }

    [Fact]
    public void Writes_changes_and_no_heartbeats()
    {
        var first = NodeChanges.Next(null, "web-1", Node, Prod, null, Now);
        Assert.Equal((NodeState.Ready, Node.Ready!.ChangedAt, Now), (first.State, first.Since, first.ReadyAt!.Value));
        var heartbeat = Node with { Ready = Node.Ready with { HeardAt = Now.AddMinutes(5), Message = "kubelet is posting ready status, once more" } };
        Assert.Same(first, NodeChanges.Next(first, "web-1", heartbeat, Prod, null, Now.AddMinutes(5)));
        // It was away and is back, all while the cluster could not be reached: only the condition's time tells.
        var again = NodeChanges.Next(first, "web-1", Node with { Ready = Node.Ready with { ChangedAt = Now.AddMinutes(7) } }, Prod, null, Now.AddMinutes(9));
        Assert.Equal((NodeState.Ready, Now.AddMinutes(7)), (again.State, again.Since));
        var upgraded = NodeChanges.Next(first, "web-1", Node with { KubeletVersion = "v1.35.0" }, Prod, null, Now.AddMinutes(9));
        Assert.Equal(("v1.35.0", first.Since), (upgraded.Version, upgraded.Since));
        var joined = NodeChanges.Next(null, "web-1", Node with { Ready = null }, Prod, null, Now);
        Assert.Same(joined, NodeChanges.Next(joined, "web-1", Node with { Ready = null }, Prod, null, Now.AddMinutes(1)));
    }

    [Fact]
    public void A_host_is_what_its_node_is_unless_it_is_built_anew()
    {
        var host = new Host(new Metadata("web-1"), new HostSpec { MacAddresses = [new MacAddress(1)], Architecture = Provisioner.Boot.CpuArchitecture.X64 });
        var ready = NodeChanges.Next(null, "web-1", Node, Prod, null, Now);
        HostState Of(HostNode? node, Installation? installation = null) => HostStanding.Of(host, installation, null, Now, Now, null, node).State;
        Assert.Equal(HostState.Enrolled, Of(null));
        Assert.Equal(HostState.Ready, Of(ready));
        Assert.Equal(HostState.Joined, Of(ready with { State = NodeState.WaitingForCni }));
        Assert.Equal(HostState.NotReady, Of(ready with { State = NodeState.NotReady }));
        Assert.Equal(HostState.Lost, Of(ready with { State = NodeState.Unknown }));
        Assert.Equal(HostState.NotReady, Of(ready with { State = NodeState.Unknown, ReadyAt = null }));
        Assert.Equal(HostState.Lost, Of(ready with { State = NodeState.Lost }));
        Assert.Equal(HostState.Enrolled, Of(ready with { State = NodeState.Deleted }));
        Assert.Contains("last known at", HostStanding.Of(host, null, null, Now, Now, null, ready with { LastKnownAt = Now.AddHours(-2) }).Reason, StringComparison.Ordinal);

        var installation = new Installation { Id = "1", Host = "web-1", Profile = "worker", Image = "i", OpenedAt = Now.AddMinutes(-30), ClosesAt = Now.AddHours(1) };
        Assert.Equal(HostState.Waiting, Of(ready, installation));
        var closed = installation with { ClosedAt = Now.AddMinutes(-20), ClosedBecause = "cancelled" };
        Assert.Equal(HostState.Ready, Of(ready, closed));
        // Its node is from before.
        Assert.Equal(HostState.Enrolled, Of(ready, closed with { InstalledAt = Now.AddMinutes(-5) }));
        Assert.Equal(HostState.Ready, Of(ready with { Since = Now.AddMinutes(-1) }, closed with { InstalledAt = Now.AddMinutes(-5) }));
        Assert.Equal(HostState.Retired, HostStanding.Of(host with { RetiredAt = Now }, null, null, Now, Now, null, ready).State);
    }

    [Fact]
    public void A_managed_instance_is_known_by_its_address()
    {
        var editor = new StateEditor(Snapshot.Empty, Now);
        editor.Put(new Host(new Metadata("web-1"), new HostSpec { MacAddresses = [new MacAddress(1)], Architecture = Provisioner.Boot.CpuArchitecture.X64, Address = Ipv4Address.Parse("10.0.0.11") }));
        editor.Put(new Host(new Metadata("web-2"), new HostSpec { MacAddresses = [new MacAddress(2)], Architecture = Provisioner.Boot.CpuArchitecture.X64 }));
        var book = new AddressBook();
        book.Learn(Ipv4Address.Parse("10.0.0.12"), new MacAddress(2));
        var match = new NodeMatch(editor.Snapshot, book);
        var instance = Node with { Name = "mi-0123456789abcdef0" };
        Assert.Equal("web-1", match.HostOf(instance, "prod"));
        Assert.Equal("web-2", match.HostOf(instance with { Address = Ipv4Address.Parse("10.0.0.12") }, "prod"));
        Assert.Null(match.HostOf(instance with { Address = Ipv4Address.Parse("10.0.0.13") }, "prod"));
        // A name is a name: another node at a host's address is not that host.
        Assert.Null(match.HostOf(Node with { Name = "db-1" }, "prod"));
    }

    [Theory]
    [InlineData(8, 6, "0.02", 116.8)]
    [InlineData(64, 30, "0.01", 467.2)]
    public void Idle_nodes_cost_by_the_month(int cpus, int days, string price, double monthly)
    {
        var node = Node with { Cpus = cpus };
        var amount = decimal.Parse(price, System.Globalization.CultureInfo.InvariantCulture);
        IdleNode? Of(DateTimeOffset? idleSince, NodeFacts? facts = null) => Idle.Of(facts ?? node, "web-1", "prod", idleSince, TimeSpan.FromDays(5), amount, Now);
        Assert.Null(Of(null));
        Assert.Null(Of(Now.AddDays(-4)));
        Assert.Equal((decimal)monthly, Of(Now.AddDays(-days))!.MonthlyCost);
        var dead = node with { CreatedAt = Now.AddDays(-60), Ready = new ReadyCondition("Unknown", "NodeStatusUnknown", "", Now.AddDays(-days), Now.AddDays(-days)) };
        Assert.Equal(Now.AddDays(-days), Of(null, dead)!.Since);
        Assert.Equal(Now.AddDays(-days - 1), Of(Now.AddDays(-days - 1), dead)!.Since);
        Assert.Null(Of(Now.AddDays(-days), node with { Cpus = null })!.MonthlyCost);
    }

    private static ReadyCondition Condition(string status, string reason, string message = "") => new(status, reason, message, Now.AddMinutes(-10), Now);
}
