using Microsoft.Extensions.DependencyInjection;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Kubernetes;
using Provisioner.Storage;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Kubernetes;

/// <summary>An appliance that follows one cluster, called prod, with hosts web-1 to web-3 in it.</summary>
internal sealed class TrackedSite : IAsyncDisposable
{
    private readonly TemporaryDirectory directory = new();

    private TrackedSite(SettableAccess access) => Access = access;

    public SettableAccess Access { get; }

    public RunningAppliance Appliance { get; private set; } = null!;

    public NodeTracking Tracking => Appliance.Services.GetRequiredService<NodeTracking>();

    public static async Task<TrackedSite> StartAsync(KubeApi api, Uri? endpoint = null, TrackingOptions? options = null)
    {
        var site = new TrackedSite(new SettableAccess(() => api.Access(endpoint)));
        await site.StartApplianceAsync(options);
        var (status, body) = await site.Appliance.ApplyAsync("""
            apiVersion: provisioner/v1
            kind: Cluster
            metadata: { name: prod }
            spec: { region: eu-west-1, kubernetesVersion: "1.34" }
            ---
            apiVersion: provisioner/v1
            kind: Profile
            metadata: { name: worker }
            spec: { image: ubuntu, cluster: prod, install: {} }
            ---
            apiVersion: provisioner/v1
            kind: Image
            metadata: { name: ubuntu }
            spec: { architecture: x86_64, distribution: ubuntu, version: "24.04", kernel: casper/vmlinuz, initrd: [casper/initrd] }
            ---
            apiVersion: provisioner/v1
            kind: Host
            metadata: { name: web-1 }
            spec: { macAddresses: ["52:54:00:00:00:01"], architecture: x86_64, profile: worker }
            ---
            apiVersion: provisioner/v1
            kind: Host
            metadata: { name: web-2 }
            spec: { macAddresses: ["52:54:00:00:00:02"], architecture: x86_64, profile: worker, address: 10.0.0.12 }
            ---
            apiVersion: provisioner/v1
            kind: Host
            metadata: { name: web-3 }
            spec: { macAddresses: ["52:54:00:00:00:03"], architecture: x86_64, profile: worker }
            """);
        Assert.True(status == 200, body.ToJsonString());
        return site;
    }

    public async Task RestartAsync()
    {
        await Appliance.DisposeAsync();
        await StartApplianceAsync(null);
    }

    /// <summary>The image's files, as an import leaves them in the record.</summary>
    public Task ImportImageAsync() => Appliance.Writer.ChangeAsync(editor => editor.Put(editor.Snapshot.Images["ubuntu"] with
    {
        Status = new Provisioner.Images.ImageStatus
        {
            Files = [new("casper/vmlinuz", 1, new string('a', 64), Provisioner.Boot.CpuArchitecture.X64), new("casper/initrd", 2, new string('b', 64), null)],
            ImportedAt = DateTimeOffset.UnixEpoch,
        },
    }));

    public HostNode? Node(string host) => Appliance.Snapshot.NodeOf(host);

    public async Task<string> StateAsync(string host) => (await Appliance.GetAsync($"hosts/{host}"))["status"]!["state"]!.GetValue<string>();

    public IReadOnlyList<Event> Events(string host) => Appliance.EventLog.Find(new EventQuery { Host = host, Limit = 1_000 });

    /// <summary>Waits for it, for as long as a busy machine may take.</summary>
    public async Task UntilAsync(Func<bool> wanted, string what)
    {
        for (var i = 0; i < 3_600; i++)
        {
            if (wanted())
                return;
            await Task.Delay(50);
        }
        Assert.Fail($"never came: {what}. Nodes: {string.Join("; ", Appliance.Snapshot.Nodes.Values)}. Contact: {string.Join("; ", Tracking.Watches.Select(w => w.Contact))}");
    }

    public Task UntilAsync(string host, NodeState state) => UntilAsync(() => Node(host)?.State == state, $"{host} {state}");

    public Task UntilConnectedAsync() => UntilAsync(() => Appliance.Snapshot.Contacts.GetValueOrDefault("prod")?.Connected == true, "the cluster is followed");

    public async ValueTask DisposeAsync()
    {
        await Appliance.DisposeAsync();
        directory.Dispose();
    }

    private async Task StartApplianceAsync(TrackingOptions? options) => Appliance = await RunningAppliance.StartAsync(directory, more: services =>
    {
        services.AddSingleton<IClusterAccess>(Access);
        services.AddSingleton(options ?? new TrackingOptions { RequestsEvery = TimeSpan.FromMilliseconds(500), PodsEvery = TimeSpan.FromSeconds(1), LookEvery = TimeSpan.FromSeconds(1), UnreachableFor = TimeSpan.FromSeconds(3) });
    });
}

/// <summary>What AWS gives outside of tests.</summary>
internal sealed class SettableAccess(Func<ClusterAccess> give) : IClusterAccess
{
    private int given;

    public Func<ClusterAccess> Give { get; set; } = give;

    /// <summary>How often it was asked for.</summary>
    public int Given => Volatile.Read(ref given);

    public ValueTask<ClusterAccess> GetAsync(Cluster cluster, CancellationToken cancellation)
    {
        Interlocked.Increment(ref given);
        return ValueTask.FromResult(Give());
    }
}
