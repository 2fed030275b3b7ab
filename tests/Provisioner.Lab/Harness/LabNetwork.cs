namespace Provisioner.Lab.Harness;

/// <summary>
/// A LAN of the lab's own: a namespace with a bridge the appliance and the virtual servers are on, and further namespaces joined to it
/// for peers. Nothing leaves the machine, and nothing of it stays.
/// </summary>
internal sealed class LabNetwork : IAsyncDisposable
{
    /// <summary>The bridge in <see cref="Appliance"/>.</summary>
    public const string Bridge = "br0";

    /// <summary>The appliance's address on it.</summary>
    public const string Address = "10.77.0.1";

    /// <summary>The subnet on it.</summary>
    public const string Subnet = "10.77.0.0/24";

    private readonly List<NetworkNamespace> namespaces = [];
    private readonly string name;

    private LabNetwork(string name)
    {
        this.name = name;
        Directory = Path.Combine(Path.GetTempPath(), name);
    }

    /// <summary>Where the appliance runs, and the virtual servers.</summary>
    public NetworkNamespace Appliance { get; private set; } = null!;

    /// <summary>A directory of this network's own, for logs, disks and data. Removed with it.</summary>
    public string Directory { get; }

    /// <summary>Makes the namespace and its bridge.</summary>
    public static async Task<LabNetwork> CreateAsync()
    {
        await Leftovers.SweepAsync();
        var network = new LabNetwork(Leftovers.NewName());
        try
        {
            Leftovers.OwnDirectory(network.Directory);
            System.IO.Directory.CreateDirectory(network.Directory);
            network.Appliance = await network.AddNamespaceAsync("appliance");
            await network.Appliance.AddBridgeAsync(Bridge, Address + "/24");
            return network;
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    /// <summary>Adds a namespace that is joined to nothing yet.</summary>
    public async Task<NetworkNamespace> AddNamespaceAsync(string label)
    {
        var added = await NetworkNamespace.CreateAsync($"{name}-{label}");
        namespaces.Add(added);
        return added;
    }

    /// <summary>
    /// Adds a peer on the bridge: a namespace whose <c>eth0</c> is joined to it, with that MAC address and that address in CIDR notation
    /// when they are given.
    /// </summary>
    public async Task<NetworkNamespace> AddPeerAsync(string label, string? address = null, string? macAddress = null)
    {
        var peer = await AddNamespaceAsync(label);
        var port = $"v{namespaces.Count}";
        await NetworkNamespace.ConnectAsync(Appliance, port, peer, "eth0");
        await Appliance.IpAsync("link", "set", port, "master", Bridge);
        if (macAddress is not null)
            await peer.IpAsync("link", "set", "eth0", "address", macAddress);
        if (address is not null)
            await peer.IpAsync("address", "add", address, "dev", "eth0");
        return peer;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var each in namespaces)
            await each.DeleteAsync();
        if (System.IO.Directory.Exists(Directory))
            System.IO.Directory.Delete(Directory, recursive: true);
        Leftovers.DisownDirectory(Directory);
    }
}
