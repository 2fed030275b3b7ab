using System.Text.Json.Nodes;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Cli;

public sealed class InventoryTests
{
    [Fact]
    public async Task Hosts_are_in_groups_that_Ansible_takes_with_their_variables()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        await appliance.ApplyAsync($$"""
            {{Site.Network}}
            ---
            apiVersion: provisioner/v1
            kind: Host
            metadata: { name: rack1-n07, labels: { team: risk } }
            spec: { macAddresses: ["52-54-00-12-34-56"], architecture: x86_64, address: 10.77.0.7, zone: eu-central-1a, location: { site: fra, rack: "Rack 1", unit: 7 } }
            """);

        var inventory = JsonNode.Parse((await appliance.RunAsync("inventory", "--list")).Succeeded())!.AsObject();

        Assert.Equal("rack1-n07", inventory["rack_rack_1"]!["hosts"]!.AsArray().Single()!.ToString());
        Assert.Equal(["_meta", "rack_rack_1", "site_fra", "state_registered", "zone_eu_central_1a"], inventory.Select(g => g.Key));
        var variables = inventory["_meta"]!["hostvars"]!["rack1-n07"]!;
        Assert.Equal("10.77.0.7", variables["ansible_host"]!.ToString());
        Assert.Equal("risk", variables["provisioner_labels"]!["team"]!.ToString());
        Assert.True(JsonNode.DeepEquals(variables, JsonNode.Parse((await appliance.RunAsync("inventory", "--host", "rack1-n07")).Succeeded())));
    }
}
