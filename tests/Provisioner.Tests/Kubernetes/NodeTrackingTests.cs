using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Kubernetes;

namespace Provisioner.Tests.Kubernetes;

/// <summary>Nodes of a real API server, followed by a whole appliance.</summary>
public sealed class NodeTrackingTests
{
    [Fact]
    public async Task A_node_is_followed_from_its_first_sight_to_its_end()
    {
        await using var api = await KubeApi.StartAsync();
        await using var site = await TrackedSite.StartAsync(api);
        await site.UntilConnectedAsync();
        Assert.Equal("Registered", await site.StateAsync("web-1"));

        await api.RegisterAsync("web-1");
        await site.UntilAsync("web-1", NodeState.Joined);
        Assert.Equal("Joined", await site.StateAsync("web-1"));
        await api.ReportAsync("web-1", "False", "KubeletNotReady", "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized");
        await site.UntilAsync("web-1", NodeState.WaitingForCni);
        var status = (await site.Appliance.GetAsync("hosts/web-1"))["status"]!;
        Assert.Equal("Joined", status["state"]!.GetValue<string>());
        Assert.Contains("waiting for the CNI", status["reason"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Empty(site.Appliance.Snapshot.Alerts);

        await api.ReadyAsync("web-1");
        await site.UntilAsync("web-1", NodeState.Ready);
        var node = site.Node("web-1")!;
        Assert.Equal(("v1.34.2", "10.0.0.11", "iam-ra", 8, null), (node.Version, node.Address!.Value.ToString(), node.CredentialProvider, node.Cpus!.Value, node.Problem));
        Assert.Equal("Ready", await site.StateAsync("web-1"));
        var revision = site.Appliance.Snapshot.Revision;

        // Another heartbeat is no change; the next one has another version, and is one.
        await api.PatchAsync("api/v1/nodes/web-1", """{"metadata":{"annotations":{"seen":"again"}}}""");
        await api.ReadyAsync("web-1", "v1.34.3");
        await site.UntilAsync(() => site.Node("web-1")!.Version == "v1.34.3", "the other version");
        Assert.True(site.Appliance.Snapshot.Revision <= revision + 1, "one change, one write");

        await api.ReportAsync("web-1", "False", "KubeletNotReady", "container runtime is down");
        await site.UntilAsync("web-1", NodeState.NotReady);
        Assert.Equal("NotReady", await site.StateAsync("web-1"));
        Assert.Empty(site.Appliance.Snapshot.Alerts);
        await api.ReportAsync("web-1", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.");
        await site.UntilAsync("web-1", NodeState.Unknown);
        Assert.Equal("Lost", await site.StateAsync("web-1"));
        Assert.Equal(AlertSeverity.Critical, site.Appliance.Snapshot.Alerts[NodeChanges.LostAlert("web-1")].Severity);
        await api.ReadyAsync("web-1", "v1.34.3");
        await site.UntilAsync("web-1", NodeState.Ready);
        Assert.Empty(site.Appliance.Snapshot.Alerts);

        await api.DeleteAsync("api/v1/nodes/web-1");
        await site.UntilAsync("web-1", NodeState.Lost);
        Assert.Equal("Lost", await site.StateAsync("web-1"));
        Assert.Contains(NodeChanges.LostAlert("web-1"), site.Appliance.Snapshot.Alerts.Keys);
        Assert.Equal(
            ["Joined", "WaitingForCni", "Ready", "version", "NotReady", "Unknown", "Ready", "Lost"],
            site.Events("web-1").Where(e => e.Source == EventSource.Cluster).Select(e =>
                e.What.Contains("runs kubelet", StringComparison.Ordinal) ? "version" : Enum.GetValues<NodeState>().First(s => e.What.EndsWith(NodeChanges.Words(s), StringComparison.Ordinal) && (s != NodeState.Ready || !e.What.EndsWith("NotReady", StringComparison.Ordinal))).ToString()));
    }

    [Fact]
    public async Task Unknown_nodes_managed_instances_and_pending_requests_are_listed()
    {
        await using var api = await KubeApi.StartAsync();
        await using var site = await TrackedSite.StartAsync(api);
        await api.RegisterAsync("db-9");
        await api.ReadyAsync("db-9", address: "10.0.0.99");
        await api.RegisterAsync("mi-0123456789abcdef0");
        await api.ReadyAsync("mi-0123456789abcdef0", address: "10.0.0.12");
        await api.RegisterAsync("web-1", cluster: "another");
        await api.ReadyAsync("web-1");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("O=system:nodes, CN=system:node:web-1", key, HashAlgorithmName.SHA256).CreateSigningRequestPem();
        await api.SendAsync(HttpMethod.Post, "apis/certificates.k8s.io/v1/certificatesigningrequests", $$"""
            {"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{"name":"csr-web-1"},
             "spec":{"request":"{{Convert.ToBase64String(Encoding.ASCII.GetBytes(request))}}","signerName":"kubernetes.io/kubelet-serving","usages":["digital signature","server auth"]} }
            """, token: "node-token");

        await site.UntilAsync("web-2", NodeState.Ready);
        await site.UntilAsync("web-1", NodeState.Ready);
        await site.UntilAsync(() => site.Tracking.Find("prod")!.Pending.Count == 1, "the pending request");
        Assert.Equal(("mi-0123456789abcdef0", "ssm"), (site.Node("web-2")!.Name, site.Node("web-2")!.CredentialProvider));
        Assert.Contains("another", site.Node("web-1")!.Problem, StringComparison.Ordinal);

        var nodes = (await site.Appliance.GetAsync("nodes"))["items"]!.AsArray().ToDictionary(n => n!["name"]!.GetValue<string>(), n => n!.AsObject());
        Assert.Equal((false, "Ready"), (nodes["db-9"]["known"]!.GetValue<bool>(), nodes["db-9"]["state"]!.GetValue<string>()));
        Assert.Equal("csr-web-1", nodes["web-1"]["pendingServingRequests"]![0]!.GetValue<string>());
        var table = (await site.Appliance.RunAsync("get", "nodes", "-o", "wide")).Succeeded();
        Assert.Matches(@"db-9\s+\(unknown here\)\s+prod\s+Ready", table);
        Assert.Matches(@"web-1\s+web-1\s+prod\s+Ready.*pending", table);
        Assert.Matches(@"mi-0123456789abcdef0\s+web-2\s+prod\s+Ready", table);
        Assert.Matches(@"prod\s+eu-west-1.*\byes\b", (await site.Appliance.RunAsync("get", "clusters")).Succeeded());
        Assert.Contains("csr-web-1", (await site.Appliance.RunAsync("describe", "cluster", "prod")).Succeeded(), StringComparison.Ordinal);

        // It is registered here now: the same node is a host's.
        await site.Appliance.ApplyAsync("""
            apiVersion: provisioner/v1
            kind: Host
            metadata: { name: db-9 }
            spec: { macAddresses: ["52:54:00:00:00:99"], architecture: x86_64, profile: worker }
            """);
        await site.UntilAsync("db-9", NodeState.Ready);

        // Nobody works on it.
        await api.PodAsync("agent", "db-9", "DaemonSet");
        await api.PodAsync("web", "web-1", "ReplicaSet");
        await site.UntilAsync(() => site.Node("db-9")!.IdleSince is not null && site.Node("web-1")!.IdleSince is null && site.Node("web-2")!.IdleSince is not null, "who is idle");
        Assert.Empty((await site.Appliance.GetAsync("idle?for=1h&price=0.02"))["items"]!.AsArray());
        Assert.Equal(422, (await site.Appliance.SendAsync(HttpMethod.Get, "idle?for=soon&price=much")).Status);
    }

    [Fact]
    public async Task A_server_that_restarts_is_last_known_and_then_followed_again()
    {
        await using var api = await KubeApi.StartAsync();
        await using var site = await TrackedSite.StartAsync(api);
        await api.RegisterAsync("web-1");
        await api.ReadyAsync("web-1");
        await site.UntilAsync("web-1", NodeState.Ready);

        await api.StopServerAsync();
        await site.UntilAsync(() => site.Node("web-1")!.LastKnownAt is not null, "last known");
        Assert.Equal("Ready", await site.StateAsync("web-1"));
        Assert.Contains("last known at", (await site.Appliance.GetAsync("hosts/web-1"))["status"]!["reason"]!.GetValue<string>(), StringComparison.Ordinal);
        await site.UntilAsync(() => site.Appliance.Snapshot.Alerts.ContainsKey(NodeChanges.UnreachableAlert("prod")), "the alert");
        Assert.Matches(@"web-1\s+web-1\s+prod\s+Ready \(last known\)", (await site.Appliance.RunAsync("get", "nodes")).Succeeded());
        Assert.DoesNotContain(NodeChanges.LostAlert("web-1"), site.Appliance.Snapshot.Alerts.Keys);

        // The appliance restarts meanwhile, and says the same.
        await site.RestartAsync();
        Assert.Equal(NodeState.Ready, site.Node("web-1")!.State);
        Assert.NotNull(site.Node("web-1")!.LastKnownAt);

        await api.StartServerAsync();
        await api.ReportAsync("web-1", "False", "KubeletNotReady", "container runtime is down");
        await site.UntilAsync("web-1", NodeState.NotReady);
        Assert.Null(site.Node("web-1")!.LastKnownAt);
        await site.UntilAsync(() => !site.Appliance.Snapshot.Alerts.ContainsKey(NodeChanges.UnreachableAlert("prod")), "the alert is gone");
    }

    [Fact]
    public async Task A_compacted_history_is_listed_anew()
    {
        await using var api = await KubeApi.StartAsync();
        await using var proxy = await ApiProxy.StartAsync(api);
        await using var site = await TrackedSite.StartAsync(api, proxy.Endpoint);
        foreach (var name in new[] { "web-1", "web-2" })
        {
            await api.RegisterAsync(name);
            await api.ReadyAsync(name);
            await site.UntilAsync(name, NodeState.Ready);
        }
        Assert.Equal(1, proxy.Lists);
        proxy.Down = true;
        proxy.Cut();
        await site.UntilAsync(() => site.Node("web-1")!.LastKnownAt is not null, "last known");
        await api.DeleteAsync("api/v1/nodes/web-1");
        await api.ReportAsync("web-2", "False", "KubeletNotReady", "container runtime is down");
        await api.RegisterAsync("web-3");
        await api.CompactAsync();
        // Its cache would still know what etcd forgot.
        await api.StopServerAsync();
        await api.StartServerAsync();
        proxy.Down = false;
        await site.UntilAsync("web-1", NodeState.Lost);
        await site.UntilAsync("web-2", NodeState.NotReady);
        await site.UntilAsync("web-3", NodeState.Joined);
        Assert.True(proxy.Lists >= 2, "nothing but a list tells what was compacted");
    }

    [Fact]
    public async Task Cut_watches_go_on_where_they_broke()
    {
        await using var api = await KubeApi.StartAsync();
        await using var proxy = await ApiProxy.StartAsync(api);
        await using var site = await TrackedSite.StartAsync(api, proxy.Endpoint);
        await api.RegisterAsync("web-1");
        await site.UntilAsync("web-1", NodeState.Joined);
        for (var i = 0; i < 5; i++)
        {
            var watches = proxy.Watches;
            proxy.Cut();
            await api.ReadyAsync("web-1", $"v1.34.{i}");
            await site.UntilAsync(() => site.Node("web-1")!.Version == $"v1.34.{i}", $"version {i}");
            Assert.True(proxy.Watches > watches, "it watches again");
        }
        Assert.Equal(1, proxy.Lists);
        Assert.DoesNotContain(site.Appliance.Snapshot.Alerts.Keys, id => id.StartsWith("cluster:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_that_throttles_is_left_alone_for_as_long_as_it_says()
    {
        await using var api = await KubeApi.StartAsync();
        await using var proxy = await ApiProxy.StartAsync(api);
        proxy.Throttled = 3;
        await using var site = await TrackedSite.StartAsync(api, proxy.Endpoint);
        await site.UntilConnectedAsync();
        var lists = proxy.Asked.Where(a => a.Path.StartsWith("/api/v1/nodes?limit", StringComparison.Ordinal)).Select(a => a.At).ToList();
        Assert.True(lists.Count >= 4, $"{lists.Count} lists");
        Assert.All(lists.Zip(lists.Skip(1)).Take(3), pair => Assert.True(pair.Second - pair.First >= TimeSpan.FromSeconds(0.99), $"asked again after {pair.Second - pair.First}"));

        // In the middle of it, and with an error of the server's besides.
        await api.RegisterAsync("web-1");
        await site.UntilAsync("web-1", NodeState.Joined);
        (proxy.Throttled, proxy.Failing) = (1, 1);
        proxy.Cut();
        await api.ReadyAsync("web-1");
        await site.UntilAsync("web-1", NodeState.Ready);
    }

    [Fact]
    public async Task Another_authority_another_name_and_a_wrong_token_are_not_followed()
    {
        await using var api = await KubeApi.StartAsync();
        await using var site = await TrackedSite.StartAsync(api);
        await site.UntilConnectedAsync();
        await api.RegisterAsync("web-1");
        await site.UntilAsync("web-1", NodeState.Joined);
        var given = site.Access.Given;

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var stranger = new CertificateRequest("CN=kubernetes", key, HashAlgorithmName.SHA256).CreateSelfSigned(TimeProvider.System.GetUtcNow().AddHours(-1), TimeProvider.System.GetUtcNow().AddHours(1));
        await Assert.ThrowsAsync<HttpRequestException>(() => AskAsync(api.Access(authorities: [stranger])));
        // The certificate is for 127.0.0.1; the right authority does not make another name right.
        await Assert.ThrowsAsync<HttpRequestException>(() => AskAsync(api.Access(new UriBuilder(api.Endpoint) { Host = "localhost" }.Uri)));
        Assert.Equal(System.Net.HttpStatusCode.Unauthorized, (await Assert.ThrowsAsync<ClusterRefusedException>(() => AskAsync(api.Access(token: "wrong")))).Status);
        await AskAsync(api.Access());
        // A token is asked for at each request: the next one may be another.
        await site.UntilAsync(() => site.Access.Given > given, "another token");
        Assert.DoesNotContain(KubeApi.ApplianceToken, api.Access().ToString(), StringComparison.Ordinal);

        static async Task AskAsync(ClusterAccess access)
        {
            using var way = new ClusterConnection(access, _ => ValueTask.FromResult(access));
            await new ClusterApi(way.Http, TimeProvider.System).ListNodesAsync(_ => { }, CancellationToken.None);
            // The library's own operations go the same way.
            Assert.NotNull(await new Drain(way.Client, TimeProvider.System).FindAsync("web-1", CancellationToken.None));
        }
    }
}
