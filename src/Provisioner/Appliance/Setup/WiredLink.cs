using System.Collections.Immutable;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Appliance.Setup;

/// <summary>A wired network card of this machine.</summary>
/// <param name="Name">Of its interface.</param>
/// <param name="MacAddress">Its own.</param>
/// <param name="HasCarrier">A cable with something at its other end; null while the interface is down, which says nothing.</param>
public sealed record WiredLink(string Name, MacAddress MacAddress, bool? HasCarrier)
{
    private const string Ethernet = "1"; // ARPHRD_ETHER (if_arp.h).

    /// <summary>All of them by name, as the kernel shows them (Documentation/ABI/testing/sysfs-class-net).</summary>
    /// <param name="directory"><c>/sys/class/net</c>, unless it is another's.</param>
    public static ImmutableArray<WiredLink> Find(string directory = "/sys/class/net")
    {
        var found = ImmutableArray.CreateBuilder<WiredLink>();
        foreach (var link in Directory.EnumerateDirectories(directory).Order(StringComparer.Ordinal))
        {
            // What is no card (a bridge, a tunnel) has no device; what is by radio says so.
            if (!Path.Exists(Path.Combine(link, "device")) || Path.Exists(Path.Combine(link, "wireless")) || Word(link, "type") != Ethernet
                || !Protocols.MacAddress.TryParse(Word(link, "address") ?? "", out var address))
                continue;
            found.Add(new WiredLink(Path.GetFileName(link), address, Word(link, "carrier") is { } carrier ? carrier == "1" : null));
        }
        return found.ToImmutable();
    }

    /// <summary>The one that is meant; where it is not said, the only one there is.</summary>
    /// <exception cref="ChangeRefusedException">There is none, or more than one could be meant.</exception>
    public static WiredLink Choose(ProvisioningAnswers said, ImmutableArray<WiredLink> links)
    {
        var there = links.Length == 0 ? "this machine has no wired network card" : $"there {(links.Length == 1 ? "is" : "are")} {string.Join(", ", links.Select(l => $"{l.Name} ({l.MacAddress})"))}";
        if (said.Interface is { } name)
            return links.FirstOrDefault(l => l.Name == name) ?? throw Wrong("provisioning.interface", $"there is no wired interface '{name}': {there}", name);
        if (said.MacAddress is { } address)
            return links.FirstOrDefault(l => l.MacAddress == address) ?? throw Wrong("provisioning.macAddress", $"no wired interface has {address}: {there}", address.ToString());
        if (links.Length == 1)
            return links[0];
        // A cable in one alone is an answer, too.
        return links.Where(l => l.HasCarrier == true).ToList() is [var only] ? only
            : throw Wrong("provisioning.interface", $"which interface do servers boot on? {char.ToUpperInvariant(there[0])}{there[1..]}", null);
    }

    private static ChangeRefusedException Wrong(string key, string message, string? value) =>
        new(RefusalKind.Invalid, [new Mistake(message) { Path = key, Value = value, Expected = "the name or the MAC address of a wired interface" }]);

    private static string? Word(string link, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(link, file)).Trim();
        }
        catch (IOException)
        {
            return null; // The carrier of an interface that is down cannot be read.
        }
    }
}
