using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Installing;

/// <summary>The network of the installed host, as its own network service reads it. Cards are named by MAC address alone.</summary>
internal static class NetworkFiles
{
    /// <summary>netplan, of Ubuntu: one file, and cloud-init told to leave the network alone.</summary>
    public static IEnumerable<HostFile> Netplan(PlannedNetwork network) =>
    [
        new("/etc/netplan/60-provisioner.yaml", "0600", YamlWriter.Write(new JsonObject { ["network"] = NetplanTree(network) })),
        new("/etc/cloud/cloud.cfg.d/90-provisioner-network.cfg", "0644", "network:\n  config: disabled\n"),
    ];

    /// <summary>The card it boots from with DHCP, for the installer's own use.</summary>
    public static JsonObject InstallerTree(PlannedNetwork network) => new()
    {
        ["version"] = 2,
        ["ethernets"] = new JsonObject
        {
            ["boot"] = new JsonObject { ["match"] = Card(network.BootMac), ["dhcp4"] = true, ["dhcp-identifier"] = "mac" },
        },
    };

    public static JsonObject NetplanTree(PlannedNetwork network)
    {
        var tree = new JsonObject { ["version"] = 2, ["renderer"] = "networkd" };
        var cards = new JsonObject();
        for (var i = 0; i < network.Cards.Length; i++)
            cards[$"card{i}"] = new JsonObject { ["match"] = Card(network.Cards[i]) };
        tree["ethernets"] = cards;
        var last = cards["card0"]!.AsObject();
        var name = "card0";
        if (network.Bond is { } bond)
        {
            foreach (var (_, card) in cards)
                card!["dhcp4"] = false;
            var parameters = new JsonObject { ["mode"] = bond == BondMode.Lacp ? "802.3ad" : "active-backup", ["mii-monitor-interval"] = 100 };
            if (bond == BondMode.Lacp)
            {
                parameters["lacp-rate"] = "fast";
                parameters["transmit-hash-policy"] = "layer2+3";
            }
            last = new JsonObject
            {
                ["interfaces"] = new JsonArray([.. cards.Select(JsonNode? (card) => card.Key)]),
                // The address it boots with: a reservation goes on to hold.
                ["macaddress"] = network.BootMac.ToString(),
                ["parameters"] = parameters,
            };
            tree["bonds"] = new JsonObject { ["bond0"] = last };
            name = "bond0";
        }
        if (network.Mtu is { } mtu)
        {
            foreach (var (_, card) in cards)
                card!["mtu"] = mtu;
            last["mtu"] = mtu;
        }
        if (network.Vlan is { } vlan)
        {
            last["dhcp4"] = false;
            last = new JsonObject { ["id"] = vlan, ["link"] = name };
            tree["vlans"] = new JsonObject { [$"vlan{vlan}"] = last };
            if (network.Mtu is { } inner)
                last["mtu"] = inner;
        }
        if (network.Address is { } address)
        {
            last["dhcp4"] = false;
            last["addresses"] = new JsonArray($"{address}/{network.Prefix}");
            // Not 'default', which netplan of Ubuntu 20.04's first images does not know.
            if (network.Gateway is { } gateway)
                last["routes"] = new JsonArray(new JsonObject { ["to"] = "0.0.0.0/0", ["via"] = gateway.ToString() });
        }
        else
        {
            last["dhcp4"] = true;
            last["dhcp-identifier"] = "mac";
            var own = new JsonObject();
            if (!network.Dns.IsEmpty)
                own["use-dns"] = false;
            if (network.Mtu is not null)
                own["use-mtu"] = false;
            if (own.Count > 0)
                last["dhcp4-overrides"] = own;
        }
        if (!network.Dns.IsEmpty || !network.SearchDomains.IsEmpty)
        {
            var servers = new JsonObject();
            if (!network.Dns.IsEmpty)
                servers["addresses"] = new JsonArray([.. network.Dns.Select(JsonNode? (d) => d.ToString())]);
            if (!network.SearchDomains.IsEmpty)
                servers["search"] = new JsonArray([.. network.SearchDomains.Select(JsonNode? (d) => d)]);
            last["nameservers"] = servers;
        }
        return tree;
    }

    /// <summary>NetworkManager's key files, which RHEL 8 reads beside its older ones and RHEL 9 and 10 alone.</summary>
    public static IEnumerable<HostFile> NetworkManager(string host, PlannedNetwork network)
    {
        var top = network.Vlan is { } vlan ? $"vlan{vlan}" : network.Bond is null ? "card0" : "bond0";
        for (var i = 0; i < network.Cards.Length; i++)
        {
            var name = $"card{i}";
            var text = Connection(host, name, "ethernet", network.Bond is null ? "" : $"master={Uuid(host, "bond0")}\nslave-type=bond\n")
                + $"\n[ethernet]\nmac-address={network.Cards[i]}\n" + Mtu(network);
            yield return Keyfile(name, network.Bond is not null ? text : text + Addresses(network, top == name));
        }
        if (network.Bond is { } bond)
        {
            yield return Keyfile("bond0", Connection(host, "bond0", "bond", "interface-name=bond0\n")
                + $"\n[ethernet]\ncloned-mac-address={network.BootMac}\n" + Mtu(network)
                + $"\n[bond]\nmode={(bond == BondMode.Lacp ? "802.3ad\nlacp_rate=fast\nxmit_hash_policy=layer2+3" : "active-backup")}\nmiimon=100\n"
                + Addresses(network, top == "bond0"));
        }
        if (network.Vlan is { } id)
        {
            yield return Keyfile(top, Connection(host, top, "vlan", $"interface-name={top}\n") + (network.Mtu is null ? "" : "\n[ethernet]\n" + Mtu(network))
                + $"\n[vlan]\nid={id}\nparent={Uuid(host, network.Bond is null ? "card0" : "bond0")}\n" + Addresses(network, true));
        }
    }

    /// <summary>systemd-networkd, of a host that runs from memory. Nothing where the image's own DHCP will do.</summary>
    public static IEnumerable<HostFile> Networkd(PlannedNetwork network)
    {
        if (network.IsPlain)
            yield break;
        var vlan = network.Vlan is { } id ? $"vlan{id}" : null;
        for (var i = 0; i < network.Cards.Length; i++)
        {
            yield return Unit($"10-provisioner-card{i}.network", $"[Match]\nMACAddress={network.Cards[i]}\nType=ether\n" + LinkMtu(network) + "\n[Network]\n"
                + (network.Bond is not null ? "Bond=bond0\n" : vlan is not null ? $"VLAN={vlan}\nLinkLocalAddressing=no\n" : Addressing(network)));
        }
        if (network.Bond is { } bond)
        {
            yield return Unit("10-provisioner-bond0.netdev", $"[NetDev]\nName=bond0\nKind=bond\nMACAddress={network.BootMac}\n\n[Bond]\n"
                + (bond == BondMode.Lacp ? "Mode=802.3ad\nLACPTransmitRate=fast\nTransmitHashPolicy=layer2+3\n" : "Mode=active-backup\n") + "MIIMonitorSec=100ms\n");
            yield return Unit("10-provisioner-bond0.network", "[Match]\nName=bond0\n" + LinkMtu(network) + "\n[Network]\n" + (vlan is not null ? $"VLAN={vlan}\nLinkLocalAddressing=no\n" : Addressing(network)));
        }
        if (vlan is not null)
        {
            yield return Unit($"10-provisioner-{vlan}.netdev", $"[NetDev]\nName={vlan}\nKind=vlan\n\n[VLAN]\nId={network.Vlan}\n");
            yield return Unit($"10-provisioner-{vlan}.network", $"[Match]\nName={vlan}\n" + LinkMtu(network) + "\n[Network]\n" + Addressing(network));
        }
    }

    private static JsonObject Card(MacAddress mac) => new() { ["macaddress"] = mac.ToString() };

    private static HostFile Keyfile(string name, string text) => new($"/etc/NetworkManager/system-connections/provisioner-{name}.nmconnection", "0600", text);

    private static HostFile Unit(string name, string text) => new($"/etc/systemd/network/{name}", "0644", text);

    private static string Connection(string host, string name, string type, string rest) =>
        $"[connection]\nid=provisioner-{name}\nuuid={Uuid(host, name)}\ntype={type}\nautoconnect-priority=10\n{rest}";

    private static string Mtu(PlannedNetwork network) => network.Mtu is { } mtu ? $"mtu={mtu}\n" : "";

    private static string LinkMtu(PlannedNetwork network) => network.Mtu is { } mtu ? $"\n[Link]\nMTUBytes={mtu}\n" : "";

    private static string Addresses(PlannedNetwork network, bool here)
    {
        if (!here)
            return "\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=disabled\n";
        var text = new StringBuilder("\n[ipv4]\n");
        if (network.Address is { } address)
            text.Append("method=manual\n").Append("address1=").Append(address).Append('/').Append(network.Prefix).Append(network.Gateway is { } gateway ? $",{gateway}" : "").Append('\n');
        else
            text.Append("method=auto\ndhcp-client-id=mac\n").Append(network.Dns.IsEmpty ? "" : "ignore-auto-dns=true\n");
        if (!network.Dns.IsEmpty)
            text.Append("dns=").Append(string.Concat(network.Dns.Select(d => $"{d};"))).Append('\n');
        if (!network.SearchDomains.IsEmpty)
            text.Append("dns-search=").Append(string.Concat(network.SearchDomains.Select(d => $"{d};"))).Append('\n');
        return text.Append("\n[ipv6]\nmethod=auto\n").ToString();
    }

    private static string Addressing(PlannedNetwork network)
    {
        var text = new StringBuilder();
        if (network.Address is { } address)
            text.Append("Address=").Append(address).Append('/').Append(network.Prefix).Append('\n').Append(network.Gateway is { } gateway ? $"Gateway={gateway}\n" : "");
        else
            text.Append("DHCP=ipv4\n");
        foreach (var server in network.Dns)
            text.Append("DNS=").Append(server).Append('\n');
        if (!network.SearchDomains.IsEmpty)
            text.Append("Domains=").AppendJoin(' ', network.SearchDomains).Append('\n');
        if (network.Address is null)
            text.Append("\n[DHCPv4]\nClientIdentifier=mac\n").Append(network.Dns.IsEmpty ? "" : "UseDNS=no\n");
        return text.ToString();
    }

    // The same each time, so that a connection that refers to another by it is right, and a reinstalled host keeps it (RFC 9562 §5.8).
    private static string Uuid(string host, string name)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{host}\n{name}"));
        hash[6] = (byte)(hash[6] & 0x0F | 0x80);
        hash[8] = (byte)(hash[8] & 0x3F | 0x80);
        return new Guid(hash.AsSpan(0, 16), bigEndian: true).ToString();
    }
}
