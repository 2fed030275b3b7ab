using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Cli;

/// <summary><c>apply</c>, <c>get</c>, <c>describe</c>, <c>delete</c>.</summary>
internal static class ResourceCommands
{
    public static IEnumerable<Command> Create(Screen screen, Func<ParseResult, ApiClient> connect) =>
        [Apply(screen, connect), Get(screen, connect), Describe(screen, connect), Delete(screen, connect)];

    /// <summary><c>-o</c>, with these formats.</summary>
    public static Option<string> Output(params string[] formats)
    {
        var option = new Option<string>("--output", "-o") { Description = $"{string.Join(", ", formats)}.", HelpName = "FORMAT", DefaultValueFactory = _ => formats[0] };
        option.AcceptOnlyFromAmong(formats);
        return option;
    }

    /// <summary>An option that takes a duration; it is sent as it was typed, and the service decides its bounds.</summary>
    public static Option<string?> Duration(string name, string description, string example, string expected)
    {
        var option = new Option<string?>(name) { Description = description, HelpName = example };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { } text && !Values.TryParseDuration(text, out _))
                result.AddError($"'{text}' is not a duration. Expected: {expected}.");
        });
        return option;
    }

    /// <summary>A kind, by any of its names.</summary>
    private static Argument<string> Kind()
    {
        var kind = new Argument<string>("KIND") { Description = string.Join(", ", Listing.All.Select(l => l.Plural)) + ", also in the singular." };
        kind.Validators.Add(result =>
        {
            var text = result.GetValueOrDefault<string>() ?? "";
            if (Listing.Find(text) is null)
            {
                var nearest = Spelling.Nearest(text, Listing.All.SelectMany(l => new[] { l.Singular, l.Plural }));
                result.AddError($"There is no kind '{text}'.{(nearest is null ? "" : $" Did you mean '{nearest}'?")} Kinds: {string.Join(", ", Listing.All.Select(l => l.Plural))}.");
            }
        });
        return kind;
    }

    private static TeachingCommand Apply(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var file = new Option<string[]>("--filename", "-f") { Description = "A YAML file with one or many resources; - reads standard input.", HelpName = "FILE", Required = true };
        var dryRun = new Option<bool>("--dry-run") { Description = "Say what would change, and change nothing." };
        var command = new TeachingCommand("apply", "Create or change resources as files describe them: all of a file, or none of it.",
            "provisioner apply -f site.yaml",
            "provisioner apply -f site.yaml --dry-run",
            "provisioner get host web-1 -o yaml | sed s/web-1/web-2/ | provisioner apply -f -")
        {
            file, dryRun,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            foreach (var name in parsed.GetValue(file)!)
            {
                var content = new StringContent(await ReadAsync(screen, name, cancellation), Encoding.UTF8, "application/yaml");
                JsonObject answer;
                try
                {
                    answer = await api.PostAsync(parsed.GetValue(dryRun) ? "apply?dryRun=true" : "apply", content, cancellation);
                }
                catch (CommandFailedException failed) when (name != "-" && failed.Lines.Any(line => line.StartsWith("line ", StringComparison.Ordinal)))
                {
                    throw new CommandFailedException([.. failed.Lines.Select(line => $"{name}: {line}")]);
                }
                foreach (var result in answer["results"]!.AsArray().Select(r => r!.AsObject()))
                    screen.Output.WriteLine($"{result.At("kind").ToLowerInvariant()}/{result.At("name")} {result.At("result")}{(parsed.GetValue(dryRun) ? " (dry run)" : "")}");
            }
            return CommandLine.Done;
        });
        return command;
    }

    /// <summary>The text of a file, or of standard input for <c>-</c>.</summary>
    public static async Task<string> ReadAsync(Screen screen, string name, CancellationToken cancellation)
    {
        try
        {
            return name == "-" ? await screen.Input.ReadToEndAsync(cancellation) : await File.ReadAllTextAsync(name, cancellation);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"'{name}' cannot be read: {exception.Message}");
        }
    }

    private static TeachingCommand Get(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var kind = Kind();
        var name = new Argument<string?>("NAME") { Description = "One of them; without it, all.", Arity = ArgumentArity.ZeroOrOne };
        var output = Output("table", "wide", "yaml", "json");
        var watch = new Option<bool>("--watch", "-w") { Description = "Of hosts: each state, and then each change, until Ctrl-C." };
        var command = new TeachingCommand("get", "List resources and records, or show one.",
            "provisioner get hosts",
            "provisioner get host web-1 -o yaml",
            "provisioner get discovered -o wide",
            "provisioner get findings web-1",
            "provisioner get hosts --watch",
            "provisioner get images -o json | jq '.items[].metadata.name'")
        {
            kind, name, output, watch,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var listing = Listing.Find(parsed.GetValue(kind)!)!;
            var format = parsed.GetValue(output)!;
            if (parsed.GetValue(watch))
                return await WatchAsync(screen, api, listing, parsed.GetValue(name), format, cancellation);
            if (parsed.GetValue(name) is not { } one)
            {
                listing.Write(screen, await api.ListAsync(listing.Plural, cancellation), format);
                return CommandLine.Done;
            }
            if (listing.Plural == "events")
                throw new CommandFailedException(["an event has no name. Those of a host: provisioner events HOST"], CommandLine.WrongUsage);
            var found = await api.GetAsync($"{listing.Plural}/{ApiClient.Escape(one)}", cancellation);
            if (found["items"] is JsonArray several)
                listing.Write(screen, [.. several.Select(item => item!.AsObject())], format);
            else if (format.IsData())
                screen.WriteData(found, format);
            else
                listing.Write(screen, [found], format);
            return CommandLine.Done;
        });
        return command;
    }

    private static async Task<int> WatchAsync(Screen screen, ApiClient api, Listing listing, string? only, string format, CancellationToken cancellation)
    {
        if (listing.Plural != "hosts")
            throw new CommandFailedException([$"{listing.Plural} cannot be watched, hosts can. What happens to anything: provisioner events --follow"], CommandLine.WrongUsage);
        await foreach (var state in api.FollowAsync("states?follow=true", cancellation))
        {
            if (only is not null && state.At("host") != only)
                continue;
            if (format.IsData())
                screen.WriteItem(state, format);
            else
                screen.Output.WriteLine($"{state.At("host"),-24} {(state.At("state") is { } word ? state.At("stage") is { } stage ? $"{word} ({stage})" : word : "deleted"),-24} {state.At("reason")}".TrimEnd());
        }
        return CommandLine.Done;
    }

    private static TeachingCommand Describe(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var kind = Kind();
        var name = new Argument<string>("NAME") { Description = "Which one." };
        var command = new TeachingCommand("describe", "Show everything about one resource; of a host, also what it would boot now and what happened last.",
            "provisioner describe host web-1",
            "provisioner describe network rack-4")
        {
            kind, name,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var listing = Listing.Find(parsed.GetValue(kind)!)!;
            var which = ApiClient.Escape(parsed.GetValue(name)!);
            var found = await api.GetAsync($"{listing.Plural}/{which}", cancellation);
            screen.Output.Write(YamlWriter.Write(found));
            if (listing.Plural is not ("hosts" or "discovered"))
                return CommandLine.Done;
            var mac = listing.Plural == "hosts" ? found["spec"]!["macAddresses"]![0]!.ToString() : found.At("macAddress");
            screen.Output.WriteLine();
            screen.Output.WriteLine("What it would boot now:");
            Explanation.Write(screen, await api.GetAsync($"explain/{ApiClient.Escape(mac)}", cancellation));
            if (listing.Plural == "hosts" && await api.ListAsync($"findings/{which}", cancellation) is { Count: > 0 } findings)
            {
                screen.Output.WriteLine();
                screen.Output.WriteLine("What was found before it joined:");
                FindingsText.Write(screen, findings);
            }
            var events = await api.ListAsync($"{listing.Plural}/{which}/events?limit=10", cancellation);
            screen.Output.WriteLine();
            screen.Output.WriteLine(events.Count == 0 ? "It has not asked for anything yet." : "What happened last:");
            new Timeline(screen).Write(events);
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Delete(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var kind = Kind();
        var name = new Argument<string[]>("NAME") { Description = "Which ones.", Arity = ArgumentArity.OneOrMore };
        var command = new TeachingCommand("delete", "Delete resources that nothing refers to. Their events stay.",
            "provisioner delete host web-1",
            "provisioner delete profile old-worker")
        {
            kind, name,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var listing = Listing.Find(parsed.GetValue(kind)!)!;
            if (!listing.IsResource)
                throw new CommandFailedException([$"{listing.Plural} are records of the appliance and are not deleted by hand."], CommandLine.WrongUsage);
            foreach (var one in parsed.GetValue(name)!)
            {
                await api.DeleteAsync($"{listing.Plural}/{ApiClient.Escape(one)}", cancellation);
                screen.Output.WriteLine($"{listing.Singular}/{one} deleted");
            }
            return CommandLine.Done;
        });
        return command;
    }
}
