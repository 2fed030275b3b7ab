using Microsoft.Playwright;
using Provisioner.Auth;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Auth;

namespace Provisioner.Tests.Web;

/// <summary>Debian's Chromium, started once for all tests of the console.</summary>
public sealed class Chromium : IAsyncLifetime
{
    /// <summary>Set by test.sh once it has installed everything: what is missing then is a failure and not a reason to skip.</summary>
    private const string RequiredVariable = "PROVISIONER_BROWSER_REQUIRED";

    /// <summary>Where pictures are kept of each page that is looked at; nowhere when not set.</summary>
    private const string PicturesVariable = "PROVISIONER_PICTURES";

    private static readonly string? Program = new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists);

    private IPlaywright? playwright;
    private IBrowser? browser;

    /// <summary>Somebody wants pictures of all there is.</summary>
    public static bool TakesPictures => Environment.GetEnvironmentVariable(PicturesVariable) is { Length: > 0 };

    /// <summary>A test's first line: it skips where there is no browser.</summary>
    public static void SkipWithout()
    {
        if (Program is null && Environment.GetEnvironmentVariable(RequiredVariable) != "1")
            Assert.Skip("there is no Chromium: .ci/install browser");
    }

    public async ValueTask InitializeAsync()
    {
        if (Program is null)
            return;
        // On two cores with other tests beside, a page may take a while; what it shows in the end is what counts.
        Assertions.SetDefaultExpectTimeout(20_000);
        playwright = await Playwright.CreateAsync();
        // As root, in a container or not, Chromium's own sandbox has nothing to stand on.
        browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = Program, Args = ["--no-sandbox", "--disable-gpu"] });
    }

    public async ValueTask DisposeAsync()
    {
        if (browser is not null)
            await browser.DisposeAsync();
        playwright?.Dispose();
    }

    /// <summary>A browser that nobody has signed in with.</summary>
    public async Task<IPage> OpenAsync(int width = 1280, int height = 800, bool dark = false)
    {
        var context = await browser!.NewContextAsync(new()
        {
            // The authority is the appliance's own, and new.
            IgnoreHTTPSErrors = true,
            ViewportSize = new() { Width = width, Height = height },
            ColorScheme = dark ? ColorScheme.Dark : ColorScheme.Light,
            ReducedMotion = ReducedMotion.Reduce,
        });
        context.SetDefaultTimeout(20_000);
        return await context.NewPageAsync();
    }

    /// <summary>A browser that a person with that role has signed in with.</summary>
    internal async Task<IPage> SignInAsync(RunningAppliance appliance, string name, Role role, int width = 1280, int height = 800, bool dark = false)
    {
        if (!appliance.Snapshot.Users.ContainsKey(name))
            await Visitor.AddUserAsync(appliance, name, role);
        var page = await OpenAsync(width, height, dark);
        await page.GotoAsync($"https://localhost:{appliance.SecurePort}/sign-in");
        await page.GetByLabel("Name").FillAsync(name);
        await page.GetByLabel("Password").FillAsync(Visitor.PasswordOf(name));
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await page.WaitForURLAsync($"https://localhost:{appliance.SecurePort}/");
        await LiveAsync(page);
        // A page is drawn in light colours first: which ones the browser wants is asked when it is connected.
        if (dark)
            await Assertions.Expect(page.GetByLabel("Light colours")).ToBeVisibleAsync();
        return page;
    }

    /// <summary>Waits until the page is connected, so that what is clicked is heard.</summary>
    public static Task LiveAsync(IPage page) => page.WaitForFunctionAsync("() => document.documentElement.dataset.live === 'yes'");

    /// <summary>Keeps a picture for whoever wants to look.</summary>
    public static async Task PictureAsync(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable(PicturesVariable) is { Length: > 0 } directory)
            await page.ScreenshotAsync(new() { Path = Path.Combine(directory, name + ".png") });
    }
}
