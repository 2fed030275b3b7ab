using System.CommandLine;
using System.Text.Json.Nodes;
using Provisioner.Protocols;

namespace Provisioner.Cli;

/// <summary><c>provisioner events</c>.</summary>
internal static class EventsCommand
{
    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var who = new Argument<string?>("HOST|MAC") { Description = "A host, or the MAC address of a machine that is not registered; without it, everything.", Arity = ArgumentArity.ZeroOrOne };
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with each event as it happens." };
        var limit = new Option<int>("--limit", "-n") { Description = "At most so many of the past.", HelpName = "N", DefaultValueFactory = _ => 100 };
        limit.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 10_000)
                result.AddError("--limit is a number from 1 to 10000.");
        });
        var output = ResourceCommands.Output("text", "json", "yaml");
        var command = new TeachingCommand("events", "Tell what happened, step by step: what was asked, what was answered, and why.",
            "provisioner events web-1",
            "provisioner events web-1 --follow",
            "provisioner events 52:54:00:12:34:56 -o json")
        {
            who, follow, limit, output,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var path = PathOf(parsed.GetValue(who)) + $"limit={parsed.GetValue(limit)}";
            var format = parsed.GetValue(output)!;
            if (!parsed.GetValue(follow))
            {
                var events = await api.ListAsync(path, cancellation);
                if (format.IsData())
                    screen.WriteData(new JsonArray([.. events.Select(e => e.DeepClone())]), format);
                else if (events.Count == 0)
                    screen.Error.WriteLine("Nothing has happened yet.");
                else
                    new Timeline(screen).Write(events);
                return CommandLine.Done;
            }
            var timeline = new Timeline(screen);
            await foreach (var entry in api.FollowAsync(path + "&follow=true", cancellation))
            {
                if (format.IsData())
                    screen.WriteItem(entry, format);
                else
                    timeline.Write(entry);
                await screen.Output.FlushAsync(cancellation);
            }
            screen.Error.WriteLine("The service has stopped.");
            return CommandLine.Done;
        });
        return command;
    }

    private static string PathOf(string? who) =>
        who is null ? "events?"
        : MacAddress.TryParse(who, out var mac) ? $"events?mac={mac.ToDashed()}&"
        : $"hosts/{ApiClient.Escape(who)}/events?";
}
