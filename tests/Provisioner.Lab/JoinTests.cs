using System.Globalization;
using System.Text.Json.Nodes;
using Provisioner.ClusterPrograms;
using Provisioner.Lab.Cloud;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>
/// The whole way: a server is switched on, boots, is configured, enrols, joins, and its cluster says that it is Ready; then it is retired. On it run
/// the real join program and a stand-in for nodeadm; the cluster's API is a real one; AWS is a double that verifies what AWS verifies.
/// </summary>
public sealed class JoinTests(ITestOutputHelper output)
{
    private const string Host = "server-1";
    private const string Mac = "52:54:00:77:00:10";

    /// <summary>The zone, rack and lane that are to reach the node.</summary>
    private const string Place = """
          zone: dc1
          lane: blue
          location: { site: Madrid, rack: "Row 4" }
        """;

    /// <summary>From the first sign of a stage to the next, in an emulated guest on a busy machine.</summary>
    private static readonly TimeSpan StepLimit = TimeSpan.FromMinutes(4);

    [Theory]
    [InlineData(nameof(Firmware.UefiX64), "iam-ra")]
    [InlineData(nameof(Firmware.Bios), "ssm")]
    [InlineData(nameof(Firmware.UefiArm64), "iam-ra")]
    [InlineData(nameof(Firmware.UefiArm64), "ssm")]
    public async Task A_bare_server_becomes_a_Ready_node_and_is_retired(string machine, string provider)
    {
        var firmware = Enum.Parse<Firmware>(machine);
        Prerequisites.SkipWithoutDiskless(firmware, "dnsmasq", "openssl");
        KubeApiSetup.SkipWithout();
        var network = await LabNetwork.CreateAsync();
        await using var cloud = await AwsCloud.CreateAsync(network, isApiReal: true);
        var image = SiteImage.Diskless(firmware, await cloud.OverlayAsync());
        await using var site = await Site.CreateAsync(network, firmware, AwsCloud.NetworkSpec, image: image, settings: cloud.FirstSettings());
        await SetUpAsync(site, cloud, provider);
        await site.Service.ApplyAsync(AwsCloud.ProfileResource(firmware, image.Name));
        await site.RegisterAsync(Host, Mac, Place);
        await site.Service.DoAsync("provision", Host);
        var server = await site.AddDisklessServerAsync(Mac);

        await server.PowerOnAsync();
        var node = await JoinsAsync(site, cloud, server, provider);
        await BecomesReadyAsync(site, cloud, server, node);
        await IsRetiredAsync(site, cloud, server, node, provider);
    }

    private async Task SetUpAsync(Site site, AwsCloud cloud, string provider)
    {
        await site.Service.ApplyAsync(AwsCloud.ClusterResource(provider));
        var applied = await site.Service.DoAsync("aws", "apply", AwsCloud.Cluster);
        output.WriteLine(applied);
        await cloud.Api!.CreateAsync(await site.Service.DoAsync("aws", "plan", AwsCloud.Cluster, "--as", "kubernetes"));
        await site.RestartServiceAsync(settings: cloud.LastingSettings(applied));
        Assert.Equal($"Nothing wrong is found in AWS for {AwsCloud.Cluster}.\n", await site.Service.DoAsync("aws", "check", AwsCloud.Cluster));
    }

    /// <returns>The node's name.</returns>
    private async Task<string> JoinsAsync(Site site, AwsCloud cloud, DisklessServer server, string provider)
    {
        await WaitForStateAsync(site, server, "Enrolled", "Joining", "Joined");
        output.WriteLine($"Enrolled {server.Machine.SincePowerOn.TotalSeconds:F0} s after power-on.");
        var status = await WaitForStateAsync(site, server, "Joined");
        output.WriteLine($"Joined {server.Machine.SincePowerOn.TotalSeconds:F0} s after power-on: {status.ToJsonString()}");
        Assert.Contains("waiting for the CNI", status["reason"]!.GetValue<string>(), StringComparison.Ordinal);

        var findings = await site.Service.DoAsync("get", "findings", Host);
        output.WriteLine(findings);
        // The one that was waved through: this machine's disk is its memory.
        var failed = JsonNode.Parse(await site.Service.DoAsync("get", "findings", Host, "-o", "json"))!["items"]!.AsArray().Where(f => Text(f!, "outcome") == "fail").Select(f => Text(f!, "code"));
        Assert.Equal(["disk"], failed);

        var name = provider == "ssm" ? Assert.Single(cloud.Aws.Account.Activations.Values.SelectMany(a => a.Instances)) : Host;
        var node = await cloud.Api!.FindAsync($"api/v1/nodes/{name}");
        Assert.NotNull(node);
        Assert.Equal($"eks-hybrid:///eu-west-1/{AwsCloud.Cluster}/{name}", Text(node["spec"]!, "providerID"));
        var labels = node["metadata"]!["labels"]!.AsObject();
        foreach (var (label, value) in new Dictionary<string, string>
        {
            ["eks.amazonaws.com/compute-type"] = "hybrid",
            ["eks.amazonaws.com/hybrid-credential-provider"] = provider,
            ["topology.kubernetes.io/zone"] = "dc1",
            ["provisioner/lane"] = "blue",
            ["provisioner/rack"] = "Row-4",
            ["example.com/pool"] = "lab",
        })
            Assert.Equal(value, labels[label]?.GetValue<string>());
        Assert.Contains(node["spec"]!["taints"]!.AsArray(), taint => Text(taint!, "key") == "example.com/dedicated");
        Assert.Equal(await AddressAsync(server), Text(node["status"]!["addresses"]!.AsArray().Single(a => Text(a!, "type") == "InternalIP")!, "address"));
        // By the host's own certificate, or by nothing but its activation; and no secret of either is told.
        Assert.Equal(provider == "iam-ra", cloud.Aws.Account.Subjects.ContainsKey(Host));
        Assert.Equal(provider == "ssm", cloud.Aws.Operations.Contains("ssm:RegisterManagedInstance"));
        var told = string.Join('\n', (await site.Service.EventsAsync(Host)).Select(e => e.ToString()).Concat(site.Service.Log)) + await site.Service.DoAsync("log", Host);
        Assert.All(cloud.Aws.Account.Activations.Values, activation => Assert.DoesNotContain(activation.Code, told, StringComparison.Ordinal));
        Assert.All(cloud.Aws.Account.Keys.Values, keys => Assert.DoesNotContain(keys.SecretAccessKey, told, StringComparison.Ordinal));
        return name;
    }

    private async Task BecomesReadyAsync(Site site, AwsCloud cloud, DisklessServer server, string node)
    {
        await server.DoAsync(AwsCloud.NetworkPlugin);
        var status = await WaitForStateAsync(site, server, "Ready");
        output.WriteLine($"Ready {server.Machine.SincePowerOn.TotalSeconds:F0} s after power-on.");
        Assert.Equal("True", Condition((await cloud.Api!.FindAsync($"api/v1/nodes/{node}"))!));
        Assert.Equal(["start done", "installed done"], status["installation"]!["stages"]!.AsArray().Select(s => $"{Text(s!, "name")} {Text(s!, "state").ToLowerInvariant()}"));
        var events = await site.Service.EventsAsync(Host);
        output.WriteLine(Timeline.Describe(events));
        Timeline.AssertInOrder(events, new("http", "initrd.img"), new("http", "user-data", "200"), new("est", "Enrolled"));
        Assert.Equal("active\n", await server.DoAsync("systemctl is-active kubelet"));
        Assert.Contains("This host has joined", (await server.RunAsync("provisioner-join check")).Text, StringComparison.Ordinal);
    }

    private async Task IsRetiredAsync(Site site, AwsCloud cloud, DisklessServer server, string node, string provider)
    {
        var retired = await site.Service.DoAsync("retire", Host, "--yes");
        output.WriteLine(retired);
        var at = server.Machine.SincePowerOn;
        Assert.Null(await cloud.Api!.FindAsync($"api/v1/nodes/{node}"));
        // It is still there and runs. A minute later at most, AWS does not know it any more.
        while (true)
        {
            var beat = await server.RunAsync("/usr/local/bin/nodeadm kubelet-stand-in --once");
            if (beat.Text.Contains(provider == "ssm" ? "is not a managed instance" : "Certificate revoked", StringComparison.Ordinal))
                break;
            Assert.True(server.Machine.SincePowerOn - at < TimeSpan.FromMinutes(1), $"AWS still lets it in: {beat.Text}");
            await Task.Delay(1000);
        }
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Refused by AWS {(server.Machine.SincePowerOn - at).TotalSeconds:F1} s after it was retired."));
        Assert.Equal("Retired", Text(await StatusAsync(site), "state"));
    }

    private async Task<JsonNode> WaitForStateAsync(Site site, DisklessServer server, params string[] states)
    {
        var from = server.Machine.SincePowerOn;
        while (true)
        {
            var status = await StatusAsync(site);
            if (states.Contains(Text(status, "state"), StringComparer.Ordinal))
                return status;
            if (server.Machine.SincePowerOn - from > StepLimit)
            {
                output.WriteLine((await server.RunAsync("journalctl --no-pager -u provisioner-enrol -u provisioner-join -u kubelet -o cat | tail -n 60; tail -n 40 /var/log/provisioner-join.log")).Text);
                Assert.Fail($"{Host} is {status.ToJsonString()} and not {string.Join(" or ", states)}:\n{server.Machine.SerialTail()}\n{site.Service.LogTail()}");
            }
            await Task.Delay(500);
        }
    }

    private static async Task<JsonNode> StatusAsync(Site site) => JsonNode.Parse(await site.Service.DoAsync("get", "hosts", Host, "-o", "json"))!["status"]!;

    private static async Task<string> AddressAsync(DisklessServer server) =>
        (await server.DoAsync("ip -4 -o address show scope global | awk '{ sub(\"/.*\", \"\", $4); print $4 }'")).Trim();

    private static string Condition(JsonObject node) => Text(node["status"]!["conditions"]!.AsArray().Single(c => Text(c!, "type") == "Ready")!, "status");

    private static string Text(JsonNode json, string field) => json[field]!.GetValue<string>();
}
