using System.CommandLine;
using System.Text.Json.Nodes;

namespace Provisioner.Cli;

/// <summary><c>upgrade</c>, <c>rollout</c>.</summary>
internal static class UpgradeCommands
{
    private const string DurationExpected = "such as 90s, 10m or 2h, from 1s to 7d";

    public static IEnumerable<Command> Create(Screen screen, Func<ParseResult, ApiClient> connect) => [Upgrade(screen, connect), Rollout(screen, connect)];

    private static TeachingCommand Upgrade(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var targets = new Argument<string[]>("PROFILE|HOST") { Description = "Hosts, or a profile for all its hosts that have joined.", Arity = ArgumentArity.OneOrMore };
        var to = new Option<string>("--to") { Description = "The version of Kubernetes they are to run.", HelpName = "1.34", Required = true };
        var wave = new Option<int?>("--wave") { Description = "How many hosts at once; 1 unless said otherwise.", HelpName = "N" };
        var pause = ResourceCommands.Duration("--pause", "Between a wave's end and the next one's begin.", "10m", DurationExpected);
        var inPlace = new Option<bool>("--in-place") { Description = "By nodeadm upgrade on the host, instead of building it anew." };
        var sameRack = new Option<bool>("--same-rack") { Description = "Hosts of one rack or zone may be away at once." };
        var force = new Option<bool>("--force") { Description = "Delete pods that no controller makes again." };
        var drainTimeout = ResourceCommands.Duration("--drain-timeout", "For emptying one node; 10m unless said otherwise.", "10m", DurationExpected);
        var timeout = ResourceCommands.Duration("--timeout", "For one host to come back; 2h unless said otherwise.", "2h", DurationExpected);
        var command = new TeachingCommand("upgrade", "Bring hosts to another version of Kubernetes, wave by wave: emptied, then built anew or upgraded in place. It stops at the first that fails.",
            "provisioner upgrade worker --to 1.34 --wave 5 --pause 10m",
            "provisioner upgrade web-1 web-2 --to 1.34.2 --in-place")
        {
            targets, to, wave, pause, inPlace, sameRack, force, drainTimeout, timeout,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var body = new JsonObject
            {
                ["targets"] = new JsonArray([.. parsed.GetValue(targets)!.Select(t => (JsonNode)t)]),
                ["to"] = parsed.GetValue(to),
                ["inPlace"] = parsed.GetValue(inPlace),
                ["sameRack"] = parsed.GetValue(sameRack),
                ["force"] = parsed.GetValue(force),
            };
            if (parsed.GetValue(wave) is { } size)
                body["wave"] = size;
            foreach (var (key, option) in new[] { ("pause", pause), ("drainTimeout", drainTimeout), ("timeout", timeout) })
            {
                if (parsed.GetValue(option) is { } length)
                    body[key] = length;
            }
            var begun = await api.PostAsync("upgrades", body, cancellation);
            foreach (var one in begun["hosts"]!.AsArray().GroupBy(h => h!["wave"]!.GetValue<int>()))
                screen.Output.WriteLine($"wave {one.Key}: {string.Join(", ", one.Select(h => h!["host"]!.GetValue<string>()))}");
            screen.Output.WriteLine($"{begun.At("id")} has begun. Watch: provisioner get upgrades; stop: provisioner rollout pause {begun.At("id")}");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Rollout(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var command = new TeachingCommand("rollout", "Pause, resume or cancel an upgrade.", "provisioner get upgrades", "provisioner rollout pause upgrade-1-34-0a1b2c");
        command.Add(Verb(screen, connect, "pause", "Begin no further host until it is resumed."));
        command.Add(Verb(screen, connect, "resume", "Go on; hosts that failed are begun again."));
        command.Add(Verb(screen, connect, "cancel", "End it: hosts under way are followed to their end, no other is begun."));
        return command;
    }

    private static TeachingCommand Verb(Screen screen, Func<ParseResult, ApiClient> connect, string verb, string description)
    {
        var id = new Argument<string>("UPGRADE") { Description = "Its id, as 'get upgrades' shows." };
        var command = new TeachingCommand(verb, description, $"provisioner rollout {verb} upgrade-1-34-0a1b2c") { id };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var which = parsed.GetValue(id)!;
            var answer = await api.PostAsync($"upgrades/{ApiClient.Escape(which)}/{verb}", new JsonObject(), cancellation);
            screen.Output.WriteLine($"{which} is {answer.At("state")}: {answer.At("done")} of {answer.At("of")} hosts are done.");
            return CommandLine.Done;
        });
        return command;
    }
}
