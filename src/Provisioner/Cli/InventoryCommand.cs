using System.CommandLine;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Provisioner.Api;

namespace Provisioner.Cli;

/// <summary>
/// <c>inventory</c>: the hosts as Ansible's dynamic inventory reads them
/// (https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html, "Inventory scripts").
/// </summary>
internal static partial class InventoryCommand
{
    public static TeachingCommand Create(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var list = new Option<bool>("--list") { Description = "All groups and hosts; so it is without any option." };
        var host = new Option<string?>("--host") { Description = "The variables of one host.", HelpName = "HOST" };
        var command = new TeachingCommand("inventory", "Print the hosts as a dynamic inventory of Ansible: groups by state, profile, rack, zone, lane and site, variables of each host.",
            "printf '#!/bin/sh\\nexec provisioner inventory \"$@\"\\n' > fleet && chmod +x fleet && ansible -i fleet state_ready -m ping",
            "provisioner inventory --host rack1-n07")
        {
            list, host,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var answer = parsed.GetValue(host) is { } name
                ? VariablesOf(await api.GetAsync($"hosts/{ApiClient.Escape(name)}", cancellation))
                : Of(await api.ListAsync("hosts", cancellation));
            screen.Output.WriteLine(answer.ToJsonString(Json.Indented));
            return CommandLine.Done;
        });
        return command;
    }

    /// <summary>The inventory of these hosts. Pure.</summary>
    internal static JsonObject Of(IEnumerable<JsonObject> hosts)
    {
        var (groups, variables) = (new SortedDictionary<string, JsonArray>(StringComparer.Ordinal), new JsonObject());
        foreach (var host in hosts)
        {
            var name = host["metadata"]!["name"]!.ToString();
            variables[name] = VariablesOf(host);
            foreach (var group in GroupsOf(host))
            {
                if (!groups.TryGetValue(group, out var members))
                    groups[group] = members = [];
                members.Add(name);
            }
        }
        var inventory = new JsonObject { ["_meta"] = new JsonObject { ["hostvars"] = variables } };
        foreach (var (group, members) in groups)
            inventory[group] = new JsonObject { ["hosts"] = members };
        return inventory;
    }

    private static IEnumerable<string> GroupsOf(JsonObject host)
    {
        (string Prefix, string? Value)[] all =
        [
            ("state", host["status"]?["state"]?.ToString()), ("profile", host["spec"]?["profile"]?.ToString()), ("rack", host["spec"]?["location"]?["rack"]?.ToString()),
            ("site", host["spec"]?["location"]?["site"]?.ToString()), ("zone", host["spec"]?["zone"]?.ToString()), ("lane", host["spec"]?["lane"]?.ToString()),
        ];
        return all.Where(g => g.Value is not null).Select(g => $"{g.Prefix}_{NotInAGroupName().Replace(g.Value!.ToLowerInvariant(), "_")}");
    }

    private static JsonObject VariablesOf(JsonObject host) => Json.WithoutNulls(new JsonObject
    {
        ["ansible_host"] = (host["status"]?["node"]?["address"] ?? host["spec"]?["address"])?.ToString(),
        ["provisioner_state"] = host["status"]?["state"]?.ToString(),
        ["provisioner_profile"] = host["spec"]?["profile"]?.ToString(),
        ["provisioner_architecture"] = host["spec"]?["architecture"]?.ToString(),
        ["provisioner_serial"] = host["spec"]?["serial"]?.ToString(),
        ["provisioner_location"] = host["spec"]?["location"]?.DeepClone(),
        ["provisioner_zone"] = host["spec"]?["zone"]?.ToString(),
        ["provisioner_labels"] = host["metadata"]?["labels"]?.DeepClone(),
        ["provisioner_kubernetes_version"] = host["status"]?["node"]?["version"]?.ToString(),
    });

    // Ansible wants names of groups to be as Python's are.
    [GeneratedRegex("[^a-z0-9_]", RegexOptions.NonBacktracking)]
    private static partial Regex NotInAGroupName();
}
