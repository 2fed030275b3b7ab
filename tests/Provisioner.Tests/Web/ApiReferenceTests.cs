using System.Collections.Concurrent;
using Microsoft.Playwright;
using Provisioner.Tests.Appliance;
using static Microsoft.Playwright.Assertions;

namespace Provisioner.Tests.Web;

/// <summary>The page that describes the API.</summary>
public sealed class ApiReferenceTests(Chromium chromium) : IClassFixture<Chromium>
{
    [Fact]
    public async Task It_is_read_without_asking_anybody_else()
    {
        Chromium.SkipWithout();
        await using var appliance = await RunningAppliance.StartAsync();
        var page = await chromium.OpenAsync();
        var root = $"https://localhost:{appliance.SecurePort}/";
        var (elsewhere, refused) = (new ConcurrentQueue<string>(), new ConcurrentQueue<string>());
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(root, StringComparison.Ordinal) && !request.Url.StartsWith("data:", StringComparison.Ordinal) && !request.Url.StartsWith("blob:", StringComparison.Ordinal))
                elsewhere.Enqueue(request.Url);
        };
        page.Console += (_, message) =>
        {
            if (message.Text.Contains("Content Security Policy", StringComparison.OrdinalIgnoreCase))
                refused.Enqueue(message.Text);
        };
        var answer = await page.GotoAsync(root + "scalar");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Provisioner", Exact = true })).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "SessionEndpoints" })).ToHaveCountAsync(0);
        await page.GetByRole(AriaRole.Link, new() { Name = "apply", Exact = true }).ClickAsync();
        await Expect(page.GetByText("Create or change resources: all of the body").First).ToBeVisibleAsync();
        await Chromium.PictureAsync(page, "scalar");
        Assert.Empty(elsewhere);
        Assert.Empty(refused);
        // Another script in the page would not run: the nonce is of this answer alone.
        var policy = answer!.Headers["content-security-policy"];
        Assert.Matches("script-src 'self' 'nonce-[A-Za-z0-9+/=_-]{20,}';", policy);
        var again = await page.Context.APIRequest.GetAsync(root + "scalar");
        Assert.NotEqual(policy, again.Headers["content-security-policy"]);
        Assert.DoesNotContain("'unsafe-inline'", policy[policy.IndexOf("script-src", StringComparison.Ordinal)..policy.IndexOf("style-src", StringComparison.Ordinal)], StringComparison.Ordinal);
    }
}
