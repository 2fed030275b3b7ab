using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Joining;
using Provisioner.Progress;
using Provisioner.Storage;
using Provisioner.Tests.Certificates;

namespace Provisioner.Tests.Joining;

public sealed class JoinEndpointTests
{
    private const string Name = "rack1-n07";

    [Fact]
    public async Task A_host_is_told_what_it_joins_and_given_its_NodeConfig()
    {
        await using var site = await SiteAsync();
        using var certificate = await site.EnrolAsync(Name);
        var client = new EstClient(site.Appliance, certificate);

        var join = await client.GetAsync("/api/v1/self/join");
        Assert.Equal("text/plain; charset=utf-8", join.MediaType);
        Golden.Match(join.Body.Replace($":{site.Appliance.BootPort}/", ":8080/", StringComparison.Ordinal), "join");
        // The host asks at the loopback address, where a preview without a Network is made for as well.
        Assert.Equal(join.Body, (await site.Appliance.RunAsync("render", Name, "join")).Succeeded());

        var config = await client.GetAsync("/api/v1/self/nodeconfig");
        Assert.Equal((200, "application/yaml"), (config.Status, config.MediaType));
        Assert.Equal(JoinSite.Plan().ToNodeConfig(null).ToYaml(), config.Body);
        Assert.Equal(config.Body, (await site.Appliance.RunAsync("render", Name, "nodeconfig")).Succeeded());
        Assert.Equal("10.77.0.21", site.Appliance.Snapshot.Joins[Name].NodeIp.ToString());
        Assert.Contains(site.Appliance.EventLog.Find(new EventQuery { Host = Name }), e => e.What == "GET nodeconfig → 200, node address 10.77.0.21");
        // In a loop it is told once.
        await client.GetAsync("/api/v1/self/nodeconfig");
        Assert.Single(site.Appliance.EventLog.Find(new EventQuery { Host = Name }), e => e.What.StartsWith("GET nodeconfig", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_host_without_a_fixed_address_gets_the_one_it_asks_from()
    {
        await using var site = await SiteAsync(h => h with { Address = null }, c => c with { RemoteNodeNetworks = [] });
        using var certificate = await site.EnrolAsync(Name);

        var config = await new EstClient(site.Appliance, certificate).GetAsync("/api/v1/self/nodeconfig");

        Assert.Contains("--node-ip=127.0.0.1", config.Body, StringComparison.Ordinal);
        Assert.Contains("--node-ip=THE-ADDRESS", (await site.Appliance.RunAsync("render", Name, "nodeconfig")).Succeeded(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_host_that_cannot_join_is_told_why_and_when_to_ask_again()
    {
        await using var site = await SiteAsync(cluster: c => c with { ProfileArn = null });
        using var certificate = await site.EnrolAsync(Name);
        var client = new EstClient(site.Appliance, certificate);

        var join = await client.GetAsync("/api/v1/self/join");
        Assert.StartsWith("state=wait\nreason=Cluster prod has no profileArn: run 'provisioner aws apply'", join.Body, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromSeconds(60), join.RetryAfter);
        var config = await client.GetAsync("/api/v1/self/nodeconfig");
        config.AssertRefused(503, "has no profileArn");
        Assert.Equal(TimeSpan.FromSeconds(60), config.RetryAfter);
        Assert.Contains("has no profileArn", (await site.Appliance.RunAsync("render", Name, "nodeconfig")).Error, StringComparison.Ordinal);

        await PutAsync(site, cluster: c => c with { RemoteNodeNetworks = [Protocols.Ipv4Cidr.Parse("10.1.0.0/16")] });
        Assert.StartsWith("state=refused\nreason=its address 10.77.0.21 is in none", (await client.GetAsync("/api/v1/self/join")).Body, StringComparison.Ordinal);
        (await client.GetAsync("/api/v1/self/nodeconfig")).AssertRefused(409, "is in none");
        await site.EventsUntilAsync(e => e is { Outcome: EventOutcome.Refused, Host: Name } && e.What == "GET nodeconfig → 409");
    }

    [Fact]
    public async Task Who_shows_no_certificate_or_a_revoked_one_is_told_nothing()
    {
        await using var site = await SiteAsync();
        using var certificate = await site.EnrolAsync(Name);
        await site.PostAsync($"certificates/{Name}/revoke");
        foreach (var (client, reason) in new[] { (new EstClient(site.Appliance), "a client certificate is needed"), (new EstClient(site.Appliance, certificate), "was revoked") })
        {
            (await client.GetAsync("/api/v1/self/join")).AssertRefused(403, reason);
            (await client.GetAsync("/api/v1/self/nodeconfig")).AssertRefused(403, reason);
            foreach (var what in new[] { "stage", "preflight", "log" })
                (await Post(client, what, "x")).AssertRefused(403, reason);
        }
    }

    [Fact]
    public async Task An_activation_is_made_once_and_its_code_goes_to_the_host_alone()
    {
        var source = new Activations();
        await using var site = await SiteAsync(node: new NodeOptions { CredentialProvider = CredentialProvider.Ssm }, services: s => s.AddSingleton<IActivations>(source));
        source.Now = () => site.Now;
        using var certificate = await site.EnrolAsync(Name);
        var client = new EstClient(site.Appliance, certificate);

        // At once, as a client does whose first connection hangs.
        var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => client.GetAsync("/api/v1/self/nodeconfig")));
        Assert.Equal(1, source.Made);
        Assert.Single(answers.Select(a => a.Body).Distinct());
        Assert.Contains("activationCode: s3cret-code-of-activation-1", answers[0].Body, StringComparison.Ordinal);
        Assert.Equal(("00000000-0000-0000-0000-000000000001", site.Now.AddHours(1)), (site.Appliance.Snapshot.Joins[Name].ActivationId, site.Appliance.Snapshot.Joins[Name].ActivationEndsAt));
        // What the host says of it later does not show it either.
        await Post(client, "log", "nodeadm: register with s3cret-code-of-activation-1 failed\n");
        await Post(client, "stage", """{"stage":"init","state":"failed","message":"s3cret-code-of-activation-1 is over"}""");
        await Post(client, "preflight", "ssm\tfail\ts3cret-code-of-activation-1\tx\ty\n");
        Assert.Contains("register with REDACTED failed", (await site.Appliance.RunAsync("log", Name)).Succeeded(), StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", (await site.Appliance.RunAsync("render", Name, "nodeconfig")).Succeeded(), StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", RecordJson.Write(site.Appliance.Snapshot), StringComparison.Ordinal);
        Assert.DoesNotContain(site.Appliance.EventLog.Find(new EventQuery { Limit = 10_000 }), e => $"{e.What} {e.Reason}".Contains("s3cret", StringComparison.Ordinal));

        // Over, or used: another one.
        site.Pass(TimeSpan.FromMinutes(51));
        Assert.Contains("activation-2", (await client.GetAsync("/api/v1/self/nodeconfig")).Body, StringComparison.Ordinal);
        await Post(client, "stage", """{"stage":"joined","state":"done"}""");
        Assert.Contains("activation-3", (await client.GetAsync("/api/v1/self/nodeconfig")).Body, StringComparison.Ordinal);
        await Post(client, "stage", """{"stage":"joined","state":"done"}""");
        source.Refuses = "AccessDeniedException: the appliance's role may not make activations";
        var refused = await client.GetAsync("/api/v1/self/nodeconfig");
        refused.AssertRefused(503, "AccessDeniedException");
        Assert.Equal(TimeSpan.FromSeconds(60), refused.RetryAfter);
        source.Refuses = null;
        Assert.Equal(200, (await client.GetAsync("/api/v1/self/nodeconfig")).Status);
    }

    [Fact]
    public async Task Without_a_way_to_AWS_there_is_no_activation()
    {
        await using var site = await SiteAsync(node: new NodeOptions { CredentialProvider = CredentialProvider.Ssm });
        using var certificate = await site.EnrolAsync(Name);

        (await new EstClient(site.Appliance, certificate).GetAsync("/api/v1/self/nodeconfig")).AssertRefused(503, "no AWS credentials");
    }

    [Fact]
    public async Task Stages_findings_and_the_log_are_kept_and_shown()
    {
        await using var site = await SiteAsync();
        using var certificate = await site.EnrolAsync(Name);
        var client = new EstClient(site.Appliance, certificate);

        Assert.Equal(204, (await Post(client, "stage", """{"stage":"preflight","state":"started"}""")).Status);
        Assert.Equal(204, (await Post(client, "preflight", """
            clock	pass	in step with the appliance
            dns-endpoint	fail	ABC.gr7.eu-west-1.eks.amazonaws.com resolves to 3.120.4.5, a public address, and the cluster's endpoint is private.	kubelet would go by the internet, which the cluster does not answer.	Have the site's name servers forward eks.amazonaws.com to the VPC's inbound resolver endpoint.
            mtu	warn	1400 on eth0	Large packets in pods' tunnels are cut.	Raise it to 1500, or lower the pod network's.

            """)).Status);
        Assert.Equal(204, (await Post(client, "stage", """{"stage":"preflight","state":"failed","message":"1 of 3 failed\u0007"}""")).Status);
        Assert.Equal(204, (await Post(client, "log", "first\nTOKEN=abcdefgh\n")).Status);

        var host = await site.Appliance.GetAsync($"hosts/{Name}");
        Assert.Equal(("Failed", "preflight", "1 of 3 failed\ufffd"), (host["status"]!["state"]!.ToString(), host["status"]!["stage"]!.ToString(), host["status"]!["reason"]!.ToString()));
        Assert.Equal(1, host["status"]!["join"]!["attempt"]!.GetValue<int>());
        var text = (await site.Appliance.RunAsync("get", "findings", Name)).Succeeded();
        Golden.Match(text, "findings");
        Assert.All(text.Split('\n'), line => Assert.True(line.Length <= 80, line));
        Assert.Contains(text, (await site.Appliance.RunAsync("describe", "host", Name)).Succeeded(), StringComparison.Ordinal);
        Assert.Contains("\"verdict\": \"fail\"", (await site.Appliance.RunAsync("get", "findings", Name, "-o", "json")).Succeeded(), StringComparison.Ordinal);
        Assert.DoesNotContain("clock", (await site.Appliance.RunAsync("get", "findings")).Succeeded(), StringComparison.Ordinal);
        Assert.EndsWith("[preflight] failed: 1 of 3 failed\ufffd\nfirst\nTOKEN=REDACTED\n", (await site.Appliance.RunAsync("log", Name)).Succeeded(), StringComparison.Ordinal);
        Assert.Equal(["join-failed:rack1-n07", "preflight:rack1-n07"], site.Appliance.Snapshot.Alerts.Keys);

        await site.RestartAsync();
        Assert.Equal(3, site.Appliance.Snapshot.Findings[Name].Findings.Length);
        Assert.Equal(StageState.Failed, site.Appliance.Snapshot.Joins[Name].Stages[^1].State);
        Assert.Contains("TOKEN=REDACTED", (await site.Appliance.RunAsync("log", Name)).Succeeded(), StringComparison.Ordinal);
        await Post(new EstClient(site.Appliance, certificate), "preflight", "dns-endpoint\tpass\tresolves to 10.0.1.7\n");
        Assert.Equal(["join-failed:rack1-n07"], site.Appliance.Snapshot.Alerts.Keys);
    }

    [Fact]
    public async Task Reports_that_are_wrong_too_large_or_without_end_are_refused()
    {
        await using var site = await SiteAsync();
        using var certificate = await site.EnrolAsync(Name);
        var client = new EstClient(site.Appliance, certificate);

        (await Post(client, "stage", """{"stage":"dance","state":"started"}""")).AssertRefused(400, "'dance' is none of preflight, artifacts, containerd, install, check, init, joined");
        (await Post(client, "stage", """{"stage":"init","state":"begun"}""")).AssertRefused(400, "started, done and failed are");
        (await Post(client, "stage", "[]")).AssertRefused(400, "a JSON object");
        (await Post(client, "stage", "{")).AssertRefused(400, "a JSON object");
        (await Post(client, "stage", new string(' ', 17_000))).AssertRefused(413, "at most 16384 bytes");
        (await Post(client, "preflight", "what\n")).AssertRefused(400, "line 1: 1 fields");
        (await Post(client, "preflight", new string('a', 66_000))).AssertRefused(413, "at most 65536 bytes");
        (await Post(client, "log", new string('a', 66_000))).AssertRefused(413, "at most 65536 bytes");
        (await Post(client, "log", new string('a', 2_000_000))).AssertRefused(413, "at most 65536 bytes");
        Assert.Empty(site.Appliance.Snapshot.Joins);

        EstAnswer? last = null;
        for (var i = 0; i < 70 && last?.Status != 429; i++)
            last = await Post(client, "stage", """{"stage":"init","state":"started"}""");
        last!.AssertRefused(429, "more than 60 times a minute");
        Assert.Equal(TimeSpan.FromSeconds(60), last.RetryAfter);
        site.Pass(TimeSpan.FromMinutes(1));
        Assert.Equal(204, (await Post(client, "stage", """{"stage":"init","state":"done"}""")).Status);
    }

    [Fact]
    public async Task Once_a_host_has_joined_its_kubelet_is_tried_until_it_is_reached()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        await using var site = await SiteAsync(h => h with { Address = null }, c => c with { RemoteNodeNetworks = [] }, services: s => s.AddSingleton(new JoinOptions { KubeletPort = port }));
        using var certificate = await site.EnrolAsync(Name);
        var client = new EstClient(site.Appliance, certificate);
        var watch = site.Appliance.Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>().OfType<JoinWatch>().Single();
        await client.GetAsync("/api/v1/self/nodeconfig");
        await Post(client, "stage", """{"stage":"init","state":"started"}""");
        await watch.LookAsync(default);
        Assert.Empty(site.Appliance.Snapshot.Findings);

        await Post(client, "stage", """{"stage":"joined","state":"done"}""");
        await watch.LookAsync(default);
        var finding = Assert.Single(site.Appliance.Snapshot.Findings[Name].Findings);
        Assert.Equal((JoinWatch.KubeletCode, Verdict.Fail), (finding.Code, finding.Verdict));
        Assert.Contains("the connection is refused", finding.Found, StringComparison.Ordinal);
        Assert.Contains($"preflight:{Name}", site.Appliance.Snapshot.Alerts.Keys);

        using var opened = new TcpListener(IPAddress.Loopback, port);
        opened.Start();
        await watch.LookAsync(default);
        Assert.Equal(Verdict.Fail, site.Appliance.Snapshot.Findings[Name].Findings.Single().Verdict);
        site.Pass(TimeSpan.FromMinutes(6));
        await watch.LookAsync(default);
        Assert.Equal(Verdict.Pass, site.Appliance.Snapshot.Findings[Name].Findings.Single().Verdict);
        Assert.DoesNotContain($"preflight:{Name}", site.Appliance.Snapshot.Alerts.Keys);
    }

    [Fact]
    public async Task A_host_that_goes_quiet_is_told_of_once()
    {
        await using var site = await SiteAsync();
        using var certificate = await site.EnrolAsync(Name);
        var watch = site.Appliance.Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>().OfType<JoinWatch>().Single();
        var client = new EstClient(site.Appliance, certificate);
        await Post(client, "stage", """{"stage":"init","state":"started","message":"nodeadm init"}""");
        site.Pass(TimeSpan.FromMinutes(21));

        await watch.LookAsync(default);
        await watch.LookAsync(default);

        var alert = site.Appliance.Snapshot.Alerts[$"join-stalled:{Name}"];
        Assert.Equal(1, alert.Times);
        Assert.EndsWith("Its last line: [init] started: nodeadm init", alert.Message, StringComparison.Ordinal);
        Assert.Equal("Stalled", (await site.Appliance.GetAsync($"hosts/{Name}"))["status"]!["state"]!.GetValue<string>());
        await Post(client, "stage", """{"stage":"init","state":"done"}""");
        Assert.Empty(site.Appliance.Snapshot.Alerts);
    }

    private static Task<EstAnswer> Post(EstClient client, string what, string body) =>
        client.SendAsync(HttpMethod.Post, $"/api/v1/self/{what}", body, what == "stage" ? "application/json" : "text/plain");

    private static async Task<CertificateFixture> SiteAsync(
        Func<HostSpec, HostSpec>? host = null, Func<ClusterSpec, ClusterSpec>? cluster = null, NodeOptions? node = null, Action<IServiceCollection>? services = null)
    {
        var site = await CertificateFixture.StartAsync(services: services);
        await PutAsync(site, host, cluster, node);
        return site;
    }

    private static Task<int> PutAsync(CertificateFixture site, Func<HostSpec, HostSpec>? host = null, Func<ClusterSpec, ClusterSpec>? cluster = null, NodeOptions? node = null) =>
        site.Appliance.Writer.ChangeAsync(editor =>
        {
            editor.Put(JoinSite.Cluster with { Spec = cluster?.Invoke(JoinSite.Cluster.Spec) ?? JoinSite.Cluster.Spec });
            editor.Put(JoinSite.Profile with { Spec = JoinSite.Profile.Spec with { Node = node } });
            editor.Put(JoinSite.Host with { Spec = host?.Invoke(JoinSite.Host.Spec) ?? JoinSite.Host.Spec });
            return 0;
        });

    /// <summary>AWS, as far as it makes activations.</summary>
    private sealed class Activations : IActivations
    {
        private int made;

        public int Made => made;

        public Func<DateTimeOffset> Now { get; set; } = () => default;

        public string? Refuses { get; set; }

        public Task<Activation> CreateAsync(Host host, Cluster cluster, CancellationToken cancellation)
        {
            if (Refuses is { } why)
                throw new ClusterAccessException(why);
            var number = Interlocked.Increment(ref made);
            return Task.FromResult(new Activation($"00000000-0000-0000-0000-{number:d12}", $"s3cret-code-of-activation-{number}", Now().AddHours(1)));
        }
    }
}
