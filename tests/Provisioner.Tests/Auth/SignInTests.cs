using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Auth;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Auth;

public sealed class SignInTests : IAsyncLifetime
{
    private readonly TemporaryDirectory directory = new();
    private readonly FakeTimeProvider time = new(DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()));
    private RunningAppliance appliance = null!;

    public async ValueTask InitializeAsync() => appliance = await RunningAppliance.StartAsync(directory, time: time);

    public async ValueTask DisposeAsync()
    {
        await appliance.DisposeAsync();
        directory.Dispose();
    }

    [Fact]
    public async Task The_setup_link_makes_the_first_admin_once()
    {
        var link = (await appliance.RunAsync("setup")).Succeeded().Trim();
        Assert.Matches($"^https://.+:{appliance.SecurePort}/setup#[A-Za-z0-9_-]{{43}}$", link);
        var secret = link[(link.IndexOf('#', StringComparison.Ordinal) + 1)..];
        using var browser = new Visitor(appliance);
        string Body(string token, string password = "a long enough one") => new JsonObject { ["token"] = token, ["name"] = "ada", ["password"] = password }.ToJsonString();
        (await browser.PostAsync("/api/v1/setup", Body(new string('x', 43)))).Is(403);
        var weak = (await browser.PostAsync("/api/v1/setup", Body(secret, "short"))).Is(422);
        Assert.DoesNotContain("short", weak.Text, StringComparison.Ordinal);
        Assert.Contains("12 to 256 characters", weak.Text, StringComparison.Ordinal);
        (await browser.PostAsync("/api/v1/setup", Body(secret, "ada is my own name"))).Is(201);
        Assert.Equal("admin", (await browser.GetAsync("/api/v1/session")).Json["role"]!.ToString());
        Assert.Equal(Role.Admin, appliance.Snapshot.Users["ada"].Role);
        (await browser.PostAsync("/api/v1/setup", Body(secret))).Is(403);
        var again = await appliance.RunAsync("setup");
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("it has an admin", again.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_newer_setup_link_ends_the_older()
    {
        var first = (await appliance.RunAsync("setup")).Succeeded().Trim();
        var second = (await appliance.RunAsync("setup")).Succeeded().Trim();
        using var browser = new Visitor(appliance);
        (await browser.PostAsync("/api/v1/setup", $$"""{"token": "{{first[^43..]}}", "name": "ada", "password": "a long enough one"}""")).Is(403);
        (await browser.PostAsync("/api/v1/setup", $$"""{"token": "{{second[^43..]}}", "name": "ada", "password": "a long enough one"}""")).Is(201);
    }

    [Fact]
    public async Task The_cookie_is_for_this_host_by_HTTPS_alone_and_no_script_reads_it()
    {
        await Visitor.AddUserAsync(appliance, "vera", Role.Viewer);
        using var browser = new Visitor(appliance);
        var answer = (await browser.TryAsync("vera", Visitor.PasswordOf("vera"))).Is(200);
        var cookie = answer.Response.Headers.GetValues("Set-Cookie").Single(c => c.StartsWith("__Host-provisioner=", StringComparison.Ordinal));
        Assert.EndsWith("; path=/; secure; samesite=lax; httponly", cookie, StringComparison.Ordinal);
        var value = cookie.Split('=', ';')[1];
        // Neither it nor anything that could be turned into it is stored.
        Assert.DoesNotContain(value.Split('.')[1], File.ReadAllText(directory["provisioner.db"], System.Text.Encoding.Latin1), StringComparison.Ordinal);
        Assert.DoesNotContain(Visitor.PasswordOf("vera"), File.ReadAllText(directory["provisioner.db"], System.Text.Encoding.Latin1), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_ends_by_idleness_by_age_and_when_somebody_ends_it()
    {
        using var admin = await Visitor.SignedInAsync(appliance, "ada", Role.Admin);
        using var idle = await Visitor.SignedInAsync(appliance, "ida", Role.Viewer);
        using var busy = await Visitor.SignedInAsync(appliance, "bob", Role.Viewer);
        for (var hour = 0; hour < 23; hour++)
        {
            time.AdjustTime(time.GetUtcNow().AddHours(1));
            (await busy.GetAsync("/api/v1/status")).Is(200);
            (await admin.GetAsync("/api/v1/status")).Is(200);
        }
        Assert.Contains("The session has ended", (await idle.GetAsync("/api/v1/status")).Is(401).Json["detail"]!.ToString(), StringComparison.Ordinal);
        time.AdjustTime(time.GetUtcNow().AddHours(2));
        (await busy.GetAsync("/api/v1/status")).Is(401);

        await admin.SignInAsync("ada", Visitor.PasswordOf("ada"));
        await busy.SignInAsync("bob", Visitor.PasswordOf("bob"));
        var session = (await admin.GetAsync("/api/v1/sessions")).Is(200).Json["items"]!.AsArray().Single(s => s!["user"]!.ToString() == "bob")!["id"]!.ToString();
        (await admin.DeleteAsync($"/api/v1/sessions/{session}")).Is(204);
        (await busy.GetAsync("/api/v1/status")).Is(401);
    }

    [Fact]
    public async Task A_session_outlives_a_restart_and_not_its_sign_out()
    {
        using var before = await Visitor.SignedInAsync(appliance, "vera", Role.Viewer);
        var cookies = before.Cookies.GetAllCookies();
        await appliance.DisposeAsync();
        appliance = await RunningAppliance.StartAsync(directory, time: time);
        using var after = new Visitor(appliance);
        foreach (Cookie cookie in cookies)
            after.Cookies.Add(after.Address, new Cookie(cookie.Name, cookie.Value) { Secure = true });
        (await after.GetAsync("/api/v1/status")).Is(200);
        // The page that was open goes on with the token it had.
        after.CsrfToken = before.CsrfToken;
        (await after.DeleteAsync("/api/v1/session")).Is(204);
        foreach (Cookie cookie in cookies)
            after.Cookies.Add(after.Address, new Cookie(cookie.Name, cookie.Value) { Secure = true });
        (await after.GetAsync("/api/v1/status")).Is(401);
    }

    [Fact]
    public async Task Another_role_counts_at_once_and_another_password_ends_the_other_sessions()
    {
        using var here = await Visitor.SignedInAsync(appliance, "olga", Role.Viewer);
        using var there = new Visitor(appliance);
        await there.SignInAsync("olga", Visitor.PasswordOf("olga"));
        (await here.PostAsync("/api/v1/hosts/nope/cancel")).Is(403);
        Assert.Equal("user/olga is operator\n", (await appliance.RunAsync("user", "set-role", "olga", "operator")).Succeeded());
        (await here.PostAsync("/api/v1/hosts/nope/cancel")).Is(404);

        (await here.PostAsync("/api/v1/session/password", """{"password": "not the present one", "new": "something else entirely"}""")).Is(403);
        (await here.PostAsync("/api/v1/session/password", $$"""{"password": "{{Visitor.PasswordOf("olga")}}", "new": "something else entirely"}""")).Is(204);
        (await here.GetAsync("/api/v1/status")).Is(200);
        (await there.GetAsync("/api/v1/status")).Is(401);
        (await there.TryAsync("olga", Visitor.PasswordOf("olga"))).Is(401);
        (await there.TryAsync("olga", "something else entirely")).Is(200);
        (await appliance.RunAsync("user", "remove", "olga")).Succeeded();
        (await here.GetAsync("/api/v1/status")).Is(401);
    }

    [Fact]
    public async Task A_thousand_wrong_passwords_are_refused_and_recorded_and_the_right_user_gets_in()
    {
        using var known = await Visitor.SignedInAsync(appliance, "ada", Role.Admin, from: "127.0.0.1");
        using var attacker = new Visitor(appliance, from: "127.0.0.1");
        var refused = new Dictionary<HttpStatusCode, int>();
        for (var i = 0; i < 1_000; i++)
        {
            var answer = await attacker.TryAsync("ada", $"guess number {i}");
            refused[answer.Status] = refused.GetValueOrDefault(answer.Status) + 1;
        }
        Assert.Equal(SignInGuard.UserBurst, refused[HttpStatusCode.Unauthorized]);
        Assert.Equal(1_000 - SignInGuard.UserBurst, refused[HttpStatusCode.TooManyRequests]);
        // From elsewhere she gets in, and at the attacker's very address by the browser she has used before.
        using var elsewhere = new Visitor(appliance, from: "127.0.0.2");
        (await elsewhere.TryAsync("ada", Visitor.PasswordOf("ada"))).Is(200);
        (await known.TryAsync("ada", Visitor.PasswordOf("ada"))).Is(200);
        // An unknown browser there has to wait, and is told how long.
        using var unknown = new Visitor(appliance, from: "127.0.0.1");
        var later = (await unknown.TryAsync("ada", Visitor.PasswordOf("ada"))).Is(429);
        Assert.InRange(later.Response.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 30);
        time.Advance(TimeSpan.FromSeconds(31));
        (await unknown.TryAsync("ada", Visitor.PasswordOf("ada"))).Is(200);
        var recorded = await Tick(() => known.RefusalsUntilAsync(e => e.Reason == "too many wrong passwords: 100 tries were not looked at"));
        Assert.Equal(SignInGuard.UserBurst, recorded.Count(e => e.Reason == "the password is wrong"));
        Assert.All(recorded, e => Assert.DoesNotContain("guess", e.What + e.Reason, StringComparison.Ordinal));
    }

    // The journal waits by the appliance's clock.
    private async Task<T> Tick<T>(Func<Task<T>> until)
    {
        using var stop = new CancellationTokenSource();
        var ticking = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                time.Advance(TimeSpan.FromMilliseconds(100));
                await Task.Delay(10);
            }
        });
        var found = await until();
        await stop.CancelAsync();
        await ticking;
        return found;
    }

    [Fact]
    public async Task What_is_wrong_is_not_told_and_takes_as_long_for_nobody_as_for_somebody()
    {
        await Visitor.AddUserAsync(appliance, "ada", Role.Admin);
        using var browser = new Visitor(appliance);
        var somebody = (await browser.TryAsync("ada", "wrong password")).Is(401);
        var nobody = (await browser.TryAsync("eve", "wrong password")).Is(401);
        Assert.Equal(somebody.Text, nobody.Text);
        var typed = await Tick(async () =>
        {
            (await browser.TryAsync("my secret, typed in the wrong field", "x")).Is(401);
            return await browser.RefusalsUntilAsync(e => e.Reason == "there is no such user");
        });
        Assert.All(typed, e => Assert.DoesNotContain("secret", e.What, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_last_admin_stays()
    {
        await Visitor.AddUserAsync(appliance, "ada", Role.Admin);
        Assert.Contains("ada is the last admin", (await appliance.RunAsync("user", "remove", "ada")).Error, StringComparison.Ordinal);
        Assert.Contains("ada is the last admin", (await appliance.RunAsync("user", "set-role", "ada", "viewer")).Error, StringComparison.Ordinal);
        await Visitor.AddUserAsync(appliance, "eve", Role.Admin);
        (await appliance.RunAsync("user", "remove", "ada")).Succeeded();
    }

    [Fact]
    public async Task Users_are_added_and_listed_on_the_command_line()
    {
        Assert.Equal("user/bob added as operator\n", (await CommandOutcome.OfAsync("tr0ub4dor and three\n", ["user", "add", "bob", "--role", "operator", "--socket", appliance.SocketPath])).Succeeded());
        Assert.Equal("NAME  ROLE      SIGNED IN  SESSIONS  BY\nbob   operator  -          0         password\n", (await appliance.RunAsync("user", "list")).Succeeded());
        using var bob = new Visitor(appliance);
        await bob.SignInAsync("bob", "tr0ub4dor and three");
        Assert.Contains("bob", (await appliance.RunAsync("session", "list")).Succeeded(), StringComparison.Ordinal);
        Assert.Contains("There is a user 'bob' already", (await CommandOutcome.OfAsync("tr0ub4dor and three\n", ["user", "add", "bob", "--role", "viewer", "--socket", appliance.SocketPath])).Error, StringComparison.Ordinal);
        (await CommandOutcome.OfAsync("another long password\n", ["user", "password", "bob", "--socket", appliance.SocketPath])).Succeeded();
        (await bob.GetAsync("/api/v1/status")).Is(401);
    }

    [Fact]
    public async Task A_hash_of_a_lower_cost_is_made_anew_at_the_next_sign_in()
    {
        using var cheap = new PasswordHasher(new PasswordCost(8, 1));
        var old = await cheap.HashAsync(Visitor.PasswordOf("ada"), default);
        await appliance.Writer.ChangeAsync(editor => PeopleChanges.Add(editor, "ada", Role.Viewer, old, "test"));
        using var browser = new Visitor(appliance);
        (await browser.TryAsync("ada", Visitor.PasswordOf("ada"))).Is(200);
        Assert.StartsWith("$argon2id$v=19$m=64,t=1,p=1$", appliance.Snapshot.Users["ada"].PasswordHash!, StringComparison.Ordinal);
        (await browser.TryAsync("ada", Visitor.PasswordOf("ada"))).Is(200);
    }
}
