using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Provisioner.Auth;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Auth;

namespace Provisioner.Tests.Metrics;

public sealed class MetricsTests
{
    [Fact]
    public async Task Prometheus_reads_what_the_dashboard_shows()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        await Provisioner.Tests.Web.ConsoleSite.BuildAsync(appliance);
        using var nobody = new Visitor(appliance);
        (await nobody.GetAsync("/metrics")).Is(401);
        using var prometheus = await Visitor.WithTokenAsync(appliance, "prometheus", Role.Viewer);

        var text = (await prometheus.GetAsync("/metrics")).Is(200).Text;

        Assert.Matches("""(?m)^provisioner_hosts\{[^}]*state="Failed"[^}]*\} 3""", text);
        Assert.Matches("""(?m)^provisioner_discovered(\{[^}]*\})? 1""", text);
        Assert.Matches("""(?m)^provisioner_alerts\{[^}]*severity="Warning"[^}]*\} 1""", text);
        Assert.Matches("""(?m)^provisioner_host_state_seconds\{[^}]*host="r1-n02"[^}]*\} \d""", text);
        Assert.Matches("""(?m)^provisioner_events_total\{[^}]*\} [1-9]""", text);
        Assert.Matches("""(?m)^provisioner_authority_remaining_seconds\{[^}]*\} \d""", text);
        // Each metric that the dashboard's expressions name is one that there is, with the labels they use.
        var dashboard = File.ReadAllText(Path.Combine(Repository.Root, "docs", "grafana.json"));
        var names = JsonNode.Parse(dashboard)!["panels"]!.AsArray().SelectMany(p => p!["targets"]!.AsArray()).SelectMany(t => Regex.Matches(t!["expr"]!.ToString(), @"provisioner_[a-z_]+")).Select(m => m.Value).Distinct().ToList();
        Assert.NotEmpty(names);
        // Without a certificate, a node or a cluster there is nothing to say of them.
        string[] perhaps = ["provisioner_certificate_remaining_seconds", "provisioner_nodes", "provisioner_cluster_connected"];
        Assert.All(names.Except(perhaps), name => Assert.Contains($"# TYPE {name}", text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Ready_says_so_to_anybody_and_no_more()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        using var nobody = new Visitor(appliance);
        Assert.Equal("ready\n", (await nobody.GetAsync("/readyz")).Is(200).Text);
    }
}
