using Microsoft.Playwright;
using Provisioner.Auth;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Protocols;
using Provisioner.Storage;
using Provisioner.Tests.Appliance;
using static Microsoft.Playwright.Assertions;

namespace Provisioner.Tests.Web;

/// <summary>Machines that asked: several are adopted at once, and what is none of ours is put aside.</summary>
public sealed class AdoptTests(Chromium chromium) : IClassFixture<Chromium>
{
    [Fact]
    public async Task Many_are_adopted_at_once_and_others_ignored()
    {
        Chromium.SkipWithout();
        await using var appliance = await RunningAppliance.StartAsync(access: new AccessOptions { RequestsPerMinute = 100_000 });
        await ConsoleSite.BuildAsync(appliance);
        string[] macs = ["52:54:00:aa:00:01", "52:54:00:aa:00:02", "52:54:00:aa:00:03"];
        await appliance.Writer.ChangeAsync(editor =>
        {
            foreach (var mac in editor.Snapshot.Discovered.Keys)
                editor.RemoveDiscovered(mac);
            foreach (var mac in macs)
                editor.Put(new Discovered(MacAddress.Parse(mac)) { Architecture = "UEFI x64", Vendor = "QEMU", FirstSeen = editor.Now, LastSeen = editor.Now, Times = 3 });
            return 0;
        });
        var page = await chromium.SignInAsync(appliance, "olga", Role.Operator);
        await page.GetByRole(AriaRole.Link, new() { Name = "Adopt 3" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Ignore 52:54:00:aa:00:03" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "Adopt 2" })).ToBeVisibleAsync();
        await page.GetByText("1 ignored").ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Show 52:54:00:aa:00:03 again" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "Adopt 3" })).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Ignore 52:54:00:aa:00:03" }).ClickAsync();
        await Expect(page.GetByText("1 ignored")).ToBeVisibleAsync();

        await page.GetByLabel("Profile, where none is chosen").SelectOptionAsync("worker");
        await page.GetByLabel($"Name for {macs[0]}").FillAsync("n1");
        await page.GetByLabel($"Name for {macs[1]}").FillAsync("N 2");
        await page.Keyboard.PressAsync("Tab");
        var all = page.GetByRole(AriaRole.Button, new() { Name = "Adopt all that have a name (2)" });
        await all.ClickAsync();
        // One is wrong: none is adopted.
        await Expect(page.Locator(".mud-snackbar").Filter(new() { HasText = "N 2" })).ToBeVisibleAsync();
        Assert.False(appliance.Snapshot.Hosts.ContainsKey("n1"));
        await page.GetByLabel($"Name for {macs[1]}").FillAsync("n2");
        await page.Keyboard.PressAsync("Tab");
        await all.ClickAsync();
        await page.WaitForURLAsync($"https://localhost:{appliance.SecurePort}/");
        Assert.Equal(["worker", "worker"], new[] { "n1", "n2" }.Select(n => appliance.Snapshot.Hosts[n].Spec.Profile));

        // What asks again stays ignored, by the command line as well; and is adopted all the same when somebody says so.
        var left = Assert.Single(appliance.Snapshot.Discovered.Values);
        Assert.NotNull(new Sighting(left.MacAddress, appliance.Now).Merge(left, null).IgnoredAt);
        Assert.Contains("user/olga", appliance.EventLog.Find(new EventQuery { MacAddresses = [left.MacAddress] }).Select(e => e.Actor), StringComparer.Ordinal);
        Assert.Equal($"discovered/{left.MacAddress} waits to be adopted.\n", (await appliance.RunAsync("ignore", macs[2], "--undo")).Succeeded());
        Assert.Equal($"discovered/{left.MacAddress} is ignored.\n", (await appliance.RunAsync("ignore", macs[2])).Succeeded());
        (await appliance.RunAsync("adopt", macs[2], "--name", "n3")).Succeeded();
        Assert.Empty(appliance.Snapshot.Discovered);
    }
}
