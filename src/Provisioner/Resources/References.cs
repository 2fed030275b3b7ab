using System.Collections.Immutable;
using Provisioner.Boot;
using Provisioner.Clusters;
using Provisioner.Images;
using Provisioner.Installing;
using Provisioner.Joining;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Storage;

namespace Provisioner.Resources;

/// <summary>
/// What must hold between resources, checked on the state as it would be with every document applied. A mistake is told at the document
/// that makes it; what was wrong before, and no document touches, is nobody's mistake now.
/// </summary>
internal sealed class References
{
    private readonly List<ResourceDocument> documents = [];
    private readonly Dictionary<string, Host> hosts;
    private readonly Dictionary<string, Profile> profiles;
    private readonly Dictionary<string, Image> images;
    private readonly Dictionary<string, Network> networks;
    private readonly Dictionary<string, Cluster> clusters;
    private readonly HashSet<(string Kind, string Name)> applied = [];
    private readonly List<Mistake> mistakes = [];

    public References(Snapshot stored, IReadOnlyList<ResourceDocument> documents)
    {
        hosts = new(stored.Hosts);
        profiles = new(stored.Profiles);
        images = new(stored.Images);
        networks = new(stored.Networks);
        clusters = new(stored.Clusters);
        var first = new Dictionary<(string, string), int>();
        foreach (var document in documents)
        {
            var resource = document.Resource;
            var key = (resource.Kind, resource.Metadata.Name);
            applied.Add(key);
            if (!first.TryAdd(key, document.Index))
            {
                mistakes.Add(document.MistakeAt("metadata.name", $"{key.Kind} {key.Name} is already in document {first[key]} of this text", key.Name, "each resource once"));
                continue;
            }
            this.documents.Add(document);
            switch (resource)
            {
                case Host host:
                    hosts[host.Name] = host;
                    break;
                case Profile profile:
                    profiles[profile.Name] = profile;
                    break;
                case Image image:
                    images[image.Name] = image;
                    break;
                case Network network:
                    networks[network.Name] = network;
                    break;
                case Cluster cluster:
                    clusters[cluster.Name] = cluster;
                    break;
            }
        }
    }

    public IReadOnlyList<Mistake> Check()
    {
        var macOwners = new Dictionary<MacAddress, List<Host>>();
        var addressOwners = new Dictionary<Ipv4Address, List<Host>>();
        foreach (var host in hosts.Values)
        {
            foreach (var mac in host.Spec.MacAddresses)
                Own(macOwners, mac, host);
            if (host.Spec.Address is { } address)
                Own(addressOwners, address, host);
        }
        foreach (var document in documents)
        {
            switch (document.Resource)
            {
                case Host host:
                    CheckMacAddresses(document, host, macOwners);
                    CheckAddress(document, host, addressOwners);
                    CheckProfile(document, host);
                    break;
                case Profile profile:
                    CheckProfile(document, profile);
                    break;
                case Image image:
                    CheckImage(document, image);
                    break;
                case Network network:
                    CheckNetwork(document, network);
                    break;
            }
        }
        return [.. mistakes.OrderBy(m => m.Document)];
    }

    private static void Own<TKey>(Dictionary<TKey, List<Host>> owners, TKey key, Host host) where TKey : notnull
    {
        if (owners.TryGetValue(key, out var list))
            list.Add(host);
        else
            owners[key] = [host];
    }

    private void CheckMacAddresses(ResourceDocument document, Host host, Dictionary<MacAddress, List<Host>> owners)
    {
        for (var i = 0; i < host.Spec.MacAddresses.Length; i++)
        {
            var mac = host.Spec.MacAddresses[i];
            if (Other(owners[mac], host) is { } other)
                Add(document, $"spec.macAddresses[{i}]", $"{mac} belongs to Host {other.Name} already{Where(other)}", mac.ToString(), "a MAC address no other host has");
        }
    }

    private void CheckAddress(ResourceDocument document, Host host, Dictionary<Ipv4Address, List<Host>> owners)
    {
        if (host.Spec.Address is not { } address)
            return;
        if (Other(owners[address], host) is { } other)
            Add(document, "spec.address", $"{address} is the address of Host {other.Name} already{Where(other)}", address.ToString(), "an address no other host has");
        foreach (var network in networks.Values)
        {
            if (WhyNotStatic(network.Spec, address) is { } wrong)
                Add(document, "spec.address", $"{address} {wrong} of Network {network.Name}{Where(network)}", address.ToString(), $"a host's address in {network.Spec.Subnet} that nothing else uses");
        }
    }

    private void CheckProfile(ResourceDocument document, Host host)
    {
        if (host.Spec.Profile is not { } name)
            return;
        if (!profiles.TryGetValue(name, out var profile))
        {
            Missing(document, "spec.profile", "Profile", name, profiles.Keys);
            return;
        }
        if (images.GetValueOrDefault(profile.Spec.Image) is { } image && image.Spec.Architecture != host.Spec.Architecture)
        {
            Add(document, "spec.profile", $"Profile {name} installs Image {image.Name}, which is for {Values.NameOf(image.Spec.Architecture)}; the host is {Values.NameOf(host.Spec.Architecture)}",
                name, $"a profile whose image is for {Values.NameOf(host.Spec.Architecture)}");
        }
        if (profile.Spec.Cluster is { } joins && clusters.TryGetValue(joins, out var cluster) && JoinPlan.ConfiguredAddress(host, profile) is { } address && JoinPlan.WhyNotNode(address, cluster) is { } outside)
            Add(document, address == host.Spec.Address ? "spec.address" : "spec.install.network.address", outside, address.ToString(), $"an address in {string.Join(" or ", cluster.Spec.RemoteNodeNetworks)}");
        foreach (var reason in WhyNotInstalled(host, profile))
            Add(document, "spec.profile", $"Profile {name} cannot install it: {reason}", name, "a host and a profile that go together");
    }

    // Only what is about the host: an image that has no unattended installation is told at the profile.
    private ImmutableArray<string> WhyNotInstalled(Host host, Profile profile)
    {
        if (profile.Spec.Install is not { } options || !images.TryGetValue(profile.Spec.Image, out var image) || InstallTarget.Of(image, options.Diskless, out _) is null)
            return [];
        var address = host.Spec.Install?.Network?.Address ?? host.Spec.Address;
        var network = address is { } own ? networks.Values.FirstOrDefault(n => n.Spec.Subnet.Contains(own)) : null;
        InstallPlan.Resolve(host, profile, image, network, null, out var reasons);
        return reasons;
    }

    private void CheckProfile(ResourceDocument document, Profile profile)
    {
        if (profile.Spec.Cluster is { } cluster && !clusters.ContainsKey(cluster))
            Missing(document, "spec.cluster", "Cluster", cluster, clusters.Keys);
        if (!images.TryGetValue(profile.Spec.Image, out var image))
        {
            Missing(document, "spec.image", "Image", profile.Spec.Image, images.Keys);
            return;
        }
        CheckUsers(document, "spec.image", image.Spec.Architecture, hosts.Values.Where(h => h.Spec.Profile == profile.Name), image.Name);
        if (profile.Spec.Install is { } options && InstallTarget.Of(image, options.Diskless, out var reason) is null)
            Add(document, "spec.install", reason!, null, "an image of a distribution with an unattended installation, or no install");
        var wrong = hosts.Values.Where(h => h.Spec.Profile == profile.Name && !applied.Contains(("Host", h.Name)))
            .SelectMany(h => WhyNotInstalled(h, profile).Select(why => $"Host {h.Name}: {why}")).Order(StringComparer.Ordinal).ToList();
        if (wrong.Count > 0)
            Add(document, "spec.install", $"hosts of this profile could not be installed: {string.Join("; ", wrong.Take(5))}{(wrong.Count > 5 ? $"; and {wrong.Count - 5} more" : "")}", null, "an installation that its hosts can have");
    }

    private void CheckImage(ResourceDocument document, Image image)
    {
        var users = profiles.Values.Where(p => p.Spec.Image == image.Name && !applied.Contains(("Profile", p.Name))).Select(p => p.Name).ToHashSet(StringComparer.Ordinal);
        CheckUsers(document, "spec.architecture", image.Spec.Architecture, hosts.Values.Where(h => h.Spec.Profile is { } p && users.Contains(p)), image.Name);
    }

    // Hosts of this text are told at their own document.
    private void CheckUsers(ResourceDocument document, string path, CpuArchitecture architecture, IEnumerable<Host> users, string image)
    {
        var wrong = users.Where(h => h.Spec.Architecture != architecture && !applied.Contains(("Host", h.Name))).Select(h => $"Host {h.Name}").Order(StringComparer.Ordinal).ToList();
        if (wrong.Count > 0)
            Add(document, path, $"Image {image} is for {Values.NameOf(architecture)}, but {ResourceChanges.Enumerate(wrong)} would be built with it", null, "an image for those hosts' architecture");
    }

    private void CheckNetwork(ResourceDocument document, Network network)
    {
        foreach (var other in networks.Values.Where(n => n.Name != network.Name))
        {
            var (a, b) = (network.Spec.Subnet, other.Spec.Subnet);
            if (a.Contains(b.Network) || b.Contains(a.Network))
                Add(document, "spec.subnet", $"{a} overlaps {b} of Network {other.Name}{Where(other)}", a.ToString(), "subnets that have no address in common");
            if (network.Spec.Interface is { } name && name == other.Spec.Interface)
                Add(document, "spec.interface", $"{name} is the interface of Network {other.Name} already{Where(other)}", name, "one Network an interface");
        }
        foreach (var host in hosts.Values)
        {
            if (host.Spec.Address is { } address && !applied.Contains(("Host", host.Name)) && WhyNotStatic(network.Spec, address) is { } wrong)
                Add(document, "spec.subnet", $"the address {address} of Host {host.Name} {wrong}", address.ToString(), $"a Network that leaves {address} to that host");
        }
    }

    private static string? WhyNotStatic(NetworkSpec network, Ipv4Address address) =>
        network.Range?.Contains(address) == true ? $"lies in the range {network.Range}"
        : address == network.Gateway ? "is the gateway"
        : address == network.Advertise ? "is the appliance's own address"
        : network.Subnet.Contains(address) && !network.Subnet.IsHostAddress(address) ? $"is the network's or broadcast address of the subnet {network.Subnet}"
        : null;

    private static Host? Other(List<Host> owners, Host host) => owners.Find(o => o.Name != host.Name);

    private string Where(IResource other) =>
        applied.Contains((other.Kind, other.Metadata.Name)) && documents.Find(d => ReferenceEquals(d.Resource, other)) is { } at ? $" (document {at.Index} of this text)" : "";

    private void Missing(ResourceDocument document, string path, string kind, string name, IEnumerable<string> known)
    {
        var all = known.Order(StringComparer.Ordinal).ToList();
        var nearest = Spelling.Nearest(name, all);
        Add(document, path, $"there is no {kind} '{name}'" + (nearest is null ? "" : $"; did you mean '{nearest}'?"), name,
            all.Count == 0 ? $"a {kind} that exists: there is none yet" : $"a {kind} that exists, such as {ResourceChanges.Enumerate(all)}");
    }

    private void Add(ResourceDocument document, string path, string message, string? value, string? expected) =>
        mistakes.Add(document.MistakeAt(path, message, value, expected));
}
