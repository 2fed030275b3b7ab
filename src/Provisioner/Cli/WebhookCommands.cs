using System.CommandLine;
using System.Text.Json.Nodes;

namespace Provisioner.Cli;

/// <summary><c>webhook list</c> and <c>webhook try</c>.</summary>
internal static class WebhookCommands
{
    private static readonly Listing Webhooks = new("webhook", "webhooks", "", "The configuration names no webhook.",
    [
        new("NAME", "name"), new("HOST", "host"), new("LAST", (json, _) => json["deliveries"]!.AsArray().FirstOrDefault()?["answer"]?.ToString() ?? ""),
    ]);

    private static readonly Listing Deliveries = new("delivery", "deliveries", "", "Nothing was delivered since the service started.",
    [
        new("EVENT", (json, _) => json["event"]?.ToString() ?? "trial"), new("WHEN", (json, time) => Words.Age(json.At("lastAt"), time)), new("TRIES", (json, _) => json["attempts"]!.ToString()),
        new("STANDS", (json, _) => json["delivered"]!.GetValue<bool>() ? "delivered" : json["givenUp"]!.GetValue<bool>() ? "given up" : "waits"), new("ANSWER", "answer"),
    ]);

    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect) => new TeachingCommand("webhook", "Others who are told what happens: see 'webhooks' in the configuration.", "provisioner webhook list", "provisioner webhook try chat")
    {
        List(screen, connect), Try(screen, connect),
    };

    private static TeachingCommand List(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var name = new Argument<string?>("NAME") { Description = "One of them, with what was delivered to it.", Arity = ArgumentArity.ZeroOrOne };
        var output = ResourceCommands.Output("table", "json", "yaml");
        var command = new TeachingCommand("list", "List the webhooks, or what was delivered to one.", "provisioner webhook list", "provisioner webhook list chat") { name, output };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var all = await api.ListAsync(Webhooks.Plural, cancellation);
            if (parsed.GetValue(name) is not { } wanted)
            {
                Webhooks.Write(screen, all, parsed.GetValue(output)!);
                return CommandLine.Done;
            }
            var one = all.FirstOrDefault(h => h.At("name") == wanted) ?? throw new CommandFailedException($"there is no webhook '{wanted}'. provisioner webhook list");
            Deliveries.Write(screen, [.. one["deliveries"]!.AsArray().Select(d => d!.AsObject())], parsed.GetValue(output)!);
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Try(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var name = new Argument<string>("NAME") { Description = "The webhook." };
        var command = new TeachingCommand("try", "Send a trial to a webhook, and show what it answers.", "provisioner webhook try chat") { name };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var tried = await api.PostAsync($"webhooks/{ApiClient.Escape(parsed.GetValue(name)!)}/try", new JsonObject(), cancellation);
            if (!tried["delivered"]!.GetValue<bool>())
                throw new CommandFailedException($"it did not take it: {tried.At("answer")}");
            screen.Output.WriteLine($"It took it: {tried.At("answer")}");
            return CommandLine.Done;
        });
        return command;
    }
}
