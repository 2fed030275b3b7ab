using System.Globalization;
using Deque.AxeCore.Playwright;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Provisioner.Auth;
using Provisioner.Hosts;
using Provisioner.Storage;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Auth;
using static Microsoft.Playwright.Assertions;

namespace Provisioner.Tests.Web;

/// <summary>The console as people use it, in a real browser, signed in as people sign in.</summary>
public sealed class ConsoleTests(Chromium chromium) : IClassFixture<Chromium>, IAsyncLifetime
{
    private RunningAppliance appliance = null!;

    private string Root => $"https://localhost:{appliance.SecurePort}";

    public async ValueTask InitializeAsync()
    {
        Chromium.SkipWithout();
        appliance = await RunningAppliance.StartAsync(access: new AccessOptions { RequestsPerMinute = 100_000 });
    }

    public async ValueTask DisposeAsync()
    {
        if (appliance is not null)
            await appliance.DisposeAsync();
    }

    [Fact]
    public async Task The_set_up_link_makes_the_first_admin_who_registers_a_server_and_has_it_built()
    {
        var link = appliance.Services.GetRequiredService<SetupLink>().Create()!;
        var page = await chromium.OpenAsync();
        // By the name the test's browser can resolve.
        await page.GotoAsync(Root + "/setup#" + new Uri(link).Fragment[1..]);
        await page.GetByLabel("Name").FillAsync("ada");
        await page.GetByLabel("Password, of at least 12 characters").FillAsync("correct horse battery");
        await page.GetByLabel("Once more").FillAsync("correct horse batter");
        await page.GetByRole(AriaRole.Button, new() { Name = "Make the admin" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("not the same");
        await page.GetByLabel("Once more").FillAsync("correct horse battery");
        await page.GetByRole(AriaRole.Button, new() { Name = "Make the admin" }).ClickAsync();

        // An empty page says what to do first.
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "No servers yet" })).ToBeVisibleAsync();
        await Chromium.LiveAsync(page);
        await appliance.ApplyAsync(Site.Network);
        await GoAsync(page, "Register", "Register a server");
        await page.GetByLabel("Name").FillAsync("Rack 1");
        await page.GetByLabel("MAC addresses").FillAsync("52:54:00:12:34:5");
        await page.GetByRole(AriaRole.Button, new() { Name = "Register" }).ClickAsync();
        // All that is wrong, at once.
        await Expect(page.GetByRole(AriaRole.Alert)).ToHaveCountAsync(2);
        await page.GetByLabel("Name").FillAsync("rack1-n07");
        await page.GetByLabel("MAC addresses").FillAsync("52:54:00:12:34:56");
        await page.GetByLabel("Rack", new() { Exact = true }).FillAsync("rack1");
        await page.GetByLabel("Unit").FillAsync("7");
        await page.GetByRole(AriaRole.Button, new() { Name = "Register" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "rack1-n07" })).ToBeVisibleAsync();
        Assert.Equal(7, appliance.Snapshot.Hosts["rack1-n07"].Spec.Location!.Unit);

        // It cannot be built yet, and is told why and what to do.
        await page.GetByRole(AriaRole.Button, new() { Name = "Provision" }).ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        await Expect(dialog.GetByRole(AriaRole.Button, new() { Name = "Provision" })).ToBeDisabledAsync();
        await dialog.GetByRole(AriaRole.Textbox).FillAsync("rack1-n07");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Provision" }).ClickAsync();
        await Expect(page.Locator(".mud-snackbar").Filter(new() { HasText = "spec.profile" })).ToBeVisibleAsync();

        // What happens elsewhere is seen without a reload.
        await appliance.Writer.ChangeAsync(editor =>
        {
            editor.Put(new Installation { Id = new string('a', 32), Host = "rack1-n07", Profile = "worker", Image = "debian-12", OpenedAt = editor.Now, ClosesAt = editor.Now.AddHours(1) });
            return 0;
        });
        await Expect(page.Locator(".head .state")).ToContainTextAsync("Waiting");
        Assert.Equal("user/ada", appliance.EventLog.Find(new EventQuery { Host = "rack1-n07" })[0].Actor);
    }

    [Fact]
    public async Task A_machine_that_asked_is_adopted_in_its_place()
    {
        await appliance.Writer.ChangeAsync(editor =>
        {
            editor.Put(new Discovered(Protocols.MacAddress.Parse("52:54:00:aa:bb:cc")) { Architecture = "UEFI x64", Vendor = "QEMU", Serial = "S-1", FirstSeen = editor.Now, LastSeen = editor.Now, Times = 3 });
            return 0;
        });
        var page = await chromium.SignInAsync(appliance, "olga", Role.Operator);
        await GoAsync(page, "Adopt 1", "Adopt");
        await page.GetByLabel("Name for 52:54:00:aa:bb:cc").FillAsync("n1");
        await page.GetByRole(AriaRole.Button, new() { Name = "Adopt", Exact = true }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "n1" })).ToBeVisibleAsync();
        Assert.Equal("S-1", appliance.Snapshot.Hosts["n1"].Spec.Serial);
    }

    [Fact]
    public async Task A_list_is_imported_when_each_row_was_seen_and_the_wrong_ones_are_left_out_by_choice()
    {
        await ConsoleSite.BuildAsync(appliance);
        var page = await chromium.SignInAsync(appliance, "olga", Role.Operator);
        await page.GotoAsync(Root + "/import");
        await Chromium.LiveAsync(page);
        await page.GetByLabel("The list").FillAsync("Hostname;Primary MAC;Cabinet;U;Bay\nnew-1;52:54:00:99:00:01;rack9;4;a\nnew-2;52:54:00:99:00:01;rack9;6;b\nr1-n01;52:54:00:99:00:03;rack9;8;c\nnew 4;52:54:00:99:00:04;rack9;x;d\n");
        await page.Keyboard.PressAsync("Tab");
        await Expect(page.GetByRole(AriaRole.Status)).ToContainTextAsync("1 of 4 rows can be registered");
        await Expect(page.GetByLabel("What column Cabinet is")).ToHaveValueAsync("rack");
        await Expect(page.GetByLabel("What column Bay is")).ToHaveValueAsync("");
        await Expect(page.GetByText("belongs to Host new-1")).ToBeVisibleAsync();
        await Expect(page.GetByText("there is a Host r1-n01 already")).ToBeVisibleAsync();
        var register = page.GetByRole(AriaRole.Button, new() { Name = "Register 1" });
        await Expect(register).ToBeDisabledAsync();
        Assert.False(appliance.Snapshot.Hosts.ContainsKey("new-1"));
        await page.GetByLabel("Leave out the 3 that are wrong").CheckAsync();
        await register.ClickAsync();
        await page.WaitForURLAsync(Root + "/");
        Assert.Equal(4, appliance.Snapshot.Hosts["new-1"].Spec.Location!.Unit);
        Assert.False(appliance.Snapshot.Hosts.ContainsKey("new-2"));
    }

    [Fact]
    public async Task With_a_phone_one_server_after_the_other_is_registered_and_seen()
    {
        await ConsoleSite.BuildAsync(appliance);
        var page = await chromium.SignInAsync(appliance, "olga", Role.Operator, 390, 844);
        await page.GotoAsync(Root + "/onboard");
        await Chromium.LiveAsync(page);
        await page.GetByLabel("MAC address").FillAsync("a0:36:9f:12:34:56");
        await page.GetByLabel("Rack").FillAsync("Hall 2");
        await page.GetByLabel("Unit").FillAsync("11");
        await page.GetByLabel("Profile").SelectOptionAsync("worker");
        await page.GetByRole(AriaRole.Button, new() { Name = "Next" }).ClickAsync();
        // It had asked before it was registered.
        await Expect(page.Locator(".done li.good")).ToContainTextAsync("hall-2-u11 seen on the wire");
        await Expect(page.GetByLabel("Unit")).ToHaveValueAsync("12");
        await page.GetByLabel("MAC address").FillAsync("a0:36:9f:12:34:57");
        await page.GetByRole(AriaRole.Button, new() { Name = "Next" }).ClickAsync();
        await Expect(page.Locator(".done li.idle")).ToContainTextAsync("hall-2-u12 not seen on the wire yet");
        Assert.Equal("worker", appliance.Snapshot.Hosts["hall-2-u12"].Spec.Profile);
        // Buttons for gloves.
        var box = await page.GetByRole(AriaRole.Button, new() { Name = "Next" }).BoundingBoxAsync();
        Assert.True(box!.Height >= 48, $"{box.Height}");
    }

    [Fact]
    public async Task Each_role_is_offered_what_it_may_do_and_nothing_more()
    {
        await appliance.ApplyAsync($"{Site.Network}\n---\n{Site.Host.Replace(", profile: worker", "", StringComparison.Ordinal)}");
        var viewer = await chromium.SignInAsync(appliance, "vera", Role.Viewer);
        await viewer.GotoAsync(Root + "/hosts/web-1");
        await Chromium.LiveAsync(viewer);
        await Expect(viewer.GetByRole(AriaRole.Button, new() { Name = "Provision" })).ToHaveCountAsync(0);
        await Expect(viewer.GetByRole(AriaRole.Button, new() { Name = "Retire" })).ToHaveCountAsync(0);
        await viewer.GotoAsync(Root + "/register");
        await Expect(viewer.GetByText("Your role, viewer, looks on")).ToBeVisibleAsync();

        var op = await chromium.SignInAsync(appliance, "olga", Role.Operator);
        await op.GotoAsync(Root + "/hosts/web-1");
        await Expect(op.GetByRole(AriaRole.Button, new() { Name = "Provision" })).ToBeVisibleAsync();
        await op.GotoAsync(Root + "/resources/networks/lab?view=yaml");
        await Expect(op.GetByLabel("As YAML")).Not.ToBeEditableAsync();
        await Expect(op.GetByRole(AriaRole.Button, new() { Name = "Save" })).ToHaveCountAsync(0);

        var admin = await chromium.SignInAsync(appliance, "ada", Role.Admin);
        await admin.GotoAsync(Root + "/resources/networks/lab?view=yaml");
        await Chromium.LiveAsync(admin);
        var yaml = admin.GetByLabel("As YAML");
        var text = await yaml.InputValueAsync();
        await yaml.FillAsync(text.Replace("lab0", "lab 0", StringComparison.Ordinal));
        await Expect(admin.Locator(".mistakes")).ToContainTextAsync("spec.interface");
        await yaml.FillAsync(text.Replace("lab0", "lab1", StringComparison.Ordinal));
        await admin.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await Expect(admin.Locator(".mud-snackbar")).ToContainTextAsync("is saved");
        Assert.Equal("lab1", appliance.Snapshot.Networks["lab"].Spec.Interface);

        // Whoever loses the role while a page is open loses the page.
        await appliance.RunAsync("user", "set-role", "olga", "viewer");
        await op.WaitForURLAsync(Root + "/sign-in");
    }

    [Fact]
    public async Task An_admin_lets_people_and_programs_in_and_out()
    {
        var page = await chromium.SignInAsync(appliance, "ada", Role.Admin);
        await GoAsync(page, "People", "People and programs");
        await page.GetByLabel("Name", new() { Exact = true }).FillAsync("olga");
        await page.GetByLabel("Password").FillAsync("short");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add", Exact = true }).ClickAsync();
        await Expect(page.Locator(".mud-snackbar").Filter(new() { HasText = "has 5 characters" })).ToBeVisibleAsync();
        await page.GetByLabel("Password").FillAsync("a longer one that fits");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add", Exact = true }).ClickAsync();
        await Expect(page.GetByLabel("Role of olga")).ToHaveValueAsync("operator");

        // She sees no such page, whichever way she goes there.
        var op = await chromium.OpenAsync();
        await op.GotoAsync(Root + "/sign-in");
        await op.GetByLabel("Name").FillAsync("olga");
        await op.GetByLabel("Password").FillAsync("a longer one that fits");
        await op.Keyboard.PressAsync("Enter");
        await op.WaitForURLAsync(Root + "/");
        await Chromium.LiveAsync(op);
        await Expect(op.GetByRole(AriaRole.Link, new() { Name = "People" })).ToHaveCountAsync(0);
        await op.EvaluateAsync("() => Blazor.navigateTo('/people')");
        await Expect(op.GetByRole(AriaRole.Heading, new() { Name = "Not for your role" })).ToBeVisibleAsync();
        Assert.Equal(403, (await op.GotoAsync(Root + "/people"))!.Status);

        await page.GetByLabel("What for").FillAsync("ci");
        await page.GetByRole(AriaRole.Button, new() { Name = "Make it" }).ClickAsync();
        var token = await page.Locator(".note code").InnerTextAsync();
        using (var program = new Visitor(appliance, token))
            (await program.GetAsync("/api/v1/status")).Is(200);
        await page.GetByRole(AriaRole.Button, new() { Name = "Revoke" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Revoke" }).ClickAsync();
        await Expect(page.GetByText("No program has one yet.")).ToBeVisibleAsync();
        using (var program = new Visitor(appliance, token))
            (await program.GetAsync("/api/v1/status")).Is(401);

        await page.GetByLabel("Role of ada").SelectOptionAsync("viewer");
        // The last admin stays one.
        await Expect(page.Locator(".mud-snackbar").Filter(new() { HasText = "admin" }).Last).ToBeVisibleAsync();
        Assert.Equal(Role.Admin, appliance.Snapshot.Users["ada"].Role);
    }

    [Fact]
    public async Task Nobody_gets_further_than_the_sign_in_and_comes_back_to_where_he_wanted()
    {
        await Visitor.AddUserAsync(appliance, "vera", Role.Viewer);
        var page = await chromium.OpenAsync();
        await page.GotoAsync(Root + "/audit");
        await page.WaitForURLAsync("**/sign-in?from=*");
        await page.GetByLabel("Name").FillAsync("vera");
        await page.GetByLabel("Password").FillAsync("wrong");
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("The name or the password is wrong");
        await page.GetByLabel("Password").FillAsync(Visitor.PasswordOf("vera"));
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Audit" })).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Sign out" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign out of this browser" }).ClickAsync();
        await page.WaitForURLAsync(Root + "/sign-in");
        Assert.Empty(appliance.Snapshot.Sessions);
        await page.GotoAsync(Root + "/sign-in?from=https%3A%2F%2Fexample.com%2Fevil");
        await page.GetByLabel("Name").FillAsync("vera");
        await page.GetByLabel("Password").FillAsync(Visitor.PasswordOf("vera"));
        await page.Keyboard.PressAsync("Enter");
        await page.WaitForURLAsync(Root + "/");
    }

    [Fact]
    public async Task An_open_page_goes_on_when_the_service_was_started_again()
    {
        using var directory = new TemporaryDirectory();
        await appliance.DisposeAsync();
        var port = Provisioner.Tests.Kubernetes.KubeApi.FreePort();
        appliance = await RunningAppliance.StartAsync(directory, securePort: port);
        await ConsoleSite.BuildAsync(appliance);
        var page = await chromium.SignInAsync(appliance, "vera", Role.Viewer);
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "6 Registered" })).ToBeVisibleAsync();

        await appliance.DisposeAsync();
        await Expect(page.Locator(".offline")).ToBeVisibleAsync();
        // What was shown stays.
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "6 Registered" })).ToBeVisibleAsync();
        appliance = await RunningAppliance.StartAsync(directory, securePort: port);
        await Expect(page.Locator(".offline")).ToBeHiddenAsync(new() { Timeout = 20_000 });
        await Chromium.LiveAsync(page);
        await appliance.SendAsync(HttpMethod.Delete, "hosts/r3-n06");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "5 Registered" })).ToBeVisibleAsync();
    }

    [Fact]
    public async Task With_the_keyboard_alone_a_server_is_registered_and_its_installation_opened()
    {
        await ConsoleSite.BuildAsync(appliance);
        await Visitor.AddUserAsync(appliance, "olga", Role.Operator);
        var page = await chromium.OpenAsync();
        await page.GotoAsync(Root + "/register");
        await page.Keyboard.TypeAsync("olga");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.TypeAsync(Visitor.PasswordOf("olga"));
        await page.Keyboard.PressAsync("Enter");
        await page.WaitForURLAsync(Root + "/register");
        await Chromium.LiveAsync(page);
        await TabToAsync(page, "#name");
        await page.Keyboard.TypeAsync("by-keyboard");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.TypeAsync("52:54:00:00:00:99");
        await TabToAsync(page, "#profile");
        await page.Keyboard.TypeAsync("worker");
        await TabToAsync(page, "button[type=submit]");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "by-keyboard" })).ToBeVisibleAsync();
        await TabToAsync(page, ".doing button");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Textbox)).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync("by-keyboard");
        await TabToAsync(page, ".mud-dialog-actions button:last-child");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator(".head .state")).ToContainTextAsync("Waiting");
    }

    /// <summary>Phone, laptop, wall. Each is looked at in one of the two colours; for pictures, in both and every page.</summary>
    public static TheoryData<int, int, bool, int> Screens => Chromium.TakesPictures
        ? new() { { 390, 844, false, 20 }, { 390, 844, true, 20 }, { 1440, 900, false, 20 }, { 1440, 900, true, 20 }, { 3840, 2160, false, 20 }, { 3840, 2160, true, 20 } }
        : new() { { 390, 844, false, 20 }, { 1440, 900, true, 20 }, { 3840, 2160, false, 3 } };

    [Theory]
    [MemberData(nameof(Screens))]
    public async Task Every_page_is_without_barriers_and_fits(int width, int height, bool dark, int pages)
    {
        await ConsoleSite.BuildAsync(appliance);
        var page = await chromium.SignInAsync(appliance, "ada", Role.Admin, width, height, dark);
        var wrong = new List<string>();
        foreach (var path in new[] { "/", "/wall", "/hosts/r1-n01", "/adopt", "/register", "/import", "/onboard", "/hosts/r1-n02", "/resources/profiles", "/resources/images", "/resources/networks", "/resources/clusters", "/resources/profiles/worker", "/resources/clusters/+", "/certificates", "/people", "/audit", "/appliance", "/not-found" }.Take(pages))
        {
            await page.GotoAsync(Root + path);
            await Chromium.LiveAsync(page);
            if (dark)
                await Expect(page.GetByLabel("Light colours")).ToBeVisibleAsync();
            if (path == "/appliance")
                await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Look again" })).ToBeVisibleAsync();
            await LookAsync(path);
        }
        await page.GotoAsync(Root + "/sign-out");
        await LookAsync("/sign-out");
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));

        async Task LookAsync(string path)
        {
            var found = await page.RunAxe();
            wrong.AddRange(found.Violations.SelectMany(v => v.Nodes.Select(n => $"{path}: {v.Id}: {v.Help}: {n.Html[..Math.Min(200, n.Html.Length)]} {string.Join(" ", n.Any.Select(a => a.Message))}")).Take(6));
            // Tables scroll inside their frame; the page itself never does sideways.
            var over = await page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - document.documentElement.clientWidth");
            if (over > 0)
                wrong.Add($"{path}: {over} pixels wider than the screen");
            await Chromium.PictureAsync(page, $"{(path == "/" ? "fleet" : path.Trim('/').Replace('/', '-').Replace("+", "new", StringComparison.Ordinal))}-{width.ToString(CultureInfo.InvariantCulture)}{(dark ? "-dark" : "")}");
        }
    }

    // Having come to a page, one is at its heading: who types before that types into nothing.
    private static async Task GoAsync(IPage page, string link, string heading)
    {
        await page.GetByRole(AriaRole.Link, new() { Name = link, Exact = true }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = heading, Exact = true })).ToBeFocusedAsync();
    }

    private static async Task TabToAsync(IPage page, string selector)
    {
        for (var i = 0; i < 80; i++)
        {
            if (await page.EvaluateAsync<bool>("s => document.activeElement?.matches(s) ?? false", selector))
                return;
            await page.Keyboard.PressAsync("Tab");
        }
        Assert.Fail($"Tab does not come to {selector}");
    }
}
