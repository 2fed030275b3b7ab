using System.CommandLine;
using Provisioner.Appliance.Setup;

namespace Provisioner.Cli;

/// <summary><c>machine setup</c> and <c>machine console</c>.</summary>
internal static class MachineSetupCommands
{
    public static IEnumerable<Command> Create(Screen screen, Func<ParseResult, ApiClient> connect) => [Setup(screen, connect), Console(screen, connect)];

    private static TeachingCommand Setup(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var answers = new Option<string?>("--answers") { Description = "Set it up by this file, without asking.", HelpName = "FILE" };
        var unattended = new Option<bool>("--unattended") { Description = "At the boot, before the network: by the answers this machine was given; without any, nothing." };
        var finish = new Option<bool>("--finish") { Description = "At the boot, when the service runs: have it do what the answers ask for." };
        var command = new TeachingCommand("setup", "Set up the machine of an appliance image: its name, time, network, and a backup to go on from. Asks, and can be run again.",
            "provisioner machine setup",
            "provisioner machine setup --answers provisioner-setup.yaml",
            "",
            "A file of answers; everything in it has a default:",
            "  hostName: rack7-boot",
            "  timeZone: Europe/Zurich",
            "  timeServers: [10.77.0.5]",
            "  provisioning: { interface: eno1, address: 10.77.0.2/24, gateway: 10.77.0.1, nameServers: [10.77.0.5], dhcp: reserve, range: 10.77.0.100-10.77.0.199 }",
            "  administrator: { name: alice, password: … }       # without it, the console shows the link that makes the first admin",
            "  restore: { file: appliance.tar.age, passphrase: … }",
            "  resources: |                                     # documents to apply",
            "  configuration: |                                 # more of provisioner.yaml")
        {
            answers, unattended, finish,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            var given = new[] { parsed.GetValue(answers) is not null, parsed.GetValue(unattended), parsed.GetValue(finish) }.Count(said => said);
            if (given > 1)
                throw new CommandFailedException(["--answers, --unattended and --finish are three ways: give one of them."], CommandLine.WrongUsage);
            if (!Environment.IsPrivilegedProcess)
                throw new CommandFailedException("the machine is set up by root: use sudo.");
            var setup = new MachineSetup(screen, new SetupPlaces(), () => connect(parsed));
            if (parsed.GetValue(unattended))
                await setup.PrepareAsync(cancellation);
            else if (parsed.GetValue(finish))
                await setup.FinishAsync(cancellation);
            else if (parsed.GetValue(answers) is { } file)
                await setup.ApplyAsync(file, cancellation);
            else if (!screen.Asks)
                throw new CommandFailedException(["nobody can be asked here. Give a file of answers: --answers FILE"], CommandLine.WrongUsage);
            else if (await setup.AskAsync(cancellation))
                await ShowAllAsync(setup, cancellation);
            return CommandLine.Done;
        });
        return command;
    }

    /// <summary>What stands on the screen of an appliance, in the place of a login.</summary>
    private static TeachingCommand Console(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var command = new TeachingCommand("console", "The screen of an appliance image: the set-up, then where the console is, and what can be done without it.", "provisioner machine console");
        command.SetAction(async (parsed, cancellation) =>
        {
            var setup = new MachineSetup(screen, new SetupPlaces(), () => connect(parsed));
            while (!cancellation.IsCancellationRequested)
            {
                try
                {
                    if (!await TurnAsync(screen, setup, () => connect(parsed), cancellation))
                        return CommandLine.Done;
                }
                catch (CommandFailedException failed)
                {
                    foreach (var line in failed.Lines)
                        screen.Output.WriteLine($"  {line}");
                }
            }
            return CommandLine.Done;
        });
        return command;
    }

    /// <returns>False when nobody is at the console any more.</returns>
    private static async Task<bool> TurnAsync(Screen screen, MachineSetup setup, Func<ApiClient> connect, CancellationToken cancellation)
    {
        screen.Output.WriteLine();
        screen.Output.WriteLine(setup.IsDone
            ? "Provisioner. Enter: where the console is;  l: link for the first admin;  s: set up again;  r: restart;  o: turn off"
            : "Provisioner. This appliance is not set up yet. Enter: set it up;  r: restart;  o: turn off");
        screen.Output.Flush();
        if (screen.Input.ReadLine() is not { } typed)
            return false;
        switch (typed.Trim().ToLowerInvariant())
        {
            case "" when setup.IsDone:
                await setup.ShowAsync(cancellation);
                break;
            case "l" when setup.IsDone:
                await setup.ShowLinkAsync(cancellation);
                break;
            case "" or "s":
                if (await setup.AskAsync(cancellation))
                    await ShowAllAsync(setup, cancellation);
                break;
            case "r" or "o":
                using (var api = connect())
                    await api.PostAsync($"machine/{(typed.Trim() is "r" or "R" ? "reboot" : "power-off")}", new System.Text.Json.Nodes.JsonObject { ["force"] = false }, cancellation);
                break;
            default:
                screen.Output.WriteLine($"  '{typed.Trim()}' is none of these.");
                break;
        }
        return true;
    }

    private static async Task ShowAllAsync(MachineSetup setup, CancellationToken cancellation)
    {
        await setup.ShowAsync(cancellation);
        await setup.ShowLinkAsync(cancellation);
    }
}
