using System.Collections.Immutable;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Storage;

/// <summary>
/// Everything the packet path may ask, as it was after one committed change. Immutable: readers hold it as long as they like
/// and never wait. The one writer swaps in the next.
/// </summary>
public sealed record Snapshot
{
    public static Snapshot Empty { get; } = new();

    /// <summary>Grows by one with each committed change.</summary>
    public long Revision { get; init; }

    public ImmutableSortedDictionary<string, Host> Hosts { get; init; } = ImmutableSortedDictionary.Create<string, Host>(StringComparer.Ordinal);

    /// <summary>The owner of each registered MAC address.</summary>
    public ImmutableDictionary<MacAddress, string> HostByMacAddress { get; init; } = ImmutableDictionary<MacAddress, string>.Empty;

    public ImmutableSortedDictionary<string, Profile> Profiles { get; init; } = ImmutableSortedDictionary.Create<string, Profile>(StringComparer.Ordinal);

    public ImmutableSortedDictionary<string, Image> Images { get; init; } = ImmutableSortedDictionary.Create<string, Image>(StringComparer.Ordinal);

    public ImmutableSortedDictionary<string, Network> Networks { get; init; } = ImmutableSortedDictionary.Create<string, Network>(StringComparer.Ordinal);

    public ImmutableDictionary<MacAddress, Discovered> Discovered { get; init; } = ImmutableDictionary<MacAddress, Discovered>.Empty;

    /// <summary>The latest Installation of each host, open or not.</summary>
    public ImmutableDictionary<string, Installation> Installations { get; init; } = ImmutableDictionary<string, Installation>.Empty;

    /// <summary>The host that owns the MAC address, or null.</summary>
    public Host? FindHost(MacAddress mac) =>
        HostByMacAddress.TryGetValue(mac, out var name) ? Hosts.GetValueOrDefault(name) : null;

    /// <summary>The resource of that kind (as in <c>kind</c>) and name, or null.</summary>
    public IResource? Find(string kind, string name) => kind switch
    {
        "Host" => Hosts.GetValueOrDefault(name),
        "Profile" => Profiles.GetValueOrDefault(name),
        "Image" => Images.GetValueOrDefault(name),
        "Network" => Networks.GetValueOrDefault(name),
        _ => null,
    };

    /// <summary>All resources of that kind, by name.</summary>
    public IEnumerable<IResource> All(string kind) => kind switch
    {
        "Host" => Hosts.Values,
        "Profile" => Profiles.Values,
        "Image" => Images.Values,
        "Network" => Networks.Values,
        _ => [],
    };

    internal IEnumerable<string> NamesOf(string kind) => All(kind).Select(r => r.Metadata.Name);
}
