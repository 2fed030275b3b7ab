using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Provisioner.Auth;
using Provisioner.Progress;
using Provisioner.Tests.Appliance;
using static Microsoft.Playwright.Assertions;

namespace Provisioner.Tests.Web;

/// <summary>What an installer says is seen on the host's page as it says it.</summary>
public sealed class LiveLogTests(Chromium chromium) : IClassFixture<Chromium>
{
    [Fact]
    public async Task Lines_come_as_they_are_said_and_the_last_one_is_in_sight()
    {
        Chromium.SkipWithout();
        await using var appliance = await RunningAppliance.StartAsync(access: new AccessOptions { RequestsPerMinute = 100_000 });
        await ConsoleSite.BuildAsync(appliance);
        var log = appliance.Services.GetRequiredService<InstallerLog>();
        var page = await chromium.SignInAsync(appliance, "vera", Role.Viewer);
        await page.GotoAsync($"https://localhost:{appliance.SecurePort}/hosts/r3-n06");
        await Chromium.LiveAsync(page);
        await page.GetByRole(AriaRole.Tab, new() { Name = "Log" }).ClickAsync();
        await Expect(page.GetByText("have said nothing yet")).ToBeVisibleAsync();
        for (var i = 1; i <= 200; i++)
        {
            log.Add("r3-n06", $"Unpacking package number {i}.");
            log.Add("r3-n05", "something of another host");
        }
        var last = page.GetByText("Unpacking package number 200.");
        await Expect(last).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "The last lines" })).Not.ToContainTextAsync("another host");
        // The end is what one looks at: the box of the text ends where what is seen of it ends.
        var isAtItsEnd = await page.EvaluateAsync<bool>("() => { const box = document.querySelector('.follow'); return box.scrollHeight > box.clientHeight && Math.abs(box.scrollTop) < 2; }");
        Assert.True(isAtItsEnd);
    }
}
