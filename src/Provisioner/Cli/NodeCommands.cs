using System.CommandLine;

namespace Provisioner.Cli;

/// <summary><c>idle</c>.</summary>
internal static class NodeCommands
{
    private static readonly string[] IdleKeys = ["name", "host", "cluster", "cpus", "monthlyCost", "why"];

    public static IEnumerable<Command> Create(Screen screen, Func<ParseResult, ApiClient> connect) => [Idle(screen, connect)];

    private static TeachingCommand Idle(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var longer = ResourceCommands.Duration("--for", "Only nodes that have been so for so long; 7d unless said otherwise.", "7d", "whole days, hours and minutes such as 7d or 12h");
        var price = new Option<string?>("--price") { Description = "What a vCPU costs by the hour, in your currency: nodes are then listed with what they cost a month.", HelpName = "0.02" };
        var output = ResourceCommands.Output("table", "json", "yaml");
        var command = new TeachingCommand("idle", "List nodes that are charged for and do nothing: not Ready, or with no pod but DaemonSets'.",
            "provisioner idle",
            "provisioner idle --for 12h --price 0.02")
        {
            longer, price, output,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var query = new List<string>();
            if (parsed.GetValue(longer) is { } duration)
                query.Add($"for={ApiClient.Escape(duration)}");
            if (parsed.GetValue(price) is { } amount)
                query.Add($"price={ApiClient.Escape(amount)}");
            var answer = await api.GetAsync($"idle?{string.Join('&', query)}", cancellation);
            if (parsed.GetValue(output).IsData())
            {
                screen.WriteData(answer, parsed.GetValue(output)!);
                return CommandLine.Done;
            }
            var nodes = answer["items"]!.AsArray().Select(n => n!.AsObject()).ToList();
            if (nodes.Count == 0)
                screen.Error.WriteLine($"No node has been idle for {answer.At("for")}.");
            else
                screen.WriteTable(["NODE", "HOST", "CLUSTER", "VCPU", "A MONTH", "WHY"], nodes.Select(n => (IReadOnlyList<string>)[.. IdleKeys
                    .Select(key => n.At(key) is { Length: > 0 } cell ? cell : "-")]));
            if (answer.At("monthlyCost") is { Length: > 0 } sum && nodes.Count > 0)
                screen.Output.WriteLine($"Together {sum} a month at {answer.At("price")} for a vCPU-hour. 'provisioner retire HOST' ends it.");
            foreach (var cluster in answer["unreachable"]?.AsArray() ?? [])
                screen.Error.WriteLine($"Cluster {cluster} cannot be reached: its nodes are counted as they were.");
            return CommandLine.Done;
        });
        return command;
    }
}
