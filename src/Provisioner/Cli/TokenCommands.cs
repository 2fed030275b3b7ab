using System.CommandLine;
using System.Text.Json.Nodes;

namespace Provisioner.Cli;

/// <summary><c>token create</c>, <c>token list</c>, <c>token revoke</c>: tokens of programs.</summary>
internal static class TokenCommands
{
    private static readonly Listing Tokens = new("token", "tokens", "", "There is no token yet: provisioner token create NAME --role ROLE",
    [
        new("NAME", "name"), new("ROLE", "role"), new("ENDS", (json, _) => json.At("endsAt") is { Length: >= 10 } ends ? ends[..10] : ""),
        new("USED", (json, time) => Words.Age(json.At("lastUsedAt"), time)), new("FROM", "lastUsedFrom"), new("BY", "actor"),
    ]);

    public static IEnumerable<Command> Create(Screen screen, Func<ParseResult, ApiClient> connect) => [Make(screen, connect), List(screen, connect), Revoke(screen, connect)];

    private static TeachingCommand Make(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var name = new Argument<string>("NAME") { Description = "What it is for." };
        var role = PeopleCommands.Role();
        var lifetime = ResourceCommands.Duration("--lifetime", "How long it is good; 90d unless said otherwise.", "90d", "such as 1h or 90d, from 5m to 825d");
        var output = ResourceCommands.Output("text", "json", "yaml");
        var command = new TeachingCommand("create", "Make a token with which a program uses the API. It is shown once; only its hash is kept.",
            "provisioner token create ci --role operator --lifetime 30d",
            "umask 077; provisioner token create backup --role viewer > token",
            "provisioner get hosts --server https://appliance:8443 --ca ca.pem --token-file token")
        {
            name, role, lifetime, output,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var body = new JsonObject { ["name"] = parsed.GetValue(name), ["role"] = parsed.GetValue(role) };
            if (parsed.GetValue(lifetime) is { } length)
                body["lifetime"] = length;
            var made = await api.PostAsync("tokens", body, cancellation);
            if (parsed.GetValue(output).IsData())
            {
                screen.WriteData(made, parsed.GetValue(output)!);
                return CommandLine.Done;
            }
            // The token alone on standard output, so that a file can take it.
            screen.Output.WriteLine(made.At("token"));
            screen.Error.WriteLine($"token/{made.At("name")} is good for {made.At("role")} until {made.At("endsAt")}. It is not shown again.");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand List(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var output = ResourceCommands.Output("table", "json", "yaml");
        var command = new TeachingCommand("list", "List the tokens of programs and when each was last used.", "provisioner token list") { output };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            Tokens.Write(screen, await api.ListAsync(Tokens.Plural, cancellation), parsed.GetValue(output)!);
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Revoke(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var name = new Argument<string>("NAME") { Description = "Which one." };
        var command = new TeachingCommand("revoke", "Revoke a token: its next request is refused.", "provisioner token revoke ci") { name };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            await api.DeleteAsync($"tokens/{ApiClient.Escape(parsed.GetValue(name)!)}", cancellation);
            screen.Output.WriteLine($"token/{parsed.GetValue(name)} revoked");
            return CommandLine.Done;
        });
        return command;
    }
}
