using System.CommandLine;
using Provisioner.Api;
using Provisioner.Audit;

namespace Provisioner.Cli;

/// <summary><c>audit</c>, <c>audit export</c>, <c>audit verify</c>.</summary>
internal static class AuditCommands
{
    private static readonly Listing Entries = new("entry", "audit", "", "Nobody has changed anything yet.",
    [
        new("#", "sequence"), new("WHEN", (json, _) => json.At("at") is { Length: >= 16 } at ? at[..16].Replace('T', ' ') : ""), new("WHO", "actor"), new("WHAT", "what"),
    ]);

    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var actor = new Option<string?>("--actor") { Description = "Only what this one did.", HelpName = "user/NAME|token/NAME" };
        var subject = new Option<string?>("--subject") { Description = "Only what concerns this kind, or this resource.", HelpName = "KIND[/NAME]" };
        var limit = new Option<int>("--limit", "-n") { Description = "At most so many, newest first.", HelpName = "N", DefaultValueFactory = _ => 50 };
        limit.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 1_000)
                result.AddError("--limit is a number from 1 to 1000.");
        });
        var output = ResourceCommands.Output("table", "json", "yaml", "jsonl");
        var command = new TeachingCommand("audit", "Show who changed what, newest first.",
            "provisioner audit",
            "provisioner audit --actor user/alice --subject Profile",
            "provisioner audit -n 1 -o json                  # with what it was before and after",
            "provisioner audit export > audit.jsonl",
            "provisioner audit verify")
        {
            actor, subject, limit, output, Export(screen, connect), Verify(screen, connect),
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var query = $"audit?limit={parsed.GetValue(limit)}"
                + (parsed.GetValue(actor) is { } who ? $"&actor={ApiClient.Escape(who)}" : "")
                + (parsed.GetValue(subject) is { } what ? $"&subject={ApiClient.Escape(what)}" : "");
            var entries = await api.ListAsync(query, cancellation);
            if (parsed.GetValue(output) != "jsonl")
            {
                Entries.Write(screen, entries, parsed.GetValue(output)!);
                return CommandLine.Done;
            }
            foreach (var entry in entries)
                screen.Output.WriteLine(entry.ToJsonString(Json.Options));
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Export(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var command = new TeachingCommand("export", "Write the whole trail, a line of JSON for each entry, as it is kept: 'provisioner audit verify FILE' checks it anywhere.", "provisioner audit export > audit.jsonl");
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            screen.Output.Write(await api.GetTextAsync("audit/export", cancellation));
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Verify(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var file = new Argument<string?>("FILE") { Description = "An export; without it, the service checks its own trail.", Arity = ArgumentArity.ZeroOrOne };
        var command = new TeachingCommand("verify", "Check that no entry was changed, removed or put in since it was written. Note the hash it prints somewhere else: what comes later has to build on it.",
            "provisioner audit verify",
            "provisioner audit verify audit.jsonl")
        {
            file,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            var found = parsed.GetValue(file) is { } path ? VerifyFile(path) : await AskAsync(connect(parsed), cancellation);
            if (found.Wrong is { } wrong)
                throw new CommandFailedException([$"the trail is not as it was written: {wrong}.", $"The {found.Entries} entries before are right; the last of them has the hash {found.Head}."]);
            screen.Output.WriteLine($"{found.Entries} entries, each as it was written. The last has the hash");
            screen.Output.WriteLine(found.Head);
            return CommandLine.Done;
        });
        return command;
    }

    private static AuditVerification VerifyFile(string path)
    {
        try
        {
            return AuditTrail.Verify(File.ReadLines(path));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"'{path}' cannot be read: {exception.Message}");
        }
    }

    private static async Task<AuditVerification> AskAsync(ApiClient connected, CancellationToken cancellation)
    {
        using var api = connected;
        var answer = await api.GetAsync("audit/verify", cancellation);
        return new(answer["entries"]!.GetValue<long>(), answer.At("head"), answer["wrong"]?.GetValue<string>());
    }
}
