using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Provisioner.Cli;

/// <summary><c>provisioner cache warm | list | verify | evict</c>.</summary>
internal static class CacheCommands
{
    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect) =>
        new TeachingCommand("cache", "The artifacts that hosts fetch from the appliance: fill the cache, see what is in it, check it, empty it.",
            "provisioner cache warm worker",
            "provisioner cache list")
        {
            Warm(screen, connect), List(screen, connect), Verify(screen, connect), Evict(screen, connect),
        };

    private static TeachingCommand Warm(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var named = new Argument<string[]>("PROFILE|PATH") { Description = "A Profile: everything its hosts fetch from here. Or a path below /artifacts/, such as ubuntu/dists/noble/InRelease.", Arity = ArgumentArity.ZeroOrMore };
        var output = ResourceCommands.Output("text", "json", "yaml");
        var nodeadm = new Option<string?>("--nodeadm") { Description = "nodeadm itself: a version, or latest.", HelpName = "VERSION" };
        var kubernetes = new Option<string?>("--kubernetes") { Description = "What 'nodeadm install VERSION' fetches: kubelet, kubectl, CNI plugins, credential provider, authenticator, signing helper.", HelpName = "VERSION" };
        var architectures = new Option<string[]>("--arch") { Description = "For these processors; both when not said.", HelpName = "amd64|arm64" };
        architectures.AcceptOnlyFromAmong("amd64", "arm64");
        var upstream = new Option<string?>("--upstream") { Description = "The upstream nodeadm comes from, where it is not the built-in 'nodeadm'.", HelpName = "NAME" };
        var command = new TeachingCommand("warm", "Fetch artifacts before hosts ask for them, and check each.",
            "provisioner cache warm worker",
            "provisioner cache warm --nodeadm latest --kubernetes 1.34 --arch amd64",
            "provisioner cache warm ubuntu/dists/noble/InRelease docker-ubuntu/dists/noble/InRelease")
        {
            named, nodeadm, kubernetes, architectures, upstream, output,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            // A path has a slash, the name of a Profile has none.
            var names = (parsed.GetValue(named) ?? []).ToLookup(name => name.Contains('/', StringComparison.Ordinal));
            var body = new JsonObject { ["profiles"] = Words([.. names[false]]), ["paths"] = Words([.. names[true]]), ["architectures"] = Words(parsed.GetValue(architectures)) };
            foreach (var (key, value) in new[] { ("nodeadm", parsed.GetValue(nodeadm)), ("kubernetes", parsed.GetValue(kubernetes)), ("upstream", parsed.GetValue(upstream)) })
            {
                if (value is not null)
                    body[key] = value;
            }
            var steps = new Dictionary<string, JsonObject>(StringComparer.Ordinal);
            await FollowAsync(screen, api.FollowAsync("artifacts/warm", body, cancellation), steps);
            if (parsed.GetValue(output).IsData())
                screen.WriteData(new JsonObject { ["items"] = new JsonArray([.. steps.Values.Select(step => step.DeepClone())]) }, parsed.GetValue(output)!);
            else
            {
                foreach (var step in steps.Values)
                    screen.Output.WriteLine(Sentence(screen, step));
            }
            var failed = steps.Values.Count(step => step.At("state") is not ("ready" or "unresolved"));
            return failed == 0 ? CommandLine.Done
                : throw new CommandFailedException($"{failed} of {steps.Count} could not be fetched.");
        });
        return command;
    }

    private static string Sentence(Screen screen, JsonObject step) => (step.At("state"), step.At("reason")) switch
    {
        ("ready", var how) => $"{step.At("path")} {screen.Green("is here")}: {Cli.Words.Size(step["received"]!.GetValue<long>())}{(how.Length > 0 ? $", {how}" : "")}",
        ("unresolved", var why) => $"{step.At("path")} {screen.Dim("is not here")}: {why}",
        (_, var why) => $"{step.At("path")} {screen.Red("failed")}: {(why.Length > 0 ? why : "the service stopped")}",
    };

    private static Task FollowAsync(Screen screen, IAsyncEnumerable<JsonObject> stream, Dictionary<string, JsonObject> steps)
    {
        if (!screen.ShowsProgress)
            return EachAsync(stream, steps, _ => { });
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(screen.Error) });
        return console.Progress().AutoClear(true).HideCompleted(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn(), new TransferSpeedColumn())
            .StartAsync(progress =>
            {
                var bars = new Dictionary<string, ProgressTask>(StringComparer.Ordinal);
                return EachAsync(stream, steps, step =>
                {
                    // Of hundreds of packages, those that are on their way.
                    var path = step.At("path");
                    if (!bars.ContainsKey(path) && step.At("state") != "fetching")
                        return;
                    if (!bars.TryGetValue(path, out var bar))
                    {
                        bar = progress.AddTask(Markup.Escape(path[(path.LastIndexOf('/') + 1)..]), autoStart: false);
                        bar.IsIndeterminate = true;
                        bars.Add(path, bar);
                    }
                    if (!bar.IsStarted)
                        bar.StartTask();
                    if (step["length"]?.GetValue<long>() is { } length)
                        (bar.MaxValue, bar.IsIndeterminate) = (Math.Max(1, length), false);
                    bar.Value = step["received"]!.GetValue<long>();
                    if (step.At("state") is "ready" or "failed")
                        bar.StopTask();
                });
            });
    }

    private static async Task EachAsync(IAsyncEnumerable<JsonObject> stream, Dictionary<string, JsonObject> steps, Action<JsonObject> show)
    {
        await foreach (var step in stream)
        {
            steps[step.At("path")] = step;
            show(step);
        }
    }

    private static TeachingCommand List(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var output = ResourceCommands.Output("table", "json", "yaml");
        var command = new TeachingCommand("list", "List what is in the cache: size, when it was fetched and last used, what vouches for it.", "provisioner cache list") { output };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var list = await api.GetAsync("artifacts", cancellation);
            if (parsed.GetValue(output).IsData())
            {
                screen.WriteData(list, parsed.GetValue(output)!);
                return CommandLine.Done;
            }
            var items = list["items"]!.AsArray().Select(i => i!.AsObject()).ToList();
            if (items.Count > 0)
            {
                screen.WriteTable(["PATH", "SIZE", "FETCHED", "USED", "CHECKED BY"], items.Select(item => (IReadOnlyList<string>)
                [
                    item.At("path"), Cli.Words.Size(item["size"]!.GetValue<long>()), Cli.Words.Age(item.At("fetchedAt"), screen.Time), Cli.Words.Age(item.At("lastUsed"), screen.Time), item.At("verifiedBy"),
                ]));
            }
            screen.Error.WriteLine($"{items.Count} artifacts, {Cli.Words.Size(list["size"]!.GetValue<long>())} of at most {Cli.Words.Size(list["maximumSize"]!.GetValue<long>())}{(list["offline"]!.GetValue<bool>() ? "; offline: no upstream is asked" : "")}.");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Verify(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var command = new TeachingCommand("verify", "Read every cached artifact again; what is not as it was is removed, and fetched anew when asked for.", "provisioner cache verify");
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var verified = await api.PostAsync("artifacts/verify", new JsonObject(), cancellation);
            var differences = verified["differences"]!.AsArray();
            foreach (var difference in differences)
                screen.Output.WriteLine(difference!.GetValue<string>());
            if (differences.Count > 0)
                throw new CommandFailedException($"{differences.Count} of {verified.At("files")} artifacts were not as they were fetched, and are removed.");
            screen.Output.WriteLine($"{verified.At("files")} artifacts {screen.Green("are as they were fetched")}: {Cli.Words.Size(verified["bytes"]!.GetValue<long>())}");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Evict(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var paths = new Argument<string[]>("PATH") { Description = "Paths as 'provisioner cache list' shows them.", Arity = ArgumentArity.ZeroOrMore };
        var unused = new Option<int?>("--unused") { Description = "What is not pinned and nobody asked for in so many days.", HelpName = "DAYS" };
        var all = new Option<bool>("--all") { Description = "Everything, pinned files too." };
        var command = new TeachingCommand("evict", "Remove artifacts from the cache. Whoever reads one meanwhile reads it to its end.",
            "provisioner cache evict ubuntu/dists/noble/InRelease",
            "provisioner cache evict --unused 30")
        {
            paths, unused, all,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var body = new JsonObject { ["paths"] = Words(parsed.GetValue(paths)), ["all"] = parsed.GetValue(all) };
            if (parsed.GetValue(unused) is { } days)
                body["unused"] = string.Create(CultureInfo.InvariantCulture, $"{days}d");
            var evicted = await api.PostAsync("artifacts/evict", body, cancellation);
            screen.Output.WriteLine($"{evicted.At("evicted")} artifacts evicted, {Cli.Words.Size(evicted["bytes"]!.GetValue<long>())}");
            return CommandLine.Done;
        });
        return command;
    }

    private static JsonArray Words(string[]? values) => [.. (values ?? []).Select(value => (JsonNode)value)];
}
