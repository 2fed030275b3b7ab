using System.CommandLine;
using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Cli;

/// <summary><c>provision</c>, <c>cancel</c>, <c>adopt</c>, <c>render</c>, <c>explain</c>, <c>log</c>, <c>disk-passphrase</c>.</summary>
internal static class HostCommands
{
    private static readonly string[] Clients = ["uefi-x64", "uefi-arm64", "bios", "http-x64", "http-arm64", "ipxe"];

    public static IEnumerable<Command> Create(Screen screen, Func<ParseResult, ApiClient> connect) =>
        [Provision(screen, connect), Cancel(screen, connect), Adopt(screen, connect), Ignore(screen, connect), Render(screen, connect), Explain(screen, connect), Log(screen, connect), DiskPassphrase(screen, connect)];

    private static TeachingCommand Provision(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var host = new Argument<string>("HOST") { Description = "The host to build." };
        var window = ResourceCommands.Duration("--window", "How long it may take until the host boots its disk again; 2h unless said otherwise.", "2h", Values.Duration.Expected);
        var command = new TeachingCommand("provision", "Open an Installation: at its next network boot the host is built.",
            "provisioner provision web-1",
            "provisioner provision web-1 --window 30m")
        {
            host, window,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var body = new JsonObject();
            if (parsed.GetValue(window) is { } duration)
                body["window"] = duration;
            var name = parsed.GetValue(host)!;
            var opened = await api.PostAsync($"hosts/{ApiClient.Escape(name)}/provision", body, cancellation);
            screen.Output.WriteLine($"{name} will be built with {opened.At("image")} by profile {opened.At("profile")} until {opened.At("closesAt")}.");
            screen.Output.WriteLine($"Let it boot from the network. Watch: provisioner events {name} --follow");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Cancel(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var host = new Argument<string>("HOST") { Description = "The host not to build." };
        var command = new TeachingCommand("cancel", "Close the host's open Installation: from now on it boots its own disk.", "provisioner cancel web-1") { host };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var name = parsed.GetValue(host)!;
            await api.PostAsync($"hosts/{ApiClient.Escape(name)}/cancel", new JsonObject(), cancellation);
            screen.Output.WriteLine($"{name} is not built any more and boots its own disk.");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Ignore(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var mac = new Argument<string>("MAC") { Description = "The MAC address it asked with, in any notation." };
        var undo = new Option<bool>("--undo") { Description = "It waits to be adopted again." };
        var command = new TeachingCommand("ignore", "Say that a machine that asked is not to be adopted: a printer, another team's server. It is recorded still, and boots its own disk.",
            "provisioner ignore 52:54:00:12:34:56",
            "provisioner ignore 52:54:00:12:34:56 --undo")
        {
            mac, undo,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var found = await api.PostAsync($"discovered/{ApiClient.Escape(parsed.GetValue(mac)!)}/ignore", new JsonObject { ["ignored"] = !parsed.GetValue(undo) }, cancellation);
            screen.Output.WriteLine($"discovered/{found.At("macAddress")} {(parsed.GetValue(undo) ? "waits to be adopted" : "is ignored")}.");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Adopt(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var mac = new Argument<string>("MAC") { Description = "The MAC address it asked with, in any notation." };
        var name = new Option<string>("--name") { Description = "The host's name: its node name and hostname.", HelpName = "NAME", Required = true };
        var profile = new Option<string?>("--profile") { Description = "The profile it is built by.", HelpName = "PROFILE" };
        var architecture = new Option<string?>("--architecture") { Description = "Needed only when the machine did not say its own.", HelpName = "x86_64|aarch64" };
        var command = new TeachingCommand("adopt", "Register a machine that asked and was not known.",
            "provisioner get discovered",
            "provisioner adopt 52:54:00:12:34:56 --name web-1 --profile worker")
        {
            mac, name, profile, architecture,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var body = new JsonObject { ["name"] = parsed.GetValue(name) };
            if (parsed.GetValue(profile) is { } by)
                body["profile"] = by;
            if (parsed.GetValue(architecture) is { } cpu)
                body["architecture"] = cpu;
            var adopted = await api.PostAsync($"discovered/{ApiClient.Escape(parsed.GetValue(mac)!)}/adopt", body, cancellation);
            var host = adopted.At("metadata.name");
            screen.Output.WriteLine($"host/{host} registered as {adopted.At("spec.architecture")}.");
            screen.Output.WriteLine($"Build it with: provisioner provision {host}");
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Render(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var host = new Argument<string>("HOST") { Description = "The host." };
        var what = new Argument<string>("WHAT") { Description = "ipxe or grub: its script; kickstart, user-data, meta-data or vendor-data: its installer's answers; nodeconfig, join: what it is told to join its cluster. As they would be served now, secrets replaced." };
        what.AcceptOnlyFromAmong("ipxe", "grub", "kickstart", "user-data", "meta-data", "vendor-data", "nodeconfig", "join");
        var diff = new Option<bool>("--diff") { Description = "Only what changed since it was last served; with answers." };
        var command = new TeachingCommand("render", "Show a host's boot script, its installer's answers or its NodeConfig without anybody booting.",
            "provisioner render web-1 ipxe",
            "provisioner render web-1 user-data --diff")
        {
            host, what, diff,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var address = $"hosts/{ApiClient.Escape(parsed.GetValue(host)!)}/render/{parsed.GetValue(what)}";
            var now = await api.GetTextAsync(address, cancellation);
            if (parsed.GetValue(diff))
                LineDifference.Write(screen, await api.GetTextAsync($"{address}?last=true", cancellation), now);
            else
                screen.Output.Write(now);
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Log(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var host = new Argument<string>("HOST") { Description = "The host." };
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with each line as it comes." };
        var command = new TeachingCommand("log", "Show the last lines a host's firmware, its installer and its join program said, by syslog and in their reports.",
            "provisioner log web-1",
            "provisioner log web-1 --follow")
        {
            host, follow,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var name = parsed.GetValue(host)!;
            var path = $"hosts/{ApiClient.Escape(name)}/log";
            if (parsed.GetValue(follow))
            {
                await foreach (var line in api.FollowAsync(path + "?follow=true", cancellation))
                {
                    screen.Output.WriteLine(line.At("line"));
                    await screen.Output.FlushAsync(cancellation);
                }
                screen.Error.WriteLine("The service has stopped.");
                return CommandLine.Done;
            }
            var text = await api.GetTextAsync(path, cancellation);
            if (text.Length == 0)
                screen.Error.WriteLine($"{name} has said nothing yet. What it asked for: provisioner events {name}");
            screen.Output.Write(text);
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand DiskPassphrase(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var host = new Argument<string>("HOST") { Description = "The host." };
        var command = new TeachingCommand("disk-passphrase", "Print the passphrase of a disk that was installed with encryption: passphrase. Who asked is recorded.", "provisioner disk-passphrase web-1") { host };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            screen.Output.WriteLine((await api.PostAsync($"hosts/{ApiClient.Escape(parsed.GetValue(host)!)}/disk-passphrase", [], cancellation)).At("passphrase"));
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Explain(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var mac = new Argument<string>("MAC") { Description = "The MAC address that would ask." };
        var client = new Option<string?>("--client") { Description = "The firmware that would ask; without it, the host's own by PXE.", HelpName = string.Join('|', Clients) };
        client.AcceptOnlyFromAmong(Clients);
        var network = new Option<string?>("--network") { Description = "The Network it would ask on.", HelpName = "NAME" };
        var output = ResourceCommands.Output("text", "json", "yaml");
        var command = new TeachingCommand("explain", "Say what a machine would be answered, and why. Nothing is sent and nothing recorded.",
            "provisioner explain 52:54:00:12:34:56",
            "provisioner explain 52:54:00:12:34:56 --client http-arm64")
        {
            mac, client, network, output,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var query = new List<string>();
            if (parsed.GetValue(client) is { } firmware)
                query.Add($"client={firmware}");
            if (parsed.GetValue(network) is { } name)
                query.Add($"network={ApiClient.Escape(name)}");
            var answer = await api.GetAsync($"explain/{ApiClient.Escape(parsed.GetValue(mac)!)}?{string.Join('&', query)}", cancellation);
            if (parsed.GetValue(output).IsData())
                screen.WriteData(answer, parsed.GetValue(output)!);
            else
                Explanation.Write(screen, answer);
            return CommandLine.Done;
        });
        return command;
    }
}
