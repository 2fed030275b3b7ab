using System.Net.Http.Json;
using Provisioner.Kubernetes;

namespace Provisioner.Tests.Kubernetes;

/// <summary>Hosts leave a real API server.</summary>
public sealed class RetirementTests
{
    [Fact]
    public async Task A_host_leaves_its_cluster_and_then_the_fleet()
    {
        await using var api = await KubeApi.StartAsync();
        await using var site = await TrackedSite.StartAsync(api);
        await api.RegisterAsync("web-1");
        await api.ReadyAsync("web-1");
        await site.UntilAsync("web-1", NodeState.Ready);
        await api.PodAsync("agent", "web-1", "DaemonSet");
        await api.PodAsync("web-a", "web-1", "ReplicaSet");
        await api.PodAsync("done", "web-1", null);
        await api.PatchAsync("api/v1/namespaces/default/pods/done/status", """{"status":{"phase":"Succeeded"}}""");
        await api.PodAsync("alone", "web-1", null, app: "alone");
        await api.BudgetAsync("web", "web", allowed: 0);

        // A pod that nobody makes again: only by force.
        var refused = await site.Appliance.RunAsync("retire", "web-1", "--timeout", "2s");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("default/alone", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--force", refused.Error, StringComparison.Ordinal);
        Assert.True((await api.GetAsync("api/v1/nodes/web-1"))["spec"]!["unschedulable"]!.GetValue<bool>());
        Assert.Equal(["agent", "alone", "done", "web-a"], await api.PodsAsync("web-1"));
        Assert.Null(site.Appliance.Snapshot.Hosts["web-1"].RetiredAt);

        // A budget that allows none: force does not break it.
        var held = await site.Appliance.RunAsync("retire", "web-1", "--timeout", "2s", "--force");
        Assert.Equal(1, held.ExitCode);
        Assert.Contains("disruption budget", held.Error, StringComparison.Ordinal);
        Assert.Equal(["agent", "web-a"], await api.PodsAsync("web-1"));
        Assert.Null(site.Appliance.Snapshot.Hosts["web-1"].RetiredAt);

        // It allows one while the drain waits: the same command goes on and comes to its end.
        var retiring = site.Appliance.RunAsync("retire", "web-1", "--timeout", "2m", "--force");
        await site.UntilAsync(() => site.Events("web-1").Count(e => e.Reason.Contains("web-a waits", StringComparison.Ordinal)) >= 2, "it waits");
        await api.BudgetAsync("web", "web", allowed: 1);
        var output = (await retiring).Succeeded();
        Assert.Contains("default/web-a evicted", output, StringComparison.Ordinal);
        Assert.Matches("delete-node\\s+done", output);
        Assert.Contains("web-1 is retired since", output, StringComparison.Ordinal);
        Assert.Null(await api.FindAsync("api/v1/nodes/web-1"));
        Assert.NotNull(site.Appliance.Snapshot.Hosts["web-1"].RetiredAt);
        await site.UntilAsync("web-1", NodeState.Deleted);
        Assert.Equal("Retired", await site.StateAsync("web-1"));
        Assert.Empty(site.Appliance.Snapshot.Alerts);

        // Once more, and nothing is left to do.
        Assert.Contains("there is no Node web-1", (await site.Appliance.RunAsync("retire", "web-1")).Succeeded(), StringComparison.Ordinal);
        // Its kubelet was not switched off, and registers again: that is charged for.
        await api.RegisterAsync("web-1");
        await site.UntilAsync(() => site.Appliance.Snapshot.Alerts.ContainsKey(NodeChanges.RetiredAlert("web-1")), "the alert");
    }

    [Fact]
    public async Task A_pod_ends_when_its_kubelet_says_so_and_a_silent_kubelet_is_not_waited_for()
    {
        await using var api = await KubeApi.StartAsync();
        await using var site = await TrackedSite.StartAsync(api);
        foreach (var name in new[] { "web-1", "web-2" })
        {
            await api.RegisterAsync(name);
            await api.ReadyAsync(name);
            await site.UntilAsync(name, NodeState.Ready);
            await api.PodAsync($"slow-{name}", name, "ReplicaSet", grace: 30);
        }
        var running = await site.Appliance.RunAsync("retire", "web-1", "--timeout", "1s");
        Assert.Equal(1, running.ExitCode);
        Assert.Contains("not ended yet", running.Error, StringComparison.Ordinal);
        var retiring = site.Appliance.RunAsync("retire", "web-1", "--timeout", "2m");
        // What a kubelet does once the containers have stopped.
        await api.DeleteAsync("api/v1/namespaces/default/pods/slow-web-1", """{"gracePeriodSeconds":0}""");
        (await retiring).Succeeded();

        await api.ReportAsync("web-2", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.");
        await site.UntilAsync("web-2", NodeState.Unknown);
        Assert.Contains("its kubelet does not report", (await site.Appliance.RunAsync("retire", "web-2", "--timeout", "20s")).Succeeded(), StringComparison.Ordinal);
        Assert.Null(await api.FindAsync("api/v1/nodes/web-2"));
        Assert.Empty(site.Appliance.Snapshot.Alerts);
    }

    [Fact]
    public async Task A_cluster_that_cannot_be_reached_stops_it_unless_forced()
    {
        await using var api = await KubeApi.StartAsync();
        await using var site = await TrackedSite.StartAsync(api);
        await api.RegisterAsync("web-1");
        await api.ReadyAsync("web-1");
        await site.UntilAsync("web-1", NodeState.Ready);
        await api.StopServerAsync();
        var (status, body) = await site.Appliance.SendAsync(HttpMethod.Post, "hosts/web-1/retire", JsonContent.Create(new { }));
        Assert.Equal(409, status);
        Assert.Contains("Nothing else was done", body["detail"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Null(site.Appliance.Snapshot.Hosts["web-1"].RetiredAt);

        var forced = (await site.Appliance.RunAsync("retire", "web-1", "--force")).Succeeded();
        Assert.Contains("kubectl delete node web-1", forced, StringComparison.Ordinal);
        Assert.NotNull(site.Appliance.Snapshot.Hosts["web-1"].RetiredAt);

        // Later the same command does what was left.
        await api.StartServerAsync();
        Assert.Matches("delete-node\\s+done", (await site.Appliance.RunAsync("retire", "web-1")).Succeeded());
        Assert.Null(await api.FindAsync("api/v1/nodes/web-1"));
    }
}
