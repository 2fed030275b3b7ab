using System.CommandLine;
using System.Text.Json.Nodes;

namespace Provisioner.Cli;

/// <summary><c>machine reboot</c> and <c>machine power-off</c>; <c>machine setup</c> and <c>machine console</c> are in <see cref="MachineSetupCommands"/>.</summary>
internal static class MachineCommands
{
    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var command = new TeachingCommand("machine", "The appliance's own machine: set it up, start it again, turn it off.", "provisioner machine reboot", "provisioner machine setup")
        {
            ShutDown(screen, connect, "reboot", "Start the appliance's own machine again. Refused while servers are being installed.", "starts again"),
            ShutDown(screen, connect, "power-off", "Turn the appliance's own machine off. Refused while servers are being installed.", "turns off"),
        };
        foreach (var more in MachineSetupCommands.Create(screen, connect))
            command.Add(more);
        return command;
    }

    private static TeachingCommand ShutDown(Screen screen, Func<ParseResult, ApiClient> connect, string verb, string description, string done)
    {
        var force = new Option<bool>("--force") { Description = "Also while servers are being installed; those then have to be started again." };
        var command = new TeachingCommand(verb, description, $"provisioner machine {verb}", $"provisioner machine {verb} --force") { force };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var answer = await api.PostAsync($"machine/{verb}", new JsonObject { ["force"] = parsed.GetValue(force) }, cancellation);
            screen.Output.WriteLine($"{answer.At("machine")} {done}.");
            return CommandLine.Done;
        });
        return command;
    }
}
