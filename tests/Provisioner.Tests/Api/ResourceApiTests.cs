using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Api;

/// <summary>Versions, selection and pages of resources.</summary>
public sealed class ResourceApiTests : IAsyncLifetime
{
    private RunningAppliance appliance = null!;

    public async ValueTask InitializeAsync()
    {
        appliance = await RunningAppliance.StartAsync();
        await appliance.ApplyAsync(string.Join("\n---\n", Enumerable.Range(0, 25).Select(Host)));
    }

    public ValueTask DisposeAsync() => appliance.DisposeAsync();

    private static string Host(int i) => $$"""
        apiVersion: provisioner/v1
        kind: Host
        metadata: { name: h{{i:00}}, labels: { rack: r{{i % 5}}, {{(i % 2 == 0 ? "even: \"1\"" : "odd: \"1\"")}} } }
        spec: { macAddresses: ["52-54-00-00-00-{{i:00}}"], architecture: {{(i < 5 ? "aarch64" : "x86_64")}} }
        """;

    private async Task<(int Status, JsonObject Body, string? Tag)> SendAsync(HttpMethod method, string path, string? body = null, string? ifMatch = null, string? ifNoneMatch = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/yaml");
        if (ifMatch is not null)
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        if (ifNoneMatch is not null)
            request.Headers.TryAddWithoutValidation("If-None-Match", ifNoneMatch);
        using var response = await appliance.Http.SendAsync(request);
        return ((int)response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject(), response.Headers.ETag?.Tag);
    }

    [Fact]
    public async Task A_lost_update_is_refused_and_not_overwritten()
    {
        var (_, _, first) = await SendAsync(HttpMethod.Get, "hosts/h01");
        Assert.Equal("\"1\"", first);
        var mine = Host(1).Replace("x86_64", "aarch64", StringComparison.Ordinal).Replace("rack: r1", "rack: mine", StringComparison.Ordinal);
        var theirs = Host(1).Replace("rack: r1", "rack: theirs", StringComparison.Ordinal);
        var changed = await SendAsync(HttpMethod.Put, "hosts/h01", mine, ifMatch: first);
        Assert.Equal((200, "\"2\"", "mine"), (changed.Status, changed.Tag, changed.Body["metadata"]!["labels"]!["rack"]!.ToString()));
        var lost = await SendAsync(HttpMethod.Put, "hosts/h01", theirs, ifMatch: first);
        Assert.Equal(412, lost.Status);
        Assert.Equal("If-Match", lost.Body["errors"]![0]!["key"]!.ToString());
        Assert.Contains("it is at version 2", lost.Body["detail"]!.ToString(), StringComparison.Ordinal);
        Assert.Equal(412, (await SendAsync(HttpMethod.Delete, "hosts/h01", ifMatch: first)).Status);
        Assert.Equal("mine", appliance.Snapshot.Hosts["h01"].Metadata.Labels["rack"]);
        Assert.Equal(412, (await SendAsync(HttpMethod.Put, "hosts/h01", theirs, ifNoneMatch: "*")).Status);
        Assert.Equal(412, (await SendAsync(HttpMethod.Put, "hosts/h77", theirs.Replace("h01", "h77", StringComparison.Ordinal), ifMatch: "*")).Status);
        Assert.Equal(422, (await SendAsync(HttpMethod.Put, "hosts/h01", theirs, ifMatch: "nonsense")).Status);
        Assert.Equal(200, (await SendAsync(HttpMethod.Delete, "hosts/h01", ifMatch: "\"1\", \"2\"")).Status);
        Assert.Equal(201, (await SendAsync(HttpMethod.Put, "hosts/h01", theirs, ifNoneMatch: "*")).Status);
    }

    [Fact]
    public async Task A_document_is_put_at_its_own_address()
    {
        var other = await SendAsync(HttpMethod.Put, "hosts/h02", Host(3));
        Assert.Equal((422, "metadata.name", "h02"), (other.Status, other.Body["errors"]![0]!["key"]!.ToString(), other.Body["errors"]![0]!["expected"]!.ToString()));
        Assert.Equal("kind", (await SendAsync(HttpMethod.Put, "networks/lab", Host(3))).Body["errors"]![0]!["key"]!.ToString());
        Assert.Equal(422, (await SendAsync(HttpMethod.Put, "hosts/h02", Host(2) + "\n---\n" + Host(3))).Status);
        Assert.Equal(200, (await SendAsync(HttpMethod.Put, "hosts/h02?dryRun=true", Host(2).Replace("r2", "elsewhere", StringComparison.Ordinal))).Status);
        Assert.Equal("r2", appliance.Snapshot.Hosts["h02"].Metadata.Labels["rack"]);
        Assert.Equal(200, (await SendAsync(HttpMethod.Delete, "hosts/h02?dryRun=true")).Status);
        Assert.Contains("h02", appliance.Snapshot.Hosts.Keys);
    }

    [Theory]
    [InlineData("labelSelector=rack=r1", 5)]
    [InlineData("labelSelector=rack==r1,even", 2)]
    [InlineData("labelSelector=rack!=r1", 20)]
    [InlineData("labelSelector=rack in (r1, r2)", 10)]
    [InlineData("labelSelector=rack notin (r1,r2),!odd", 8)]
    [InlineData("fieldSelector=spec.architecture=aarch64", 5)]
    [InlineData("fieldSelector=spec.architecture!=aarch64,metadata.name=h07", 1)]
    [InlineData("fieldSelector=spec.macAddresses=52:54:00:00:00:07", 1)]
    [InlineData("fieldSelector=spec.profile", 0)]
    [InlineData("state=Registered", 25)]
    [InlineData("state=ready,failed", 0)]
    public async Task Hosts_are_selected_by_label_field_and_state(string query, int expected) =>
        Assert.Equal(expected, (await appliance.GetAsync("hosts?" + query)).AsObject()["items"]!.AsArray().Count);

    [Fact]
    public async Task A_list_is_read_in_pages()
    {
        var names = new List<string>();
        var next = "";
        do
        {
            var page = await appliance.GetAsync($"hosts?limit=10{next}");
            Assert.Equal(names.Count == 0 ? 25 : 24, (int)page["total"]!);
            names.AddRange(page["items"]!.AsArray().Select(h => h!["metadata"]!["name"]!.ToString()));
            // What the page ended with goes away before the next is asked for.
            if (names.Count == 10)
                Assert.Equal(200, (await appliance.SendAsync(HttpMethod.Delete, "hosts/h09")).Status);
            next = page["continue"] is { } token ? $"&continue={token}" : "";
        } while (next.Length > 0);
        Assert.Equal(Enumerable.Range(0, 25).Select(i => $"h{i:00}"), names);
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=many", "limit")]
    [InlineData("limit=1001", "limit")]
    [InlineData("continue=***", "continue")]
    [InlineData("labelSelector=a b c", "labelSelector")]
    [InlineData("fieldSelector==x", "fieldSelector")]
    public async Task What_is_wrong_with_a_query_is_named(string query, string key)
    {
        var (status, body) = await appliance.SendAsync(HttpMethod.Get, "hosts?" + query);
        Assert.Equal((422, key), (status, body["errors"]![0]!["key"]!.ToString()));
        Assert.NotEqual("", body["errors"]![0]!["expected"]!.ToString());
    }
}
