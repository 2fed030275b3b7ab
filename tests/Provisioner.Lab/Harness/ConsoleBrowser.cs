using System.Net;
using System.Net.Sockets;
using Microsoft.Playwright;

namespace Provisioner.Lab.Harness;

/// <summary>A person at the appliance's console: a real browser outside the lab's network, and one wire into it, to the console.</summary>
internal sealed class ConsoleBrowser : IAsyncDisposable
{
    public const string Program = "chromium";

    private const int ConsolePort = 8443;

    private readonly NetworkNamespace at;
    private readonly TcpListener wire = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource ending = new();
    private IPlaywright? playwright;
    private IBrowser? browser;

    private ConsoleBrowser(NetworkNamespace at) => this.at = at;

    /// <summary>Where the console is for this browser.</summary>
    public string Root => $"https://localhost:{((IPEndPoint)wire.LocalEndpoint).Port}";

    public IPage Page { get; private set; } = null!;

    /// <summary>Opens a browser that nobody has signed in with.</summary>
    public static async Task<ConsoleBrowser> OpenAsync(NetworkNamespace at)
    {
        var opened = new ConsoleBrowser(at);
        try
        {
            opened.wire.Start();
            _ = opened.AcceptAsync();
            opened.playwright = await Playwright.CreateAsync();
            // As root, Chromium's own sandbox has nothing to stand on.
            opened.browser = await opened.playwright.Chromium.LaunchAsync(new() { ExecutablePath = Prerequisites.Find(Program), Args = ["--no-sandbox", "--disable-gpu"] });
            var context = await opened.browser.NewContextAsync(new() { IgnoreHTTPSErrors = true, ReducedMotion = ReducedMotion.Reduce });
            // Servers boot beside it, in software emulation.
            context.SetDefaultTimeout(60_000);
            Assertions.SetDefaultExpectTimeout(60_000);
            opened.Page = await context.NewPageAsync();
            return opened;
        }
        catch
        {
            await opened.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until the page is connected, so that what is clicked is heard.</summary>
    public Task LiveAsync() => Page.WaitForFunctionAsync("() => document.documentElement.dataset.live === 'yes'");

    public async ValueTask DisposeAsync()
    {
        if (browser is not null)
            await browser.DisposeAsync();
        playwright?.Dispose();
        await ending.CancelAsync();
        wire.Dispose();
        ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        var end = ending.Token;
        try
        {
            while (true)
                _ = CarryAsync(await wire.AcceptTcpClientAsync(end), end);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The browser is closed.
        }
    }

    private async Task CarryAsync(TcpClient client, CancellationToken end)
    {
        try
        {
            using var _ = client;
            await using var inside = await at.ConnectAsync(new IPEndPoint(IPAddress.Parse(LabNetwork.Address), ConsolePort), end);
            var outside = client.GetStream();
            await Task.WhenAny(outside.CopyToAsync(inside, end), inside.CopyToAsync(outside, end));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or IOException)
        {
            // One side has hung up, or the console is not there at the moment: the browser sees it, as any would.
        }
    }
}
