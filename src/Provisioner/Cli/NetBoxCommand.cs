using System.CommandLine;
using Provisioner.Resources;

namespace Provisioner.Cli;

/// <summary><c>netbox</c>: devices of NetBox as documents to apply.</summary>
internal static class NetBoxCommand
{
    public static TeachingCommand Create(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var filter = new Option<string>("--filter") { Description = "Which devices, by NetBox's own filters.", HelpName = "FILTER", DefaultValueFactory = _ => "" };
        var profile = new Option<string?>("--profile") { Description = "The profile of all of them.", HelpName = "PROFILE" };
        var command = new TeachingCommand("netbox", "Print devices of the NetBox in the configuration as Hosts, to be looked at and applied. Devices that cannot be registered are named on stderr, and are not printed.",
            "provisioner netbox --filter 'site=madrid&role=worker' --profile worker > hosts.yaml",
            "provisioner netbox --filter 'rack=r7' --profile worker | provisioner apply -f -")
        {
            filter, profile,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var path = $"netbox/devices?filter={ApiClient.Escape(parsed.GetValue(filter)!)}" + (parsed.GetValue(profile) is { } name ? $"&profile={ApiClient.Escape(name)}" : "");
            var devices = await api.ListAsync(path, cancellation);
            if (devices.Count == 0)
                screen.Error.WriteLine("NetBox has no such device.");
            var wrong = 0;
            foreach (var device in devices)
            {
                var mistakes = device["mistakes"]!.AsArray();
                if (mistakes.Count == 0)
                {
                    screen.Output.WriteLine("---");
                    screen.Output.Write(YamlWriter.Write(device["host"]!));
                    continue;
                }
                wrong++;
                screen.Error.WriteLine($"{device.At("name")}: {string.Join(' ', mistakes.Select(m => m!.ToString()))}");
            }
            if (wrong == 0)
                return CommandLine.Done;
            screen.Error.WriteLine($"{wrong} of {devices.Count} cannot be registered as they are.");
            return CommandLine.Failed;
        });
        return command;
    }
}
