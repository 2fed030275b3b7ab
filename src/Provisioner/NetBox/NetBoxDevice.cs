using System.Text.Json.Nodes;
using Provisioner.Registering;

namespace Provisioner.NetBox;

/// <summary>A device as NetBox has it, by what a Host can be made of.</summary>
/// <param name="Id">NetBox's own number.</param>
/// <param name="MacAddresses">Of its interfaces that are not for management, in NetBox's order.</param>
internal sealed record NetBoxDevice(long Id, string Name, IReadOnlyList<string> MacAddresses)
{
    public string? Site { get; init; }

    public string? Rack { get; init; }

    /// <summary>Its lowest rack unit; NetBox knows halves.</summary>
    public string? Unit { get; init; }

    public string? Serial { get; init; }

    /// <summary>Its role there, such as Worker.</summary>
    public string? Role { get; init; }

    /// <summary>Its primary IPv4 address, without the prefix length.</summary>
    public string? Address { get; init; }

    /// <summary>The list that the import of files and spreadsheets reads, too.</summary>
    public static HostList ToList(IReadOnlyList<NetBoxDevice> devices) => HostList.Of(
        ["name", "macs", "site", "rack", "unit", "serial", "address", "NetBox role"],
        [.. devices.Select(d => new[] { d.Name, string.Join(' ', d.MacAddresses), d.Site ?? "", d.Rack ?? "", d.Unit ?? "", d.Serial ?? "", d.Address ?? "", d.Role ?? "" })]);

    /// <summary>Reads one of <c>/api/dcim/devices/</c>. The role's key was <c>device_role</c> before NetBox 4.0.</summary>
    public static NetBoxDevice Of(JsonNode device, IEnumerable<JsonNode> interfaces) => new(IdOf(device), Text(device["name"]) ?? "", [.. interfaces.SelectMany(MacAddressesOf).Distinct(StringComparer.OrdinalIgnoreCase)])
    {
        Site = Text(device["site"]?["name"]),
        Rack = Text(device["rack"]?["name"]),
        Unit = device["position"] is JsonValue position && position.TryGetValue<decimal>(out var unit) ? unit.ToString("0.#", System.Globalization.CultureInfo.InvariantCulture) : null,
        Serial = Text(device["serial"]),
        Role = Text(device["role"]?["name"]) ?? Text(device["device_role"]?["name"]),
        Address = Text(device["primary_ip4"]?["address"])?.Split('/')[0],
    };

    public static long IdOf(JsonNode node) => node["id"]!.GetValue<long>();

    /// <summary>
    /// One of <c>/api/dcim/interfaces/</c>: since NetBox 4.2 an interface has any number of addresses, of which one is its primary;
    /// before, it had one, in <c>mac_address</c>. What is virtual has no wire to boot from.
    /// </summary>
    private static IEnumerable<string> MacAddressesOf(JsonNode port)
    {
        if (Text(port["type"]?["value"]) is "virtual" or "bridge" or "lag" || port["mgmt_only"]?.GetValueKind() is System.Text.Json.JsonValueKind.True)
            return [];
        var primary = Text(port["primary_mac_address"]?["mac_address"]) ?? Text(port["mac_address"]);
        var all = (port["mac_addresses"] as JsonArray ?? []).Select(mac => Text(mac?["mac_address"]));
        return all.Prepend(primary).OfType<string>();
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;
}
