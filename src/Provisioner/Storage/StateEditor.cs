using System.Collections.Immutable;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Storage;

/// <summary>
/// The working copy of one change: reads see what it has put so far. Nothing is stored until the change returns, and nothing at all when it throws.
/// Used by one thread.
/// </summary>
public sealed class StateEditor
{
    private readonly Snapshot before;
    private readonly Dictionary<RecordKey, object?> writes = [];
    private readonly List<Event> events = [];

    /// <param name="before">What is stored.</param>
    /// <param name="now">The time of the change.</param>
    public StateEditor(Snapshot before, DateTimeOffset now)
    {
        this.before = before;
        Snapshot = before;
        Now = now;
    }

    /// <summary>As it will be if the change ends here; its revision is still the old one.</summary>
    public Snapshot Snapshot { get; private set; }

    /// <summary>The one time of everything in this change.</summary>
    public DateTimeOffset Now { get; }

    /// <summary>What is to be written; a null value is a removal.</summary>
    internal IReadOnlyDictionary<RecordKey, object?> Writes => writes;

    internal IReadOnlyList<Event> Events => events;

    /// <summary>
    /// Puts the host in place; its version grows, its MAC addresses are owned by it from now on and are no longer Discovered.
    /// </summary>
    /// <exception cref="InvalidOperationException">A MAC address has another owner: the change did not check.</exception>
    public Host Put(Host host)
    {
        var old = Snapshot.Hosts.GetValueOrDefault(host.Name);
        host = host with { Metadata = Stamp(host.Metadata, before.Hosts.GetValueOrDefault(host.Name)?.Metadata) };
        var owners = Snapshot.HostByMacAddress;
        foreach (var mac in old?.Spec.MacAddresses ?? [])
        {
            if (owners.GetValueOrDefault(mac) == host.Name)
                owners = owners.Remove(mac);
        }
        foreach (var mac in host.Spec.MacAddresses)
        {
            if (owners.TryGetValue(mac, out var owner) && owner != host.Name)
                throw new InvalidOperationException($"{mac} belongs to {owner}.");
            owners = owners.SetItem(mac, host.Name);
            RemoveDiscovered(mac);
        }
        Snapshot = Snapshot with { Hosts = Snapshot.Hosts.SetItem(host.Name, host), HostByMacAddress = owners };
        writes[new(RecordKind.Host, host.Name)] = host;
        return host;
    }

    public Profile Put(Profile profile)
    {
        profile = profile with { Metadata = Stamp(profile.Metadata, before.Profiles.GetValueOrDefault(profile.Name)?.Metadata) };
        Snapshot = Snapshot with { Profiles = Snapshot.Profiles.SetItem(profile.Name, profile) };
        writes[new(RecordKind.Profile, profile.Name)] = profile;
        return profile;
    }

    public Image Put(Image image)
    {
        image = image with { Metadata = Stamp(image.Metadata, before.Images.GetValueOrDefault(image.Name)?.Metadata) };
        Snapshot = Snapshot with { Images = Snapshot.Images.SetItem(image.Name, image) };
        writes[new(RecordKind.Image, image.Name)] = image;
        return image;
    }

    public Network Put(Network network)
    {
        network = network with { Metadata = Stamp(network.Metadata, before.Networks.GetValueOrDefault(network.Name)?.Metadata) };
        Snapshot = Snapshot with { Networks = Snapshot.Networks.SetItem(network.Name, network) };
        writes[new(RecordKind.Network, network.Name)] = network;
        return network;
    }

    public void Put(Installation installation)
    {
        // The snapshot holds the latest of each host; the store keeps them all.
        if (!Snapshot.Installations.TryGetValue(installation.Host, out var latest) || latest.Id == installation.Id || installation.OpenedAt >= latest.OpenedAt)
            Snapshot = Snapshot with { Installations = Snapshot.Installations.SetItem(installation.Host, installation) };
        writes[new(RecordKind.Installation, installation.Id)] = installation;
    }

    public void Put(Discovered discovered)
    {
        Snapshot = Snapshot with { Discovered = Snapshot.Discovered.SetItem(discovered.MacAddress, discovered) };
        writes[new(RecordKind.Discovered, discovered.MacAddress.ToString())] = discovered;
    }

    /// <summary>Keeps a lease; the snapshot does not hold them.</summary>
    internal void Put(Lease lease) => writes[new(RecordKind.Lease, lease.Address.ToString())] = lease;

    /// <summary>Puts several at once, so that a MAC address can move from one of these hosts to another.</summary>
    internal void PutAll(IEnumerable<IResource> resources)
    {
        var all = resources.ToList();
        foreach (var host in all.OfType<Host>())
        {
            if (Snapshot.Hosts.TryGetValue(host.Name, out var old))
                Snapshot = Snapshot with { HostByMacAddress = Snapshot.HostByMacAddress.RemoveRange(old.Spec.MacAddresses) };
        }
        foreach (var resource in all)
        {
            switch (resource)
            {
                case Host host:
                    Put(host);
                    break;
                case Profile profile:
                    Put(profile);
                    break;
                case Image image:
                    // An applied document says what is wanted; what was imported stays.
                    Put(image with { Status = Snapshot.Images.GetValueOrDefault(image.Name)?.Status ?? image.Status });
                    break;
                case Network network:
                    Put(network);
                    break;
            }
        }
    }

    /// <summary>Removes the host and forgets its latest Installation; its events stay.</summary>
    public void RemoveHost(string name)
    {
        if (!Snapshot.Hosts.TryGetValue(name, out var host))
            return;
        Snapshot = Snapshot with
        {
            Hosts = Snapshot.Hosts.Remove(name),
            HostByMacAddress = Snapshot.HostByMacAddress.RemoveRange(host.Spec.MacAddresses),
            Installations = Snapshot.Installations.Remove(name),
        };
        writes[new(RecordKind.Host, name)] = null;
    }

    public void RemoveProfile(string name)
    {
        Snapshot = Snapshot with { Profiles = Snapshot.Profiles.Remove(name) };
        writes[new(RecordKind.Profile, name)] = null;
    }

    public void RemoveImage(string name)
    {
        Snapshot = Snapshot with { Images = Snapshot.Images.Remove(name) };
        writes[new(RecordKind.Image, name)] = null;
    }

    public void RemoveNetwork(string name)
    {
        Snapshot = Snapshot with { Networks = Snapshot.Networks.Remove(name) };
        writes[new(RecordKind.Network, name)] = null;
    }

    public void RemoveDiscovered(MacAddress mac)
    {
        if (!Snapshot.Discovered.ContainsKey(mac))
            return;
        Snapshot = Snapshot with { Discovered = Snapshot.Discovered.Remove(mac) };
        writes[new(RecordKind.Discovered, mac.ToString())] = null;
    }

    /// <summary>Appends an event in the same transaction.</summary>
    public void Record(Event entry) => events.Add(entry);

    private Metadata Stamp(Metadata metadata, Metadata? stored) => metadata with
    {
        ResourceVersion = (stored?.ResourceVersion ?? 0) + 1,
        CreatedAt = stored?.CreatedAt ?? Now,
        UpdatedAt = Now,
    };
}

/// <summary>What kinds of record the store keeps.</summary>
internal enum RecordKind
{
    Host,
    Profile,
    Image,
    Network,
    Discovered,
    Installation,
    Lease,
}

/// <summary>The key of one stored record.</summary>
internal readonly record struct RecordKey(RecordKind Kind, string Id);
