using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Provisioner.Auth;
using Provisioner.NetBox;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.NetBox;
using static Microsoft.Playwright.Assertions;

namespace Provisioner.Tests.Web;

/// <summary>Devices of a NetBox become hosts by the import page.</summary>
public sealed class NetBoxImportTests(Chromium chromium) : IClassFixture<Chromium>
{
    [Fact]
    public async Task Devices_are_seen_and_the_right_ones_registered()
    {
        Chromium.SkipWithout();
        await using var netBox = await NetBoxDouble.StartAsync();
        await using var appliance = await RunningAppliance.StartAsync(access: new AccessOptions { RequestsPerMinute = 100_000 }, more: services => services.AddSingleton(_ => new NetBoxClient(netBox.Options)));
        await ConsoleSite.BuildAsync(appliance);
        var page = await chromium.SignInAsync(appliance, "olga", Role.Operator);
        await page.GotoAsync($"https://localhost:{appliance.SecurePort}/import");
        await Chromium.LiveAsync(page);
        var filter = page.GetByLabel("Which devices of 127.0.0.1");
        await filter.FillAsync("site=nowhere");
        await page.GetByRole(AriaRole.Button, new() { Name = "Ask NetBox" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("nowhere is not one of the available choices");
        await filter.FillAsync("site=madrid&role=worker");
        await page.GetByLabel("Profile, where none is said").SelectOptionAsync("worker");
        await page.GetByRole(AriaRole.Button, new() { Name = "Ask NetBox" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Status)).ToContainTextAsync("2 of 3 rows can be registered");
        await Chromium.PictureAsync(page, "netbox");
        await page.GetByLabel("Leave out the 1 that is wrong").CheckAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Register 2" }).ClickAsync();
        await page.WaitForURLAsync($"https://localhost:{appliance.SecurePort}/");
        var host = appliance.Snapshot.Hosts["r7-n01"].Spec;
        Assert.Equal(("r7", 1, "worker", "S-1"), (host.Location!.Rack, host.Location.Unit, host.Profile, host.Serial));
        Assert.Equal(2, host.MacAddresses.Length);
    }
}
