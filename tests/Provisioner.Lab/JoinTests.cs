using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Playwright;
using Provisioner.ClusterPrograms;
using Provisioner.Lab.Cloud;
using Provisioner.Lab.Harness;
using static Microsoft.Playwright.Assertions;

namespace Provisioner.Lab;

/// <summary>
/// The whole way: servers are switched on, boot, are configured, enrol, join, and their cluster says that they are Ready; then they are retired. One joins
/// by its certificate and was registered in the console by its first admin; one by an activation, and by the command line. On them run the real join
/// program and a stand-in for nodeadm; the cluster's API is a real one; AWS is a
/// double that verifies what AWS verifies.
/// </summary>
public sealed class JoinTests(ITestOutputHelper output)
{
    /// <summary>The zone, rack and lane that are to reach the node.</summary>
    private const string Place = """
          zone: dc1
          lane: blue
          location: { site: Madrid, rack: "Row 4" }
        """;

    private sealed record Machine(string Host, string Provider, string? Lane, DisklessServer Server);

    [Theory]
    [InlineData(nameof(Firmware.UefiX64))]
    [InlineData(nameof(Firmware.UefiArm64))]
    public async Task Bare_servers_become_Ready_nodes_and_are_retired(string machine)
    {
        var firmware = Enum.Parse<Firmware>(machine);
        Prerequisites.SkipWithoutDiskless(firmware, "dnsmasq", "openssl", ConsoleBrowser.Program);
        KubeApiSetup.SkipWithout();
        var network = await LabNetwork.CreateAsync();
        await using var cloud = await AwsCloud.CreateAsync(network, isApiReal: true);
        var image = SiteImage.Diskless(firmware, await cloud.OverlayAsync());
        await using var site = await Site.CreateAsync(network, firmware, AwsCloud.NetworkSpec, image: image, settings: cloud.FirstSettings());
        await site.Service.ApplyAsync(AwsCloud.ClusterResource);
        foreach (var provider in (string[])["iam-ra", "ssm"])
            await site.Service.ApplyAsync(AwsCloud.ProfileResource(firmware, image.Name, "by-" + provider, provider));
        await SetUpAsync(site, cloud);

        const string FirstMac = "52:54:00:77:00:10", SecondMac = "52:54:00:77:00:11";
        await using var console = await ConsoleBrowser.OpenAsync(network.Appliance);
        var first = new Machine("server-1", "iam-ra", null, await site.AddDisklessServerAsync(FirstMac));
        await RegisterInConsoleAsync(site, console, first, FirstMac);
        await first.Server.PowerOnAsync();
        var second = new Machine("server-2", "ssm", "blue", await site.AddDisklessServerAsync(SecondMac));
        await site.RegisterAsync(second.Host, SecondMac, Place, "by-" + second.Provider);
        await site.Service.DoAsync("provision", second.Host);
        await second.Server.PowerOnAsync();

        foreach (var each in (Machine[])[first, second])
        {
            var node = await JoinsAsync(site, cloud, each);
            await BecomesReadyAsync(site, cloud, each, node);
            if (each == first)
            {
                // Nobody has touched the page since the button was pressed.
                await Expect(console.Page.Locator(".head .state")).ToContainTextAsync("Ready");
            }
            await IsRetiredAsync(site, cloud, each, node);
        }
    }

    /// <summary>What a person does who was given the set-up link and knows nothing more.</summary>
    private static async Task RegisterInConsoleAsync(Site site, ConsoleBrowser console, Machine machine, string mac)
    {
        var page = console.Page;
        var link = new Uri((await site.Service.DoAsync("setup")).Trim());
        await page.GotoAsync(console.Root + link.PathAndQuery + link.Fragment);
        await page.GetByLabel("Name").FillAsync("ada");
        await page.GetByLabel("Password, of at least 12 characters").FillAsync("correct horse battery");
        await page.GetByLabel("Once more").FillAsync("correct horse battery");
        await page.GetByRole(AriaRole.Button, new() { Name = "Make the admin" }).ClickAsync();
        await page.WaitForURLAsync(console.Root + "/");

        await page.GotoAsync(console.Root + "/register");
        await console.LiveAsync();
        await page.GetByLabel("Name").FillAsync(machine.Host);
        await page.GetByLabel("MAC addresses").FillAsync(mac);
        await page.GetByLabel("Architecture").SelectOptionAsync(site.Architecture);
        await page.GetByLabel("Profile").SelectOptionAsync("by-" + machine.Provider);
        await page.GetByLabel("Rack", new() { Exact = true }).FillAsync("Row 4");
        await page.GetByLabel("Zone").FillAsync("dc1");
        await page.GetByRole(AriaRole.Button, new() { Name = "Register" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = machine.Host })).ToBeVisibleAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Provision" }).ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        await dialog.GetByRole(AriaRole.Textbox).FillAsync(machine.Host);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Provision" }).ClickAsync();
        await Expect(page.Locator(".head .state")).ToContainTextAsync("Waiting");
    }

    private async Task SetUpAsync(Site site, AwsCloud cloud)
    {
        var applied = await site.Service.DoAsync("aws", "apply", AwsCloud.Cluster);
        output.WriteLine(applied);
        await cloud.Api!.CreateAsync(await site.Service.DoAsync("aws", "plan", AwsCloud.Cluster, "--as", "kubernetes"));
        await site.RestartServiceAsync(settings: cloud.LastingSettings(applied));
        Assert.Equal($"Nothing wrong is found in AWS for {AwsCloud.Cluster}.\n", await site.Service.DoAsync("aws", "check", AwsCloud.Cluster));
    }

    /// <returns>The node's name.</returns>
    private async Task<string> JoinsAsync(Site site, AwsCloud cloud, Machine machine)
    {
        var (host, provider, lane, server) = machine;
        await WaitForStateAsync(site, machine, "Enrolled", "Joining", "Joined");
        output.WriteLine($"{host} enrolled {server.Machine.SincePowerOn.TotalSeconds:F0} s after power-on.");
        var status = await WaitForStateAsync(site, machine, "Joined");
        output.WriteLine($"{host} joined {server.Machine.SincePowerOn.TotalSeconds:F0} s after power-on: {status.ToJsonString()}");
        Assert.Contains("waiting for the CNI", status["reason"]!.GetValue<string>(), StringComparison.Ordinal);

        var findings = await site.Service.DoAsync("get", "findings", host);
        output.WriteLine(findings);
        // The one that was waved through: this machine's disk is its memory.
        var failed = JsonNode.Parse(await site.Service.DoAsync("get", "findings", host, "-o", "json"))!["items"]!.AsArray().Where(f => Text(f!, "verdict") == "fail").Select(f => Text(f!, "code"));
        Assert.Equal(["disk"], failed);

        var name = provider == "ssm" ? Assert.Single(cloud.Aws.Account.Activations.Values.SelectMany(a => a.Instances)) : host;
        var node = await cloud.Api!.FindAsync($"api/v1/nodes/{name}");
        Assert.NotNull(node);
        Assert.Equal($"eks-hybrid:///eu-west-1/{AwsCloud.Cluster}/{name}", Text(node["spec"]!, "providerID"));
        var labels = node["metadata"]!["labels"]!.AsObject();
        foreach (var (label, value) in new Dictionary<string, string?>
        {
            ["eks.amazonaws.com/compute-type"] = "hybrid",
            ["eks.amazonaws.com/hybrid-credential-provider"] = provider,
            ["topology.kubernetes.io/zone"] = "dc1",
            ["provisioner/lane"] = lane,
            ["provisioner/rack"] = "Row-4",
            ["example.com/pool"] = "lab",
        })
            Assert.Equal(value, labels[label]?.GetValue<string>());
        Assert.Contains(node["spec"]!["taints"]!.AsArray(), taint => Text(taint!, "key") == "example.com/dedicated");
        Assert.Equal(await AddressAsync(server), Text(node["status"]!["addresses"]!.AsArray().Single(a => Text(a!, "type") == "InternalIP")!, "address"));
        // By the host's own certificate, or by nothing but its activation; and no secret of either is told.
        Assert.Equal(provider == "iam-ra", cloud.Aws.Account.Subjects.ContainsKey(host));
        Assert.Equal(provider == "ssm" ? 1 : 0, cloud.Aws.Account.Activations.Values.Count(a => a.Tags.ContainsValue(host)));
        var told = string.Join('\n', (await site.Service.EventsAsync(host)).Select(e => e.ToString()).Concat(site.Service.Log)) + await site.Service.DoAsync("log", host);
        Assert.All(cloud.Aws.Account.Activations.Values, activation => Assert.DoesNotContain(activation.Code, told, StringComparison.Ordinal));
        Assert.All(cloud.Aws.Account.Keys.Values, keys => Assert.DoesNotContain(keys.SecretAccessKey, told, StringComparison.Ordinal));
        return name;
    }

    private async Task BecomesReadyAsync(Site site, AwsCloud cloud, Machine machine, string node)
    {
        var (host, server) = (machine.Host, machine.Server);
        await server.DoAsync(AwsCloud.NetworkPlugin);
        var status = await WaitForStateAsync(site, machine, "Ready");
        output.WriteLine($"{host} Ready {server.Machine.SincePowerOn.TotalSeconds:F0} s after power-on.");
        Assert.Equal("True", Condition((await cloud.Api!.FindAsync($"api/v1/nodes/{node}"))!));
        Assert.Equal(["start done", "installed done"], status["installation"]!["stages"]!.AsArray().Select(s => $"{Text(s!, "name")} {Text(s!, "state").ToLowerInvariant()}"));
        var events = await site.Service.EventsAsync(host);
        output.WriteLine(Timeline.Describe(events));
        Timeline.AssertInOrder(events, new(site.ImageSource, "initrd.img"), new("http", "user-data", "200"), new("est", "Enrolled"));
        Assert.Equal("active\n", await server.DoAsync("systemctl is-active kubelet"));
        Assert.Contains("This host has joined", (await server.RunAsync("provisioner-join check")).Text, StringComparison.Ordinal);
    }

    private async Task IsRetiredAsync(Site site, AwsCloud cloud, Machine machine, string node)
    {
        var (host, provider, server) = (machine.Host, machine.Provider, machine.Server);
        var retired = await site.Service.DoAsync("retire", host);
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
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{host} refused by AWS {(server.Machine.SincePowerOn - at).TotalSeconds:F1} s after it was retired."));
        Assert.Equal("Retired", Text(await StatusAsync(site, host), "state"));
    }

    private async Task<JsonNode> WaitForStateAsync(Site site, Machine machine, params string[] states)
    {
        var (host, server) = (machine.Host, machine.Server);
        var from = server.Machine.SincePowerOn;
        while (true)
        {
            var status = await StatusAsync(site, host);
            if (states.Contains(Text(status, "state"), StringComparer.Ordinal))
                return status;
            if (server.Machine.SincePowerOn - from > 2 * site.BootLimit)
            {
                output.WriteLine((await server.RunAsync("journalctl --no-pager -u provisioner-enrol -u provisioner-join -u kubelet -o cat | tail -n 60; tail -n 40 /var/log/provisioner-join.log")).Text);
                Assert.Fail($"{host} is {status.ToJsonString()} and not {string.Join(" or ", states)}:\n{server.Machine.SerialTail()}\n{site.Service.LogTail()}");
            }
            await Task.Delay(2000);
        }
    }

    private static async Task<JsonNode> StatusAsync(Site site, string host) => JsonNode.Parse(await site.Service.DoAsync("get", "hosts", host, "-o", "json"))!["status"]!;

    private static async Task<string> AddressAsync(DisklessServer server) =>
        (await server.DoAsync("ip -4 -o address show scope global | awk '{ sub(\"/.*\", \"\", $4); print $4 }'")).Trim();

    private static string Condition(JsonObject node) => Text(node["status"]!["conditions"]!.AsArray().Single(c => Text(c!, "type") == "Ready")!, "status");

    private static string Text(JsonNode json, string field) => json[field]!.GetValue<string>();
}
