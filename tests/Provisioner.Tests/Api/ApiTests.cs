using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Provisioner.Events;
using Provisioner.Protocols;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Images;

namespace Provisioner.Tests.Api;

public sealed class ApiTests : IAsyncLifetime
{
    private RunningAppliance appliance = null!;

    public async ValueTask InitializeAsync()
    {
        appliance = await RunningAppliance.StartAsync();
        using var tar = new StreamContent(BootFiles.Tar(BootFiles.Debian()));
        (await appliance.Http.PostAsync("images/debian-12/import", tar)).EnsureSuccessStatusCode();
    }

    public ValueTask DisposeAsync() => appliance.DisposeAsync();

    [Fact]
    public async Task Applies_reads_and_deletes()
    {
        var (status, body) = await appliance.ApplyAsync($"{Site.Profile}\n---\n{Site.Network}\n---\n{Site.Host}");
        Assert.Equal(200, status);
        Assert.Equal(["Profile worker created", "Network lab created", "Host web-1 created"],
            body["results"]!.AsArray().Select(r => $"{r!["kind"]} {r["name"]} {r["result"]}"));
        Assert.Equal("52:54:00:12:34:56", (await appliance.GetAsync("hosts/web-1"))["spec"]!["macAddresses"]![0]!.ToString());
        Assert.Equal("Registered", (await appliance.GetAsync("hosts"))["items"]![0]!["status"]!["state"]!.ToString());
        (status, body) = await appliance.SendAsync(HttpMethod.Delete, "profiles/worker");
        Assert.Equal(409, status);
        Assert.Contains("web-1", body["detail"]!.ToString(), StringComparison.Ordinal);
        Assert.Equal(200, (await appliance.SendAsync(HttpMethod.Delete, "hosts/web-1")).Status);
        Assert.Equal(200, (await appliance.SendAsync(HttpMethod.Delete, "profiles/worker")).Status);
        Assert.Empty((await appliance.GetAsync("hosts"))["items"]!.AsArray());
    }

    [Fact]
    public async Task A_dry_run_changes_nothing()
    {
        var (status, body) = await appliance.ApplyAsync(Site.Profile, "?dryRun=true");
        Assert.Equal((200, "created"), (status, body["results"]![0]!["result"]!.ToString()));
        Assert.Empty(appliance.Snapshot.Profiles);
    }

    [Fact]
    public async Task Every_mistake_of_a_document_is_in_the_problem_details()
    {
        using var response = await appliance.Http.PostAsync("apply", new StringContent(
            "apiVersion: provisioner/v1\nkind: Host\nmetadata: { name: Web_1 }\nspec:\n  macAddresses: [zz]\n  architecture: sparc\n  colour: red\n"));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.ToString());
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal(422, (int)problem["status"]!);
        var errors = problem["errors"]!.AsArray();
        Assert.Equal([3, 5, 6, 7], errors.Select(e => (int)e!["line"]!));
        Assert.Equal(["metadata.name", "spec.macAddresses[0]", "spec.architecture", "spec.colour"], errors.Select(e => e!["key"]!.ToString()));
        Assert.Equal(["Web_1", "zz", "sparc", "colour"], errors.Select(e => e!["value"]!.ToString()));
        Assert.All(errors, e => Assert.NotEqual("", e!["message"]!.ToString()));
        Assert.Empty(appliance.Snapshot.Hosts);
    }

    [Fact]
    public async Task What_is_not_there_is_a_404_that_says_what_there_is()
    {
        await appliance.ApplyAsync($"{Site.Profile}\n---\n{Site.Host}");
        var (status, body) = await appliance.SendAsync(HttpMethod.Get, "hosts/web-11");
        Assert.Equal((404, "There is no Host 'web-11'. Did you mean 'web-1'?"), (status, body["detail"]!.ToString()));
        Assert.Equal((404, "There is nothing at /api/v1/nope."), await DetailAsync(HttpMethod.Get, "nope"));
        Assert.Equal(405, (await appliance.SendAsync(HttpMethod.Put, "hosts")).Status);
        Assert.Equal(404, (await appliance.SendAsync(HttpMethod.Post, "hosts/nope/provision")).Status);
        Assert.Equal(404, (await appliance.SendAsync(HttpMethod.Get, "hosts/nope/events")).Status);
        Assert.Equal(404, (await appliance.SendAsync(HttpMethod.Get, "leases/10.0.0.1")).Status);
        Assert.Equal(404, (await appliance.SendAsync(HttpMethod.Get, "installations/nope")).Status);
        Assert.Equal((404, "02:00:00:00:00:01 has not asked for anything yet."), await DetailAsync(HttpMethod.Get, "discovered/02-00-00-00-00-01"));
        Assert.Equal((404, "52:54:00:12:34:56 is registered: it belongs to host 'web-1'."), await DetailAsync(HttpMethod.Get, "discovered/525400123456"));
    }

    [Fact]
    public async Task A_body_that_cannot_be_read_is_refused()
    {
        var (status, body) = await appliance.SendAsync(HttpMethod.Post, "apply", new ByteArrayContent([0xFF, 0xFE, 0xC3, 0x28]));
        Assert.Equal((422, "The text is not UTF-8."), (status, body["detail"]!.ToString()));
        Assert.Equal(422, (await appliance.ApplyAsync("")).Status);
        Assert.Equal(422, (await appliance.ApplyAsync("{ not: [closed")).Status);
        Assert.Equal(400, (await appliance.SendAsync(HttpMethod.Post, "apply?dryRun=perhaps", new StringContent(Site.Profile))).Status);
        await appliance.ApplyAsync($"{Site.Profile}\n---\n{Site.Host}");
        (status, body) = await appliance.SendAsync(HttpMethod.Post, "hosts/web-1/provision", new StringContent("{\"windwo\": \"2h\"}"));
        Assert.Equal((422, "windwo"), (status, body["errors"]![0]!["key"]!.ToString()));
        Assert.Equal(422, (await appliance.SendAsync(HttpMethod.Post, "hosts/web-1/provision", new StringContent("{\"window\": \"soon\"}"))).Status);
        Assert.Empty(appliance.Snapshot.Installations);
    }

    [Fact]
    public async Task Provisions_and_cancels_in_the_name_of_the_user_at_the_socket()
    {
        await appliance.ApplyAsync($"{Site.Profile}\n---\n{Site.Host}");
        var (status, opened) = await appliance.SendAsync(HttpMethod.Post, "hosts/web-1/provision", new StringContent("{\"window\": \"30m\"}"));
        Assert.Equal(200, status);
        Assert.Equal(Environment.UserName, opened["actor"]!.ToString());
        Assert.Equal(TimeSpan.FromMinutes(30), DateTimeOffset.Parse(opened["closesAt"]!.ToString()) - DateTimeOffset.Parse(opened["openedAt"]!.ToString()));
        Assert.Equal("Waiting", (await appliance.GetAsync("hosts/web-1"))["status"]!["state"]!.ToString());
        Assert.Equal("true", (await appliance.GetAsync("installations/web-1"))["items"]![0]!["open"]!.ToString());
        Assert.Equal(200, (await appliance.SendAsync(HttpMethod.Post, "hosts/web-1/cancel")).Status);
        Assert.NotEqual(200, (await appliance.SendAsync(HttpMethod.Post, "hosts/web-1/cancel")).Status);
        Assert.Contains((await appliance.GetAsync("hosts/web-1/events"))["items"]!.AsArray(), e => e!["actor"]?.ToString() == Environment.UserName && e["source"]!.ToString() == "api");
    }

    [Fact]
    public async Task Adopts_what_was_discovered()
    {
        await DiscoverAsync("02:00:00:00:00:07", "UEFI x64");
        Assert.Equal("02:00:00:00:00:07", (await appliance.GetAsync("discovered"))["items"]![0]!["macAddress"]!.ToString());
        await appliance.ApplyAsync(Site.Profile);
        Assert.Equal(422, (await appliance.SendAsync(HttpMethod.Post, "discovered/02-00-00-00-00-07/adopt", new StringContent("{}"))).Status);
        Assert.Equal(422, (await appliance.SendAsync(HttpMethod.Post, "discovered/02-00/adopt", new StringContent("{\"name\": \"db-1\"}"))).Status);
        var (status, host) = await appliance.SendAsync(HttpMethod.Post, "discovered/02-00-00-00-00-07/adopt", new StringContent("{\"name\": \"db-1\", \"profile\": \"worker\"}"));
        Assert.Equal((201, "x86_64"), (status, host["spec"]!["architecture"]!.ToString()));
        Assert.Empty(appliance.Snapshot.Discovered);
        Assert.Equal("db-1", appliance.Snapshot.FindHost(MacAddress.Parse("02:00:00:00:00:07"))!.Name);
    }

    [Fact]
    public async Task Explains_and_renders_without_recording()
    {
        await appliance.ApplyAsync($"{Site.Profile}\n---\n{Site.Network}\n---\n{Site.Host}");
        await appliance.SendAsync(HttpMethod.Post, "hosts/web-1/provision");
        var before = (await appliance.GetAsync("events"))["items"]!.AsArray().Count;
        var http = await appliance.GetAsync("explain/52-54-00-12-34-56?client=ipxe&network=lab");
        Assert.Equal($"http://10.77.0.1:{appliance.BootPort}/boot.ipxe", http["steps"]![0]!["answer"]!.ToString());
        Assert.Equal("install debian-12", http["steps"]![1]!["answer"]!.ToString());
        Assert.Equal("AwaitAdoption", (await appliance.GetAsync("explain/02:00:00:00:00:01"))["intent"]!.ToString());
        var script = await appliance.Http.GetStringAsync("hosts/web-1/render/ipxe");
        Assert.StartsWith("#!ipxe\n", script, StringComparison.Ordinal);
        Assert.Contains("/images/debian-12/debian-installer/amd64/linux", script, StringComparison.Ordinal);
        Assert.Contains("linux ", await appliance.Http.GetStringAsync("hosts/web-1/render/grub"), StringComparison.Ordinal);
        Assert.Equal(404, (await appliance.SendAsync(HttpMethod.Get, "hosts/web-1/render/preseed")).Status);
        Assert.Equal(422, (await appliance.SendAsync(HttpMethod.Get, "explain/52-54-00-12-34-56?client=amiga")).Status);
        Assert.Equal(422, (await appliance.SendAsync(HttpMethod.Get, "explain/nonsense")).Status);
        Assert.Equal(before, (await appliance.GetAsync("events"))["items"]!.AsArray().Count);
    }

    [Fact]
    public async Task Events_are_followed_and_resumed()
    {
        await appliance.ApplyAsync(Site.Profile);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var following = FollowAsync("events?follow=true", null, 5, patience.Token);
        await Task.Delay(200);
        await appliance.ApplyAsync(Site.Host);
        // The first two are of the start: the authority, and the appliance's own certificate.
        var seen = (await following)[2..];
        Assert.Equal(["Image debian-12", "Profile worker", "Host web-1"], seen.Select(e => string.Join(' ', JsonNode.Parse(e.Data)!["what"]!.ToString().Split(' ').Take(2))));
        Assert.All(seen, e => Assert.Equal(e.EventId, JsonNode.Parse(e.Data)!["id"]!.ToString()));
        var resumed = await FollowAsync("events", seen[1].EventId, 1, patience.Token);
        Assert.Equal(seen[2].EventId, resumed[0].EventId);
        Assert.Equal(422, (await appliance.SendAsync(HttpMethod.Get, "events?limit=0")).Status);
        Assert.Single((await appliance.GetAsync("events?limit=1"))["items"]!.AsArray());
        Assert.Single((await appliance.GetAsync($"events?after={seen[1].EventId}"))["items"]!.AsArray());
    }

    [Fact]
    public async Task Status_says_what_listens_and_why_DHCP_does_not()
    {
        var status = await appliance.GetAsync("status");
        var planes = status["planes"]!.AsArray();
        Assert.Equal(["api true", "http true", "secure true", "tftp true", "syslog true", "dhcp false", "dhcp false"], planes.Select(p => $"{p!["plane"]} {p["listens"]}"));
        Assert.StartsWith("off: there is no Network yet", planes[5]!["reason"]!.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, (int)status["droppedJournalEntries"]!);
        await appliance.ApplyAsync(Site.Network);
        Assert.Equal("off: Network 'lab' has dhcp: off", (await appliance.GetAsync("status"))["planes"]![5]!["reason"]!.ToString());
    }

    [Fact]
    public async Task No_address_of_the_API_answers_on_the_boot_plane()
    {
        await appliance.ApplyAsync($"{Site.Profile}\n---\n{Site.Host}");
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{appliance.BootPort}") };
        var endpoints = appliance.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().ToList();
        Assert.True(endpoints.Count > 20);
        foreach (var endpoint in endpoints)
        {
            var path = "/" + endpoint.RoutePattern.RawText!.TrimStart('/').Replace("{name}", "web-1", StringComparison.Ordinal).Replace("{what}", "ipxe", StringComparison.Ordinal)
                .Replace("{mac}", "525400123456", StringComparison.Ordinal).Replace("{host}", "web-1", StringComparison.Ordinal).Replace("{address}", "10.0.0.1", StringComparison.Ordinal);
            foreach (var method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods)
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), path);
                using var response = await http.SendAsync(request);
                Assert.True(response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed, $"{method} {path} answers {response.StatusCode}");
                if (method == "GET")
                    Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
            }
        }
        Assert.NotEmpty(appliance.Snapshot.Hosts);
    }

    [Fact]
    public async Task No_boot_file_is_served_on_the_socket()
    {
        foreach (var path in new[] { "/boot.ipxe", "/autoexec.ipxe", "/images/debian-12/version.info", "/snponly.efi" })
        {
            using var response = await appliance.Http.GetAsync(new Uri("http://provisioner" + path));
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        }
        using var boot = new HttpClient();
        Assert.Equal(HttpStatusCode.OK, (await boot.GetAsync($"http://127.0.0.1:{appliance.BootPort}/boot.ipxe")).StatusCode);
    }

    [Fact]
    public void The_socket_is_for_owner_and_group_alone() =>
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite, File.GetUnixFileMode(appliance.SocketPath));

    private async Task<(int, string)> DetailAsync(HttpMethod method, string path)
    {
        var (status, body) = await appliance.SendAsync(method, path);
        return (status, body["detail"]!.ToString());
    }

    private Task<int> DiscoverAsync(string mac, string architecture) => appliance.Writer.ChangeAsync(editor =>
    {
        editor.Put(new Sighting(MacAddress.Parse(mac), editor.Now) { Architecture = architecture }.Merge(null, "Test"));
        return 0;
    });

    private async Task<List<SseItem<string>>> FollowAsync(string path, string? lastId, int count, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        if (lastId is not null)
            request.Headers.Add("Last-Event-ID", lastId);
        using var response = await appliance.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        var items = new List<SseItem<string>>();
        await foreach (var item in SseParser.Create(await response.Content.ReadAsStreamAsync(cancellation)).EnumerateAsync(cancellation))
        {
            items.Add(item);
            if (items.Count == count)
                break;
        }
        return items;
    }
}
