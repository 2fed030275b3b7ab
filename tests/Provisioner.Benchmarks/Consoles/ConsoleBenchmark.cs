using System.Globalization;
using Microsoft.Playwright;

namespace Provisioner.Benchmarks.Consoles;

/// <summary>The console with ten thousand hosts in a real browser: how soon it shows them and answers, and what many open pages cost while all of them change.</summary>
internal static class ConsoleBenchmark
{
    private const int Port = 18444, Hosts = 10_000;

    // Rows that are drawn are the answer: what happens between input and the first frame after the table is right.
    private const string Filter = """
        text => new Promise(done => {
          const input = document.querySelector('input[type=search]');
          const rows = () => document.querySelectorAll('table.fleet tbody tr th a').length;
          const want = text.length === 9 ? 1 : 10;
          const began = performance.now();
          const look = () => (want === 1 ? rows() === 1 : rows() > want) ? requestAnimationFrame(() => done(performance.now() - began)) : setTimeout(look, 1);
          input.value = text;
          input.dispatchEvent(new Event('input', { bubbles: true }));
          look();
        })
        """;

    private const string CountUpdates = """
        () => { window.updates = 0; new MutationObserver(() => window.updates++).observe(document.querySelector('table.fleet'), { subtree: true, childList: true, characterData: true }); }
        """;

    public static int Run(string[] arguments) => RunAsync(arguments).GetAwaiter().GetResult();

    private static async Task<int> RunAsync(string[] arguments)
    {
        var consoles = arguments.Contains("--quick") ? 5 : 50;
        var seconds = arguments.Contains("--quick") ? 5 : 20;
        var root = Directory.CreateTempSubdirectory("console-benchmark");
        try
        {
            using var service = Peer.Start("service", Environment.ProcessPath!, "serve-console", root.FullName, $"{Port}", $"{Hosts}");
            while (!service.Output.Contains("ready", StringComparison.Ordinal))
            {
                if (service.HasEnded)
                    throw new InvalidOperationException(service.Output);
                await Task.Delay(50);
            }
            using var playwright = await Playwright.CreateAsync();
            await using var browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = "/usr/bin/chromium", Args = ["--no-sandbox", "--disable-gpu"] });
            await using var context = await browser.NewContextAsync(new() { IgnoreHTTPSErrors = true, ViewportSize = new() { Width = 1440, Height = 900 } });
            context.SetDefaultTimeout(60_000);
            var page = await context.NewPageAsync();
            await page.GotoAsync($"https://localhost:{Port}/sign-in");
            await page.GetByLabel("Name").FillAsync(ConsoleUnderTest.User);
            await page.GetByLabel("Password").FillAsync(ConsoleUnderTest.Password);
            await page.Keyboard.PressAsync("Enter");
            await page.WaitForURLAsync($"https://localhost:{Port}/");
            await LiveAsync(page);

            Console.WriteLine($"Console: {Hosts} hosts, Chromium on the same {Environment.ProcessorCount} cores.");
            var table = new Table("what", "median ms", "worst ms");
            var (paints, lives) = (new List<double>(), new List<double>());
            for (var i = 0; i < 10; i++)
            {
                await page.ReloadAsync();
                await LiveAsync(page);
                paints.Add(await page.EvaluateAsync<double>("() => performance.getEntriesByName('first-contentful-paint')[0].startTime"));
                lives.Add(await page.EvaluateAsync<double>("() => performance.now()"));
            }
            Add(table, "first paint, with the hosts", paints);
            Add(table, "connected: clicks are heard", lives);
            var (narrow, wide) = (new List<double>(), new List<double>());
            for (var i = 0; i < 20; i++)
            {
                narrow.Add(await page.EvaluateAsync<double>(Filter, $"host{i * 497:00000}"));
                wide.Add(await page.EvaluateAsync<double>(Filter, ""));
            }
            Add(table, "filter to one host", narrow);
            Add(table, "and back to all", wide);
            table.Print();

            var pages = new List<IPage> { page };
            while (pages.Count < consoles)
            {
                var another = await context.NewPageAsync();
                await another.GotoAsync($"https://localhost:{Port}/");
                await LiveAsync(another);
                pages.Add(another);
            }
            foreach (var open in pages)
                await open.EvaluateAsync(CountUpdates);
            await Task.Delay(2_000);
            Console.WriteLine($"{consoles} open pages, 1000 state changes each second for {seconds} s, twice:");
            var load = new Table("round", "changes", "seconds", "updates of a page each second", "service MB before", "after", "CPU s");
            for (var round = 1; round <= 2; round++)
            {
                var before = service.Measure();
                foreach (var open in pages)
                    await open.EvaluateAsync("() => { window.updates = 0; }");
                var told = (await service.AskAsync($"1000 {seconds}")).Split(' ');
                var updates = 0.0;
                foreach (var open in pages)
                    updates += await open.EvaluateAsync<int>("() => window.updates") / (double)seconds / consoles;
                var after = service.Measure();
                load.Add($"{round}", told[0], told[1], Text(updates), $"{before.ResidentBytes >> 20}", $"{after.ResidentBytes >> 20}", Text(after.CpuSeconds - before.CpuSeconds));
            }
            load.Print();
            return 0;
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    private static Task<IJSHandle> LiveAsync(IPage page) => page.WaitForFunctionAsync("() => document.documentElement.dataset.live === 'yes'");

    private static void Add(Table table, string what, List<double> times)
    {
        times.Sort();
        table.Add(what, Text(times[times.Count / 2]), Text(times[^1]));
    }

    private static string Text(double number) => number.ToString("0.#", CultureInfo.InvariantCulture);
}
