using System.Globalization;
using System.Text.Json.Nodes;
using Provisioner.Resources;

namespace Provisioner.Registering;

/// <summary>A server as somebody typed, pasted or scanned it. It is read as a document is, so that every way in has the same rules.</summary>
internal sealed record HostForm
{
    /// <summary>What can be filled in, by the names people give columns.</summary>
    public static IReadOnlyList<(string Key, string Title, string[] AlsoCalled)> Columns { get; } =
    [
        ("name", "Name", ["host", "hostname", "node"]), ("macs", "MAC addresses", ["mac", "macaddress", "macaddresses", "mac address", "mac addresses", "mac_address", "nic", "primary mac"]),
        ("architecture", "Architecture", ["arch", "cpu"]), ("profile", "Profile", ["role", "type"]), ("site", "Site", ["datacentre", "datacenter", "location"]), ("rack", "Rack", ["cabinet"]),
        ("unit", "Unit", ["u", "position", "rack unit"]), ("zone", "Zone", ["az", "availability zone"]), ("lane", "Lane", []), ("serial", "Serial", ["serial number", "serialnumber", "service tag", "sn"]),
        ("address", "Address", ["ip", "ip address", "ipv4"]),
    ];

    private readonly Dictionary<string, string> values = new(StringComparer.Ordinal);

    public string this[string key]
    {
        get => values.GetValueOrDefault(key, "");
        set => values[key] = value.Trim();
    }

    public string Name => this["name"];

    /// <summary>The document, or what is wrong with it.</summary>
    public (IReadOnlyList<ResourceDocument> Documents, IReadOnlyList<Mistake> Mistakes) Read()
    {
        var read = ResourceReader.Read(ToDocument().ToJsonString());
        return (read.Documents, [.. read.Mistakes.Select(m => m.WithoutPlace())]);
    }

    /// <summary>The document as it would be written by hand, right or wrong.</summary>
    public JsonObject ToDocument()
    {
        var spec = new JsonObject
        {
            ["macAddresses"] = new JsonArray([.. this["macs"].Split(['\n', ',', ' ', ';', '|'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(mac => (JsonNode)mac)]),
            ["architecture"] = ArchitectureOf(this["architecture"]),
        };
        foreach (var key in new[] { "profile", "zone", "lane", "serial", "address" })
        {
            if (this[key].Length > 0)
                spec[key] = this[key];
        }
        var location = new JsonObject();
        foreach (var key in new[] { "site", "rack" })
        {
            if (this[key].Length > 0)
                location[key] = this[key];
        }
        if (this["unit"].TrimStart('U', 'u') is { Length: > 0 } unit)
            location["unit"] = int.TryParse(unit, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : unit;
        if (location.Count > 0)
            spec["location"] = location;
        return new JsonObject
        {
            ["apiVersion"] = ResourceKind.ApiVersion, ["kind"] = "Host", ["metadata"] = new JsonObject { ["name"] = Name }, ["spec"] = spec,
        };
    }

    private static string ArchitectureOf(string text) => text.ToUpperInvariant() switch
    {
        "" or "AMD64" or "X64" or "X86-64" => "x86_64",
        "ARM64" or "ARM" => "aarch64",
        _ => text,
    };
}
