using System.CommandLine;
using System.Text.Json.Nodes;
using Provisioner.Api;

namespace Provisioner.Cli;

/// <summary><c>provisioner aws plan | apply | check | test</c>.</summary>
internal static class AwsCommands
{
    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect) =>
        new TeachingCommand("aws", "What a cluster needs in AWS so that hosts can join it: see it, make it, check it, try it.",
            "provisioner aws plan prod                  # what would be made, and why",
            "provisioner aws apply prod                 # make it; again, it changes nothing",
            "provisioner aws check prod                 # what is wrong there, and what to do",
            "provisioner aws test web-1                 # will this host be let in?")
        {
            Plan(screen, connect), Apply(screen, connect), Check(screen, connect), Test(screen, connect),
        };

    private static Argument<string> Cluster => new("CLUSTER") { Description = "The Cluster, as 'provisioner get clusters' shows it." };

    private static TeachingCommand Plan(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var cluster = Cluster;
        var form = new Option<string>("--as")
        {
            Description = "text: to read. cloudformation, terraform: to make it by your own tools. policies: IAM's documents as JSON. kubernetes: the rights of the appliance inside the cluster, for kubectl.",
            HelpName = string.Join('|', AwsEndpoints.Formats),
            DefaultValueFactory = _ => "text",
        };
        form.AcceptOnlyFromAmong(AwsEndpoints.Formats);
        var account = new Option<string?>("--account") { Description = "The AWS account, where the Cluster does not say it yet.", HelpName = "DIGITS" };
        var command = new TeachingCommand("plan", "Print what a cluster needs in AWS. AWS is not asked, and nothing is changed.",
            "provisioner aws plan prod",
            "provisioner aws plan prod --as cloudformation > hybrid.yaml",
            "provisioner aws plan prod --as terraform > hybrid.tf",
            "provisioner aws plan prod --as policies --account 111122223333",
            "provisioner aws plan prod --as kubernetes | kubectl apply -f -")
        {
            cluster, form, account,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var query = $"as={parsed.GetValue(form)}{(parsed.GetValue(account) is { } id ? $"&account={ApiClient.Escape(id)}" : "")}";
            screen.Output.Write(await api.GetTextAsync($"clusters/{ApiClient.Escape(parsed.GetValue(cluster)!)}/aws/plan?{query}", cancellation));
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Apply(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var cluster = Cluster;
        var command = new TeachingCommand("apply", "Make what 'aws plan' shows, and put its ARNs, endpoint and networks into the Cluster. What is right already is left alone.",
            "provisioner aws plan prod                  # first see what it will be",
            "provisioner aws apply prod")
        {
            cluster,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            JsonObject? last = null;
            await foreach (var step in api.FollowAsync($"clusters/{ApiClient.Escape(parsed.GetValue(cluster)!)}/aws/apply", [], cancellation))
            {
                last = step;
                var result = step.At("result");
                screen.Output.WriteLine($"{(result switch { "failed" => screen.Red(result), "unchanged" => screen.Dim(result), _ => screen.Green(result) })}{new string(' ', 11 - result.Length)}{step.At("step")}: {step.At("detail")}");
            }
            if (last is null || last.At("result") == "failed")
                throw new CommandFailedException($"{last?.At("step") ?? "nothing"} failed; what was done before stays, and the next run goes on from there.");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Check(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var cluster = Cluster;
        var output = ResourceCommands.Output("text", "json", "yaml");
        var command = new TeachingCommand("check", "Read what is in AWS and say what is wrong with it: what it breaks, and what to do. Exit code 1 when anything is.",
            "provisioner aws check prod",
            "provisioner aws check prod -o json")
        {
            cluster, output,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var name = parsed.GetValue(cluster)!;
            var answer = await api.GetAsync($"clusters/{ApiClient.Escape(name)}/aws/check", cancellation);
            var findings = answer["items"]!.AsArray().Select(f => f!.AsObject()).ToList();
            if (parsed.GetValue(output).IsData())
                screen.WriteData(answer, parsed.GetValue(output)!);
            else if (findings.Count == 0)
                screen.Output.WriteLine($"Nothing wrong is found in AWS for {name}.");
            else
                Write(screen, findings);
            return findings.Exists(f => f.At("severity") == "error") ? CommandLine.Failed : CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Test(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var host = new Argument<string>("HOST") { Description = "The host; it need not be built, nor even on." };
        var output = ResourceCommands.Output("text", "json", "yaml");
        var command = new TeachingCommand("test", "Ask Roles Anywhere for a session as that host would, with a certificate that is good for some minutes, and say who refuses it.",
            "provisioner aws test web-1")
        {
            host, output,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var name = parsed.GetValue(host)!;
            var answer = await api.PostAsync($"hosts/{ApiClient.Escape(name)}/aws/test", [], cancellation);
            var accepted = answer.At("accepted") == "true";
            if (parsed.GetValue(output).IsData())
            {
                screen.WriteData(answer, parsed.GetValue(output)!);
                return accepted ? CommandLine.Done : CommandLine.Failed;
            }
            if (accepted)
            {
                screen.Output.WriteLine($"{name} {screen.Green("will be let in")}: Roles Anywhere gave {answer.At("said")}.");
                return CommandLine.Done;
            }
            if (answer.At("refusedBy") == "connection")
                throw new CommandFailedException($"{name} could not be tried: {answer.At("said")}");
            screen.Output.WriteLine($"{name} {screen.Red("would be refused")} by the {answer.At("refusedBy")}: {answer.At("said")}");
            if (answer["findings"] is JsonArray findings)
                Write(screen, [.. findings.Select(f => f!.AsObject())]);
            return CommandLine.Failed;
        });
        return command;
    }

    private static void Write(Screen screen, IReadOnlyList<JsonObject> findings)
    {
        foreach (var finding in findings)
        {
            screen.Output.WriteLine($"{(finding.At("severity") == "error" ? screen.Red(finding.At("code")) : finding.At("code"))}");
            foreach (var (label, key) in new[] { ("wrong", "wrong"), ("breaks", "breaks"), ("do", "remedy") })
            {
                var first = true;
                foreach (var line in screen.Wrap(finding.At(key), 10))
                {
                    screen.Output.WriteLine($"  {(first ? label : ""),-7} {line}");
                    first = false;
                }
            }
        }
    }
}
