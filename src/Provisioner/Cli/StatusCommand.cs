using System.CommandLine;

namespace Provisioner.Cli;

/// <summary><c>provisioner status</c>.</summary>
internal static class StatusCommand
{
    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var output = ResourceCommands.Output("text", "json", "yaml");
        var command = new TeachingCommand("status", "Say what the service listens on, what it does not and why, and what it knows.", "provisioner status") { output };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var status = await api.GetAsync("status", cancellation);
            if (parsed.GetValue(output).IsData())
            {
                screen.WriteData(status, parsed.GetValue(output)!);
                return CommandLine.Done;
            }
            screen.Output.WriteLine($"provisioner {status.At("version")}, up for {Words.Age(status.At("startedAt"), screen.Time)}, data in {status.At("dataDirectory")}");
            foreach (var line in screen.Wrap(string.Join(", ", status["counts"]!.AsObject().Select(count => $"{count.Value} {count.Key}")), 0))
                screen.Output.WriteLine(line);
            if (status.At("droppedJournalEntries") is not "0" and var dropped)
                screen.Output.WriteLine(screen.Red($"{dropped} events were lost because storage did not keep up"));
            if (status.At("alerts") is not ("" or "0") and var alerts)
                screen.Output.WriteLine(screen.Red($"{alerts} {(alerts == "1" ? "alert needs" : "alerts need")} attention: provisioner get alerts"));
            foreach (var plane in status["planes"]!.AsArray().Select(p => p!.AsObject()))
            {
                var listens = plane.At("listens") == "true";
                screen.Output.WriteLine($"  {plane.At("plane"),-6} {(listens ? screen.Green("on ") : screen.Dim("off"))}  {plane.At("at")}");
                foreach (var line in screen.Wrap(plane.At("reason"), 14))
                    screen.Output.WriteLine(new string(' ', 14) + screen.Dim(line));
            }
            screen.Output.WriteLine("What this machine's system does for the service:");
            foreach (var feature in status["machine"]!.AsArray().Select(f => f!.AsObject()))
            {
                var lines = screen.Wrap(feature.At("says"), 14).ToList();
                screen.Output.WriteLine($"  {feature.At("feature"),-6} {(feature.At("works") == "true" ? screen.Green("on ") : screen.Dim("off"))}  {lines[0]}");
                foreach (var line in lines.Skip(1))
                    screen.Output.WriteLine(new string(' ', 14) + line);
            }
            return CommandLine.Done;
        });
        return command;
    }
}
