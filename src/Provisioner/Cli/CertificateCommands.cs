using System.CommandLine;
using System.Text.Json.Nodes;
using Provisioner.Certificates;
using Provisioner.Resources;

namespace Provisioner.Cli;

/// <summary><c>token HOST</c>, <c>retire</c>, <c>dismiss</c>.</summary>
internal static class CertificateCommands
{
    public static IEnumerable<Command> Create(Screen screen, Func<ParseResult, ApiClient> connect) =>
        [Token(screen, connect), Retire(screen, connect), Dismiss(screen, connect)];

    private static TeachingCommand Token(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var host = new Argument<string>("HOST") { Description = "The host that is to enrol." };
        var window = ResourceCommands.Duration("--window", "How long it is good when the host is not being built; 2h unless said otherwise.", "2h", Values.Duration.Expected);
        var output = ResourceCommands.Output("text", "json", "yaml");
        var command = new TeachingCommand("token", "Give out a one-time token, by which a host enrols by hand: one that was not built here, or whose certificate ended. Below it: the tokens of programs.",
            "provisioner token web-1",
            "provisioner token web-1 -o json | jq -r .token | ssh web-1 'umask 077; cat > /etc/provisioner/token'",
            "provisioner token create ci --role operator --lifetime 30d")
        {
            host, window, output,
        };
        foreach (var below in TokenCommands.Create(screen, connect))
            command.Add(below);
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var name = parsed.GetValue(host)!;
            var body = new JsonObject();
            if (parsed.GetValue(window) is { } duration)
                body["window"] = duration;
            var given = await api.PostAsync($"hosts/{ApiClient.Escape(name)}/token", body, cancellation);
            if (parsed.GetValue(output).IsData())
            {
                screen.WriteData(given, parsed.GetValue(output)!);
                return CommandLine.Done;
            }
            screen.Output.WriteLine($"installation  {given.At("installation")}");
            screen.Output.WriteLine($"token         {given.At("token")}");
            screen.Output.WriteLine($"It is good once, until {given.At("closesAt")}, and is not shown again. On the host: the token in");
            screen.Output.WriteLine("/etc/provisioner/token, the Installation in /etc/provisioner/join.conf, then 'provisioner-certificate enrol'.");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Retire(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var host = new Argument<string>("HOST") { Description = "The host that leaves." };
        var reason = AuthorityCommands.Reason(RevocationReason.CessationOfOperation);
        var force = new Option<bool>("--force") { Description = "Delete pods that no controller makes again; revoke at once when the cluster cannot be reached." };
        var timeout = ResourceCommands.Duration("--timeout", "How long emptying its node may take; 10m unless said otherwise.", "10m", "such as 10m, from 1s to 1d");
        var command = new TeachingCommand("retire", "Take a host out of service: its node is emptied and deleted, its certificates are revoked, it is not built or enrolled any more. Its history stays.",
            "provisioner retire web-1",
            "provisioner retire web-1 --timeout 30m               # its pods take long to move",
            "provisioner retire web-1 --reason keyCompromise --force     # stolen")
        {
            host, reason, force, timeout,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var name = parsed.GetValue(host)!;
            var body = new JsonObject { ["reason"] = parsed.GetValue(reason), ["force"] = parsed.GetValue(force) };
            if (parsed.GetValue(timeout) is { } limit)
                body["timeout"] = limit;
            await foreach (var step in api.FollowAsync($"hosts/{ApiClient.Escape(name)}/retire", body, cancellation))
            {
                if (step["step"] is null)
                {
                    screen.Output.WriteLine($"{name} is retired since {step.At("retiredAt")}.");
                    AuthorityCommands.WriteRevoked(screen, step);
                    return CommandLine.Done;
                }
                if (step.At("state") == "failed")
                    throw new CommandFailedException($"{step.At("step")}: {step.At("message")}");
                screen.Output.WriteLine($"{step.At("step"),-12} {(step.At("state") is "doing" ? "" : $"{step.At("state")}: ")}{step.At("message")}");
                await screen.Output.FlushAsync(cancellation);
            }
            throw new CommandFailedException("the service stopped in the middle of it; the same command goes on.");
        });
        return command;
    }

    private static TeachingCommand Dismiss(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var alert = new Argument<string>("ALERT") { Description = "Its id, as 'get alerts' shows." };
        var command = new TeachingCommand("dismiss", "Say that an alert was seen. It is shown again when it happens again, or gets worse.",
            "provisioner get alerts",
            "provisioner dismiss token-reuse:web-1")
        {
            alert,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var id = parsed.GetValue(alert)!;
            await api.PostAsync($"alerts/{ApiClient.Escape(id)}/dismiss", new JsonObject(), cancellation);
            screen.Output.WriteLine($"alert/{id} dismissed");
            return CommandLine.Done;
        });
        return command;
    }
}
