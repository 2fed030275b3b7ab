using Provisioner.Kubernetes;

namespace Provisioner.Tests.Kubernetes;

/// <summary>Upgrades with a real API server; the test is the hosts that come back.</summary>
public sealed class RolloutTests
{
    [Fact]
    public async Task Hosts_are_upgraded_in_place_one_wave_after_the_other()
    {
        await using var api = await KubeApi.StartAsync();
        await using var site = await TrackedSite.StartAsync(api);
        foreach (var name in new[] { "web-1", "web-2", "web-3" })
        {
            await api.RegisterAsync(name);
            await api.ReadyAsync(name, "v1.19.1");
            await site.UntilAsync(name, NodeState.Ready);
            await api.PodAsync($"pod-{name}", name, "ReplicaSet");
        }
        // The server is of 1.20: no kubelet may be newer than it.
        Assert.Contains("not newer than the cluster", (await site.Appliance.RunAsync("upgrade", "worker", "--to", "1.21", "--in-place")).Error, StringComparison.Ordinal);
        Assert.Contains("does not go back", (await site.Appliance.RunAsync("upgrade", "worker", "--to", "1.18", "--in-place")).Error, StringComparison.Ordinal);
        Assert.Contains("did you mean 'web-1'", (await site.Appliance.RunAsync("upgrade", "webb-1", "--to", "1.20", "--in-place")).Error, StringComparison.Ordinal);
        Assert.Contains("no files yet", (await site.Appliance.RunAsync("upgrade", "worker", "--to", "1.20")).Error, StringComparison.Ordinal);

        Assert.Matches("wave 1: web-1, web-2\nwave 2: web-3\n", (await site.Appliance.RunAsync("upgrade", "worker", "--to", "1.20", "--in-place", "--wave", "2")).Succeeded());
        var id = Assert.Single(site.Appliance.Snapshot.Rollouts.Keys);
        Assert.Contains("one at a time", (await site.Appliance.RunAsync("upgrade", "web-3", "--to", "1.20", "--in-place")).Error, StringComparison.Ordinal);
        await UntilAsync(site, id, "web-1", RolloutStage.Upgrading);
        await UntilAsync(site, id, "web-2", RolloutStage.Upgrading);
        Assert.Equal("1.20", site.Appliance.Snapshot.DesiredVersionOf("web-1"));
        Assert.Equal("1.34", site.Appliance.Snapshot.DesiredVersionOf("web-3"));
        Assert.Empty(await api.PodsAsync("web-1"));
        Assert.Equal(["pod-web-3"], await api.PodsAsync("web-3"));

        // The appliance restarts in the middle of it, and goes on.
        await site.RestartAsync();
        await api.ReadyAsync("web-1", "v1.20.2-eks-1a2b3c4");
        await UntilAsync(site, id, "web-1", RolloutStage.Done);
        Assert.Null((await api.GetAsync("api/v1/nodes/web-1"))["spec"]!["unschedulable"]);
        Assert.Equal(RolloutStage.Waiting, Host(site, id, "web-3").Stage);
        (await site.Appliance.RunAsync("rollout", "pause", id)).Succeeded();
        await api.ReadyAsync("web-2", "v1.20.2");
        await UntilAsync(site, id, "web-2", RolloutStage.Done);
        Assert.Equal(RolloutStage.Waiting, Host(site, id, "web-3").Stage);
        (await site.Appliance.RunAsync("rollout", "resume", id)).Succeeded();
        await UntilAsync(site, id, "web-3", RolloutStage.Upgrading);
        await api.ReadyAsync("web-3", "v1.20.2");
        await site.UntilAsync(() => site.Appliance.Snapshot.Rollouts[id].State == RolloutState.Done, "its end");
        Assert.Matches($@"{id}\s+done\s+1\.20\s+prod\s+3/3", (await site.Appliance.RunAsync("get", "upgrades")).Succeeded());
        Assert.Contains("run 1.20 already", (await site.Appliance.RunAsync("upgrade", "worker", "--to", "1.20", "--in-place")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_stops_at_the_first_that_fails_and_goes_on_when_told_to()
    {
        await using var api = await KubeApi.StartAsync();
        await using var site = await TrackedSite.StartAsync(api);
        foreach (var name in new[] { "web-1", "web-2" })
        {
            await api.RegisterAsync(name);
            await api.ReadyAsync(name, "v1.19.1");
            await site.UntilAsync(name, NodeState.Ready);
        }
        await api.PodAsync("web", "web-1", "ReplicaSet");
        await api.BudgetAsync("web", "web", allowed: 0);
        (await site.Appliance.RunAsync("upgrade", "worker", "--to", "1.20", "--in-place", "--drain-timeout", "2s")).Succeeded();
        var id = Assert.Single(site.Appliance.Snapshot.Rollouts.Keys);
        await site.UntilAsync(() => site.Appliance.Snapshot.Rollouts[id].State == RolloutState.Failed, "the failure");
        Assert.Contains("disruption budget", Host(site, id, "web-1").Message, StringComparison.Ordinal);
        Assert.Equal(RolloutStage.Waiting, Host(site, id, "web-2").Stage);
        Assert.Contains($"upgrade:{id}", site.Appliance.Snapshot.Alerts.Keys);

        await api.BudgetAsync("web", "web", allowed: 1);
        (await site.Appliance.RunAsync("rollout", "resume", id)).Succeeded();
        await UntilAsync(site, id, "web-1", RolloutStage.Upgrading);
        Assert.Empty(site.Appliance.Snapshot.Alerts);
        (await site.Appliance.RunAsync("rollout", "cancel", id)).Succeeded();
        await api.ReadyAsync("web-1", "v1.20.2");
        await UntilAsync(site, id, "web-1", RolloutStage.Done);
        Assert.Equal((RolloutState.Cancelled, RolloutStage.Waiting), (site.Appliance.Snapshot.Rollouts[id].State, Host(site, id, "web-2").Stage));
    }

    [Fact]
    public async Task A_host_that_is_built_anew_comes_back_as_another_node()
    {
        await using var api = await KubeApi.StartAsync();
        await using var site = await TrackedSite.StartAsync(api);
        await site.ImportImageAsync();
        await api.RegisterAsync("web-1");
        await api.ReadyAsync("web-1", "v1.19.1");
        await site.UntilAsync("web-1", NodeState.Ready);
        (await site.Appliance.RunAsync("upgrade", "web-1", "--to", "1.20.2")).Succeeded();
        var id = Assert.Single(site.Appliance.Snapshot.Rollouts.Keys);
        await UntilAsync(site, id, "web-1", RolloutStage.Upgrading);
        Assert.Null(await api.FindAsync("api/v1/nodes/web-1"));
        Assert.True(site.Appliance.Snapshot.Installations["web-1"].BuildsAt(site.Appliance.Now));
        await site.UntilAsync("web-1", NodeState.Deleted);
        Assert.Equal("Waiting", await site.StateAsync("web-1"));
        Assert.Empty(site.Appliance.Snapshot.Alerts);
        await api.RegisterAsync("web-1");
        await api.ReadyAsync("web-1", "v1.20.2");
        await UntilAsync(site, id, "web-1", RolloutStage.Done);
        Assert.Equal(RolloutState.Done, site.Appliance.Snapshot.Rollouts[id].State);
    }

    private static RolloutHost Host(TrackedSite site, string id, string host) => site.Appliance.Snapshot.Rollouts[id].Hosts.Single(h => h.Host == host);

    private static Task UntilAsync(TrackedSite site, string id, string host, RolloutStage stage) =>
        site.UntilAsync(() => Host(site, id, host).Stage == stage, $"{host} {stage}: {string.Join("; ", site.Appliance.Snapshot.Rollouts[id].Hosts)}");
}
