using System.Net;
using System.Text;
using Provisioner.Auth;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Auth;

/// <summary>What a request has to be like, whoever sends it.</summary>
public sealed class RequestTests(RequestTests.Shared shared) : IClassFixture<RequestTests.Shared>
{
    private readonly RunningAppliance appliance = shared.Appliance;

    /// <summary>One appliance for all: nothing these tests do is in another's way.</summary>
    public sealed class Shared : IAsyncLifetime
    {
        internal RunningAppliance Appliance { get; private set; } = null!;

        internal Visitor Olga { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Appliance = await RunningAppliance.StartAsync();
            Olga = await Visitor.SignedInAsync(Appliance, "olga", Role.Operator);
        }

        public async ValueTask DisposeAsync()
        {
            Olga.Dispose();
            await Appliance.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    [InlineData("Origin", "https://evil.example")]
    [InlineData("Origin", "http://localhost:{port}")]
    [InlineData("Origin", "https://localhost:1")]
    [InlineData("Origin", "null")]
    public async Task A_change_that_another_site_made_the_browser_send_is_refused_and_recorded(string field, string value)
    {
        var browser = shared.Olga;
        value = value.Replace("{port}", $"{appliance.SecurePort}", StringComparison.Ordinal);
        // Even with the token of the session: each lock holds alone.
        (await browser.SendAsync(HttpMethod.Post, "/api/v1/hosts/nope/cancel", "{}", r => r.Headers.Add(field, value))).Is(403);
        // A sign-in as somebody else is a change, too.
        (await new Visitor(appliance).SendAsync(HttpMethod.Post, "/api/v1/session", """{"name": "olga", "password": "x"}""", r => r.Headers.Add(field, value))).Is(403);
        await browser.RefusalsUntilAsync(e => e.Actor == "user/olga" && e.What.StartsWith("POST /api/v1/hosts/nope/cancel refused", StringComparison.Ordinal)
            && e.Reason.Contains($"{field}: {value}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_change_by_cookie_needs_the_sessions_token_and_one_by_token_does_not()
    {
        var browser = shared.Olga;
        using var other = await Visitor.SignedInAsync(appliance, "omar", Role.Operator);
        (await browser.SendAsync(HttpMethod.Post, "/api/v1/hosts/nope/cancel", "{}", r =>
        {
            r.Headers.Add("Origin", $"https://localhost:{appliance.SecurePort}");
            r.Headers.Add("Sec-Fetch-Site", "same-origin");
        })).Is(404);
        var (own, others) = (browser.CsrfToken, other.CsrfToken);
        browser.CsrfToken = null;
        (await browser.PostAsync("/api/v1/hosts/nope/cancel")).Is(403);
        browser.CsrfToken = others;
        (await browser.PostAsync("/api/v1/hosts/nope/cancel")).Is(403);
        browser.CsrfToken = own;
        (await browser.PostAsync("/api/v1/hosts/nope/cancel")).Is(404);
        using var program = await Visitor.WithTokenAsync(appliance, "beside", Role.Operator);
        (await program.PostAsync("/api/v1/hosts/nope/cancel")).Is(404);
    }

    [Theory]
    [InlineData("evil.example")]
    [InlineData("localhost.evil.example")]
    [InlineData("169.254.169.254")]
    public async Task A_name_that_is_not_the_appliances_is_not_answered(string name)
    {
        using var program = await Visitor.WithTokenAsync(appliance, $"asks-{name.Length}", Role.Admin);
        (await program.SendAsync(HttpMethod.Get, "/api/v1/status", change: r => r.Headers.Host = name)).Is(421);
        // What a proxy would say of the first name asked for is not listened to.
        (await program.SendAsync(HttpMethod.Get, "/api/v1/status", change: r => { r.Headers.Host = name; r.Headers.Add("X-Forwarded-Host", "localhost"); })).Is(421);
        await program.RefusalsUntilAsync(e => e.Reason.Contains($"'{name}'", StringComparison.Ordinal));
        (await program.SendAsync(HttpMethod.Get, "/api/v1/status", change: r => r.Headers.Host = $"LOCALHOST:{appliance.SecurePort}")).Is(200);
        // Hosts are let through: the certificate has told them already whom they talk to.
        (await program.SendAsync(HttpMethod.Get, "/healthz", change: r => r.Headers.Host = name)).Is(200);
    }

    [Fact]
    public async Task A_token_in_the_address_is_refused_and_the_record_says_which()
    {
        var made = (await appliance.RunAsync("token", "create", "leaked", "--role", "admin")).Succeeded().Trim();
        using var nobody = new Visitor(appliance);
        foreach (var query in new[] { $"token={made}", $"access_token={made}", $"anything={made}", "password=x" })
        {
            var refused = (await nobody.GetAsync($"/api/v1/status?{query}")).Is(400);
            Assert.DoesNotContain(made, refused.Text, StringComparison.Ordinal);
        }
        var recorded = await nobody.RefusalsUntilAsync(e => e.Actor == "token/leaked" && e.Reason == "token leaked was in its address: revoke it, others may have read it there");
        Assert.All(recorded, e => Assert.DoesNotContain(made, e.What + e.Reason, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_token_is_good_until_it_ends_or_is_revoked_and_its_last_use_is_known()
    {
        var given = (await appliance.RunAsync("token", "create", "brief", "--role", "viewer", "--lifetime", "1h", "-o", "json")).Succeeded();
        var made = System.Text.Json.Nodes.JsonNode.Parse(given)!["token"]!.ToString();
        Assert.StartsWith("prv_", made, StringComparison.Ordinal);
        using var program = new Visitor(appliance, made);
        (await program.GetAsync("/api/v1/status")).Is(200);
        for (var i = 0; Brief().LastUsedAt is null && i < 100; i++)
            await Task.Delay(20);
        Assert.Equal("127.0.0.1", Brief().LastUsedFrom);
        Assert.Contains("127.0.0.1", (await appliance.RunAsync("token", "list")).Succeeded(), StringComparison.Ordinal);
        using var almost = new Visitor(appliance, made[..^1] + (made[^1] == 'A' ? 'E' : 'A'));
        (await almost.GetAsync("/api/v1/status")).Is(401);
        (await appliance.RunAsync("token", "revoke", "brief")).Succeeded();
        var refused = (await program.GetAsync("/api/v1/status")).Is(401);
        Assert.Equal("Bearer", refused.Response.Headers.WwwAuthenticate.Single().Scheme);
        ApiToken Brief() => appliance.Snapshot.ApiTokens.Values.Single(t => t.Name == "brief");
        // The command that gives a host its token is another.
        Assert.Contains("There is no Host 'nope'", (await appliance.RunAsync("token", "nope")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Many_wrong_tokens_wait_and_a_right_one_does_not()
    {
        using var program = await Visitor.WithTokenAsync(appliance, "right", Role.Viewer);
        using var wrong = new Visitor(appliance, "prv_0123456789abcdef." + new string('A', 43), from: "127.0.0.9");
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < 20; i++)
            statuses.Add((await wrong.GetAsync("/api/v1/status")).Status);
        Assert.Contains(HttpStatusCode.Unauthorized, statuses);
        Assert.Equal(HttpStatusCode.TooManyRequests, statuses[^1]);
        (await program.GetAsync("/api/v1/status")).Is(200);
    }

    [Fact]
    public async Task A_body_larger_than_is_taken_is_refused()
    {
        using var nobody = new Visitor(appliance);
        using var op = await Visitor.WithTokenAsync(appliance, "large", Role.Operator);
        var large = new string(' ', 20 * 1024 * 1024);
        // Whoever may not send anything is not read at all.
        (await SendAsync(nobody, "/api/v1/apply")).Is(401);
        (await SendAsync(op, "/api/v1/apply")).Is(413);
        (await SendAsync(op, "/api/v1/hosts/nope/provision")).Is(413);
        (await SendAsync(nobody, "/api/v1/session")).Is(413);
        (await op.GetAsync("/api/v1/status")).Is(200);

        // Asked for first (RFC 9110 section 10.1.1): whoever sends on meanwhile may find the connection closed before the answer is read.
        Task<Answer> SendAsync(Visitor visitor, string path) => visitor.SendAsync(HttpMethod.Post, path, large, request => request.Headers.ExpectContinue = true);
    }

    [Fact]
    public async Task Every_answer_tells_the_browser_what_not_to_do()
    {
        using var nobody = new Visitor(appliance);
        foreach (var path in new[] { "/api/v1/status", "/nothing-here", "/api/v1/session" })
        {
            var headers = (await nobody.GetAsync(path)).Response.Headers;
            var policy = headers.GetValues("Content-Security-Policy").Single();
            Assert.Contains("script-src 'self';", policy, StringComparison.Ordinal);
            Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
            Assert.Contains("default-src 'self'", policy, StringComparison.Ordinal);
            Assert.Equal("nosniff", headers.GetValues("X-Content-Type-Options").Single());
            Assert.Equal("no-referrer", headers.GetValues("Referrer-Policy").Single());
            Assert.StartsWith("max-age=", headers.GetValues("Strict-Transport-Security").Single(), StringComparison.Ordinal);
            Assert.False(headers.Contains("Server"));
        }
    }

    [Fact]
    public async Task The_command_line_asks_an_appliance_elsewhere_with_a_token_and_its_CA()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(directory["ca.pem"], appliance.Snapshot.IssuingAuthority!.ToPem(), Encoding.ASCII);
        var made = (await appliance.RunAsync("token", "create", "elsewhere", "--role", "operator")).Succeeded();
        await File.WriteAllTextAsync(directory["token"], made);
        string[] server = ["--server", $"https://localhost:{appliance.SecurePort}"];
        string[] trusted = [.. server, "--ca", directory["ca.pem"], "--token-file", directory["token"]];
        await File.WriteAllTextAsync(directory["host.yaml"], Site.Host.Replace(", profile: worker", "", StringComparison.Ordinal));
        Assert.Equal("host/web-1 created\n", (await CommandOutcome.OfAsync("", ["apply", "-f", directory["host.yaml"], .. trusted])).Succeeded());
        Assert.Contains("web-1", (await CommandOutcome.OfAsync("", ["get", "hosts", .. trusted])).Succeeded(), StringComparison.Ordinal);
        var denied = await CommandOutcome.OfAsync("", ["user", "list", .. trusted]);
        Assert.Equal((1, "provisioner: This needs the role admin; yours is operator.\n"), (denied.ExitCode, denied.Error));
        var foreign = await CommandOutcome.OfAsync("", ["get", "hosts", .. server, "--token-file", directory["token"]]);
        Assert.Contains("--ca FILE", foreign.Error, StringComparison.Ordinal);
        var without = await CommandOutcome.OfAsync("", ["get", "hosts", .. server]);
        Assert.Equal(2, without.ExitCode);
        Assert.Contains("PROVISIONER_TOKEN", without.Error, StringComparison.Ordinal);
        var plain = await CommandOutcome.OfAsync("", ["get", "hosts", "--server", "http://localhost", "--token", "x"]);
        Assert.Equal(2, plain.ExitCode);
    }
}

/// <summary>Limits of requests, at an appliance that allows few.</summary>
public sealed class RequestRateTests
{
    [Fact]
    public async Task Each_has_a_rate_of_its_own()
    {
        await using var appliance = await RunningAppliance.StartAsync(access: new AccessOptions { RequestsPerMinute = 60 });
        using var greedy = await Visitor.WithTokenAsync(appliance, "greedy", Role.Viewer);
        using var modest = await Visitor.WithTokenAsync(appliance, "modest", Role.Viewer);
        var statuses = new List<int>();
        for (var i = 0; i < 90; i++)
            statuses.Add((int)(await greedy.GetAsync("/api/v1/session")).Status);
        Assert.Equal(200, statuses[0]);
        Assert.Contains(429, statuses);
        (await modest.GetAsync("/api/v1/status")).Is(200);
        // Hosts are not counted: a rack that is switched on asks all at once.
        for (var i = 0; i < 70; i++)
            (await greedy.GetAsync("/healthz")).Is(200);
    }
}
