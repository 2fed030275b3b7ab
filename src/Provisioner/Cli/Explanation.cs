using System.Text.Json.Nodes;

namespace Provisioner.Cli;

/// <summary>A dry run's answer as text: each step of the boot, what is answered, and why.</summary>
internal static class Explanation
{
    private const int Indent = 15;

    public static void Write(Screen screen, JsonObject answer)
    {
        var who = answer.At("host") is { Length: > 0 } host ? $"{host} ({answer.At("macAddress")})" : $"{answer.At("macAddress")} (not registered)";
        var where = answer.At("network") is { Length: > 0 } network ? $"Network {network}, dhcp {answer.At("dhcp")}" : "no Network";
        screen.Output.WriteLine($"  {who} as {answer.At("client")} on {where}");
        foreach (var step in answer["steps"]!.AsArray().Select(s => s!.AsObject()))
        {
            var name = step.At("step") switch { "bootFile" => "boot file", "ipxeScript" => "iPXE script", "grubScript" => "GRUB script", var other => other };
            screen.Output.WriteLine($"  {name.PadRight(Indent - 2)}{(step.At("answer") is { Length: > 0 } said ? said : "none")}");
            foreach (var line in screen.Wrap(step.At("reason"), Indent))
                screen.Output.WriteLine(new string(' ', Indent) + screen.Dim(line));
        }
    }
}
