using System.CommandLine;
using System.Text.Json.Nodes;

namespace Provisioner.Cli;

/// <summary><c>setup</c>, <c>user</c>, <c>session</c>.</summary>
internal static class PeopleCommands
{
    private static readonly Listing Users = new("user", "users", "", "There is no user yet: 'provisioner setup' prints the link that makes the first.",
    [
        new("NAME", "name"), new("ROLE", "role"), new("SIGNED IN", (json, time) => Words.Age(json.At("lastSignInAt"), time)),
        new("SESSIONS", "sessions"), new("BY", (json, _) => json.At("issuer") is { Length: > 0 } issuer ? issuer : "password"),
    ]);

    private static readonly Listing Sessions = new("session", "sessions", "", "Nobody is signed in.",
    [
        new("SESSION", "id"), new("USER", "user"), new("SEEN", (json, time) => Words.Age(json.At("seenAt"), time)),
        new("ENDS IN", (json, time) => Words.Age(json.At("endsAt"), time)), new("ADDRESS", "address"),
    ]);

    public static IEnumerable<Command> Create(Screen screen, Func<ParseResult, ApiClient> connect) => [Setup(screen, connect), User(screen, connect), Session(screen, connect)];

    /// <summary>What somebody may do.</summary>
    public static Option<string> Role()
    {
        var role = new Option<string>("--role") { Description = "viewer: sees; operator: registers, builds and retires hosts; admin: everything.", HelpName = "ROLE", Required = true };
        role.AcceptOnlyFromAmong(Auth.Roles.Viewer, Auth.Roles.Operator, Auth.Roles.Admin);
        return role;
    }

    private static TeachingCommand Setup(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var command = new TeachingCommand("setup", "Print a link that makes the first admin, once. Any link printed before is worth nothing then.", "provisioner setup");
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            screen.Output.WriteLine((await api.PostAsync("setup-link", [], cancellation)).At("link"));
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand User(Screen screen, Func<ParseResult, ApiClient> connect) => new("user", "People who sign in to the console, and what they may do.",
        "provisioner user add alice --role operator",
        "provisioner user list")
    {
        Add(screen, connect), List(screen, connect), SetRole(screen, connect), Password(screen, connect), Remove(screen, connect),
    };

    private static TeachingCommand Add(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var (name, role) = (Name("The name to sign in with."), Role());
        var command = new TeachingCommand("add", "Add a user. The first password is asked for, or read as one line from standard input.",
            "provisioner user add alice --role operator",
            "pwgen -s 20 1 | tee /dev/tty | provisioner user add bob --role viewer")
        {
            name, role,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var user = parsed.GetValue(name)!;
            await api.PostAsync("users", new JsonObject { ["name"] = user, ["role"] = parsed.GetValue(role), ["password"] = screen.AskNewSecret($"Password for {user}") }, cancellation);
            screen.Output.WriteLine($"user/{user} added as {parsed.GetValue(role)}");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand List(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var output = ResourceCommands.Output("table", "json", "yaml");
        var command = new TeachingCommand("list", "List users.", "provisioner user list") { output };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            Users.Write(screen, await api.ListAsync(Users.Plural, cancellation), parsed.GetValue(output)!);
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand SetRole(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var (name, role) = (Name("The user."), new Argument<string>("ROLE") { Description = "viewer, operator or admin." });
        role.AcceptOnlyFromAmong(Auth.Roles.Viewer, Auth.Roles.Operator, Auth.Roles.Admin);
        var command = new TeachingCommand("set-role", "Change what a user may do, from the next request on.", "provisioner user set-role alice admin") { name, role };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var changed = await api.PostAsync($"users/{ApiClient.Escape(parsed.GetValue(name)!)}/role", new JsonObject { ["role"] = parsed.GetValue(role) }, cancellation);
            screen.Output.WriteLine($"user/{changed.At("name")} is {changed.At("role")}");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Password(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var name = Name("The user.");
        var command = new TeachingCommand("password", "Set a user's password, for one who has forgotten it. The user's sessions end.", "provisioner user password alice") { name };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var user = parsed.GetValue(name)!;
            await api.PostAsync($"users/{ApiClient.Escape(user)}/password", new JsonObject { ["password"] = screen.AskNewSecret($"New password for {user}") }, cancellation);
            screen.Output.WriteLine($"user/{user} has another password");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Remove(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var name = Name("The user.");
        var command = new TeachingCommand("remove", "Remove a user. The user's sessions end; what the user did stays in the audit trail.", "provisioner user remove alice") { name };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            await api.DeleteAsync($"users/{ApiClient.Escape(parsed.GetValue(name)!)}", cancellation);
            screen.Output.WriteLine($"user/{parsed.GetValue(name)} removed");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Session(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var output = ResourceCommands.Output("table", "json", "yaml");
        var list = new TeachingCommand("list", "List who is signed in, and where.", "provisioner session list") { output };
        list.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            Sessions.Write(screen, await api.ListAsync(Sessions.Plural, cancellation), parsed.GetValue(output)!);
            return CommandLine.Done;
        });
        var id = new Argument<string>("SESSION") { Description = "As the list shows it." };
        var end = new TeachingCommand("end", "End a session: the browser has to sign in again.", "provisioner session end 0123456789abcdef") { id };
        end.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            await api.DeleteAsync($"sessions/{ApiClient.Escape(parsed.GetValue(id)!)}", cancellation);
            screen.Output.WriteLine($"session/{parsed.GetValue(id)} ended");
            return CommandLine.Done;
        });
        return new("session", "Browsers that people are signed in with.", "provisioner session list") { list, end };
    }

    private static Argument<string> Name(string description) => new("NAME") { Description = description };
}
