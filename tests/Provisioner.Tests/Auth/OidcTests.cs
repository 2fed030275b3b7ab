using System.Net;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Auth;
using Provisioner.Auth.Oidc;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Auth;

/// <summary>Sign-in by a real identity provider, the way a browser goes: there, back, and in.</summary>
public sealed class OidcTests : IAsyncLifetime
{
    private IdentityProvider provider = null!;
    private RunningAppliance appliance = null!;

    public async ValueTask InitializeAsync()
    {
        provider = await IdentityProvider.StartAsync();
        appliance = await RunningAppliance.StartAsync(access: new AccessOptions
        {
            Oidc = new OidcOptions
            {
                Issuer = provider.Issuer, ClientId = IdentityProvider.ClientId, ClientSecretFile = provider.SecretFile, CaFile = provider.CaFile,
                Roles = [new("auditors", Role.Viewer), new("netops", Role.Operator), new("platform", Role.Admin)],
            },
        });
    }

    public async ValueTask DisposeAsync()
    {
        await appliance.DisposeAsync();
        await provider.DisposeAsync();
    }

    [Fact]
    public async Task Groups_say_what_somebody_may_do_and_the_most_counts()
    {
        provider.Person = ("s-1", "Olga@example.com", ["everybody", "auditors", "netops"]);
        using var browser = new Visitor(appliance);

        var end = await SignInAsync(browser, "/audit");

        Assert.Equal("/audit", end);
        Assert.Equal("S256", provider.ChallengeMethod);
        var session = (await browser.GetAsync("/api/v1/session")).Is(200).Json;
        Assert.Equal(("olga@example.com", "operator", "user"), (session["name"]!.ToString(), session["role"]!.ToString(), session["kind"]!.ToString()));
        var user = appliance.Snapshot.Users["olga@example.com"];
        Assert.Equal((provider.Issuer, "s-1", null), (user.Issuer, user.Subject, user.PasswordHash));
        // No password opens it, and nobody here changes what the groups say.
        using var nobody = new Visitor(appliance);
        (await nobody.TryAsync("olga@example.com", "correct horse battery")).Is(401);
        Assert.Contains("groups", (await appliance.RunAsync("user", "set-role", "olga@example.com", "admin")).Error, StringComparison.Ordinal);

        // Another group, another role, from the next sign-in on; sessions of the old role end with it.
        provider.Person = ("s-1", "Olga@example.com", ["platform"]);
        await SignInAsync(browser, "/");
        Assert.Equal("admin", (await browser.GetAsync("/api/v1/session")).Json["role"]!.ToString());
        Assert.Single(appliance.Snapshot.Users);
    }

    [Fact]
    public async Task Whoever_has_no_role_or_another_s_name_is_sent_back_and_the_reason_is_recorded()
    {
        await Visitor.AddUserAsync(appliance, "ada", Role.Admin);
        using var browser = new Visitor(appliance);

        provider.Person = ("s-2", "nina", ["everybody"]);
        Assert.Equal("/sign-in?problem=no-role", await SignInAsync(browser, "/"));
        provider.Person = ("s-3", "ada", ["platform"]);
        Assert.Equal("/sign-in?problem=taken", await SignInAsync(browser, "/"));
        provider.Person = ("s-4", "two words", ["platform"]);
        Assert.Equal("/sign-in?problem=failed", await SignInAsync(browser, "/"));
        provider.Person = null;
        Assert.Equal("/sign-in?problem=failed", await SignInAsync(browser, "/"));

        Assert.Equal(["ada"], appliance.Snapshot.Users.Keys);
        Assert.Empty(appliance.Snapshot.Sessions);
        foreach (var reason in new[] { "none of the groups has a role", "ada is a user with a password here", "'two words' is no name of a user", "access_denied" })
            await browser.RefusalsUntilAsync(e => e.Reason.Contains(reason, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_code_that_this_browser_did_not_ask_for_is_worth_nothing()
    {
        provider.Person = ("s-1", "olga", ["netops"]);
        using var browser = new Visitor(appliance);
        using var other = new Visitor(appliance);
        var callback = await AuthorizeAsync(browser, "/");
        Assert.StartsWith("/sign-in?problem=failed", await AtAsync(other, callback), StringComparison.Ordinal);
        Assert.Empty(appliance.Snapshot.Users);
        // Nor is it twice.
        Assert.Equal("/", await AtAsync(browser, callback));
        Assert.StartsWith("/sign-in?problem=failed", await AtAsync(browser, callback), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_provider_that_cannot_be_asked_is_said_and_passwords_go_on()
    {
        await Visitor.AddUserAsync(appliance, "ada", Role.Admin);
        await provider.DisposeAsync();
        provider = await IdentityProvider.StartAsync();
        using var browser = new Visitor(appliance);
        Assert.Equal("/sign-in?problem=failed", (await browser.GetAsync("/sign-in/oidc")).Is(302).Response.Headers.Location!.ToString());
        await browser.RefusalsUntilAsync(e => e.Reason.Contains("cannot be asked", StringComparison.Ordinal));
        await browser.SignInAsync("ada", Visitor.PasswordOf("ada"));
    }

    [Theory]
    [InlineData("//example.com/evil")]
    [InlineData("https://example.com/")]
    [InlineData("/\\example.com")]
    public async Task It_leads_to_no_other_site(string from)
    {
        provider.Person = ("s-1", "olga", ["netops"]);
        using var browser = new Visitor(appliance);
        Assert.Equal("/", await SignInAsync(browser, from));
    }

    private async Task<string> SignInAsync(Visitor browser, string from) => await AtAsync(browser, await AuthorizeAsync(browser, from));

    /// <summary>To the provider, and what it sends the browser back to.</summary>
    private async Task<string> AuthorizeAsync(Visitor browser, string from)
    {
        var there = (await browser.GetAsync("/sign-in/oidc?from=" + Uri.EscapeDataString(from))).Is(302).Response.Headers.Location!;
        Assert.StartsWith(provider.Issuer, there.ToString(), StringComparison.Ordinal);
        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false };
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.ImportFromPemFile(provider.CaFile);
        using var http = new HttpClient(handler);
        using var answer = await http.GetAsync(there);
        Assert.True(answer.StatusCode is HttpStatusCode.Redirect or HttpStatusCode.Found, await answer.Content.ReadAsStringAsync());
        return answer.Headers.Location!.PathAndQuery;
    }

    private static async Task<string> AtAsync(Visitor browser, string callback) => (await browser.GetAsync(callback)).Is(302).Response.Headers.Location!.ToString();
}
