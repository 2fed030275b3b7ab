using System.Text.Json.Nodes;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Api;

/// <summary>Actions that are sent again.</summary>
public sealed class IdempotencyTests : IAsyncLifetime
{
    private const string Ada = """{"name": "ada", "role": "viewer", "password": "correct horse battery"}""";

    private readonly TemporaryDirectory directory = new();
    private RunningAppliance appliance = null!;

    private string Answers => Path.Combine(directory.Path, "answers");

    public async ValueTask InitializeAsync()
    {
        appliance = await RunningAppliance.StartAsync(directory);
        await appliance.ApplyAsync(Site.Host.Replace(", profile: worker", "", StringComparison.Ordinal));
    }

    public async ValueTask DisposeAsync()
    {
        await appliance.DisposeAsync();
        directory.Dispose();
    }

    private async Task RestartAsync(Action? meanwhile = null)
    {
        await appliance.DisposeAsync();
        meanwhile?.Invoke();
        appliance = await RunningAppliance.StartAsync(directory);
    }

    private async Task<(int Status, string Body, bool Again)> PostAsync(string path, string key, string body = "{}")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body) };
        request.Headers.Add("Idempotency-Key", key);
        using var response = await appliance.Http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers.Contains("Idempotent-Replayed"));
    }

    [Fact]
    public async Task What_is_sent_again_is_not_done_again()
    {
        var first = await PostAsync("hosts/web-1/token", "k-1");
        Assert.Equal((200, false), (first.Status, first.Again));
        var again = await PostAsync("hosts/web-1/token", "k-1");
        // A token is given out once: that it is the same one shows that nothing was done.
        Assert.Equal((200, first.Body, true), again);
        Assert.NotEqual(first.Body, (await PostAsync("hosts/web-1/token", "k-2")).Body);
        var other = await PostAsync("hosts/web-1/token", "k-1", """{"window": "30m"}""");
        Assert.Equal(422, other.Status);
        Assert.Contains("the key was used for another request", other.Body, StringComparison.Ordinal);
        Assert.Equal(422, (await PostAsync("hosts/web-1/token", new string('k', 300))).Status);
    }

    [Fact]
    public async Task What_was_refused_can_be_sent_again_once_its_cause_is_gone()
    {
        Assert.Equal(404, (await PostAsync("hosts/web-2/token", "k-3")).Status);
        await appliance.ApplyAsync(Site.Host.Replace(", profile: worker", "", StringComparison.Ordinal).Replace("web-1", "web-2", StringComparison.Ordinal).Replace("34-56", "34-57", StringComparison.Ordinal));
        Assert.Equal((200, false), (await PostAsync("hosts/web-2/token", "k-3")) is var (status, _, again) ? (status, again) : default);
    }

    [Fact]
    public async Task A_restart_between_changes_nothing()
    {
        var first = await PostAsync("users", "k-4", Ada);
        Assert.Equal((201, false), (first.Status, first.Again));
        await RestartAsync();
        Assert.Equal((201, first.Body, true), await PostAsync("users", "k-4", Ada));
        // And without a key, it is another request.
        Assert.Equal(409, (await PostAsync("users", "k-5", Ada)).Status);
        Assert.Equal(422, (await PostAsync("users", "k-4", Ada.Replace("viewer", "admin", StringComparison.Ordinal))).Status);
    }

    [Fact]
    public async Task A_secret_answer_is_kept_by_nobody()
    {
        var (status, body, _) = await PostAsync("hosts/web-1/token", "k-6");
        Assert.Equal(200, status);
        var secret = JsonNode.Parse(body)!["token"]!.GetValue<string>();
        var kept = await File.ReadAllTextAsync(Assert.Single(Directory.GetFiles(Answers)));
        Assert.DoesNotContain(secret, kept, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(body)), kept, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Directory.GetFiles(Answers)[0]));
        await RestartAsync();
        var again = await PostAsync("hosts/web-1/token", "k-6");
        Assert.Equal(409, again.Status);
        Assert.Contains("held a secret", again.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_service_did_not_live_to_answer_is_not_done_a_second_time()
    {
        Assert.Equal(201, (await PostAsync("users", "k-7", Ada)).Status);
        await RestartAsync(() =>
        {
            // As a kill leaves it: begun, and not answered.
            var file = Assert.Single(Directory.GetFiles(Answers));
            var kept = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
            Assert.NotNull(kept["Answer"]);
            kept["Answer"] = null;
            File.WriteAllText(file, kept.ToJsonString());
        });
        var again = await PostAsync("users", "k-7", Ada);
        Assert.Equal(409, again.Status);
        Assert.Contains("look whether it was done", again.Body, StringComparison.Ordinal);
    }
}
