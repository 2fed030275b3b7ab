using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Appliance.Setup;

/// <summary>What the answers become: pure, a text each.</summary>
internal static class SetupFiles
{
    /// <summary>The Network that servers boot on, by its name among the resources.</summary>
    public const string NetworkName = "provisioning";

    private const string Begin = "# BEGIN set-up: written by 'provisioner machine setup', and written anew when that is run again.";
    private const string End = "# END set-up";

    /// <summary>How systemd-networkd is to treat that interface (systemd.network(5)).</summary>
    public static string NetworkUnit(SetupAnswers answers, WiredLink link)
    {
        var provisioning = answers.Provisioning;
        var text = new StringBuilder();
        text.Append("# Written by 'provisioner machine setup', and written anew when that is run again.\n");
        // By its address: the name of a card may change with the slot it is in.
        text.Append($"[Match]\nMACAddress={link.MacAddress}\n\n[Network]\n");
        text.Append("LinkLocalAddressing=ipv6\nMulticastDNS=yes\n");
        if (provisioning.Address is { } address)
        {
            // The service listens there, also before the first server is switched on at the other end.
            text.Append($"Address={address}\nConfigureWithoutCarrier=yes\n");
            if (provisioning.Gateway is { } gateway)
                text.Append($"Gateway={gateway}\n");
        }
        else
        {
            text.Append("DHCP=ipv4\n");
        }
        foreach (var server in provisioning.NameServers)
            text.Append($"DNS={server}\n");
        if (provisioning.Address is null)
            text.Append("\n[DHCPv4]\nUseDomains=yes\n");
        return text.ToString();
    }

    /// <summary>The service's configuration with this machine's settings in it; what else stands there stays.</summary>
    /// <param name="answers">The settings.</param>
    /// <param name="before">The file as it is.</param>
    /// <exception cref="ChangeRefusedException">The two together are no configuration.</exception>
    public static string Configuration(SetupAnswers answers, string before)
    {
        var machine = new JsonObject { ["hostName"] = answers.HostName, ["timeZone"] = answers.TimeZone };
        if (!answers.TimeServers.IsDefaultOrEmpty)
            machine["timeServers"] = new JsonArray([.. answers.TimeServers.Select(s => (JsonNode)s)]);
        var block = new StringBuilder(Begin).Append('\n').Append(YamlWriter.Write(new JsonObject { ["machine"] = machine }));
        if (answers.Configuration is { Length: > 0 } more)
            block.Append(more.TrimEnd()).Append('\n');
        block.Append(End).Append('\n');
        var rest = WithoutBlock(before);
        var text = rest.Length == 0 ? block.ToString() : $"{rest.TrimEnd()}\n\n{block}";
        _ = ApplianceConfiguration.Read(text);
        return text;
    }

    /// <summary>The Network of the interface, as a document.</summary>
    /// <param name="answers">The answers.</param>
    /// <param name="link">The interface.</param>
    /// <param name="subnet">Its subnet, where DHCP said it.</param>
    public static string Network(SetupAnswers answers, WiredLink link, Ipv4Cidr subnet)
    {
        var provisioning = answers.Provisioning;
        var spec = new NetworkSpec
        {
            Subnet = subnet,
            Interface = link.Name,
            Dhcp = provisioning.Dhcp,
            Range = provisioning.Range,
            Gateway = provisioning.Gateway,
            Dns = provisioning.NameServers,
        };
        return YamlWriter.Write(new JsonObject
        {
            ["apiVersion"] = "provisioner/v1",
            ["kind"] = "Network",
            ["metadata"] = new JsonObject { ["name"] = NetworkName },
            ["spec"] = NetworkFields.Spec.Write(spec),
        });
    }

    private static string WithoutBlock(string text)
    {
        var lines = text.Split('\n').ToList();
        var (from, to) = (lines.FindIndex(l => l.StartsWith("# BEGIN set-up", StringComparison.Ordinal)), lines.FindIndex(l => l.StartsWith(End, StringComparison.Ordinal)));
        if (from >= 0 && to >= from)
            lines.RemoveRange(from, to - from + 1);
        return string.Join('\n', lines);
    }
}
