using System.Net;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using Provisioner.Artifacts;
using Provisioner.Boot.Http;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Storage;

namespace Provisioner.Tests.Artifacts;

/// <summary>The cache behind the boot plane's own server, on loopback, with its files in a directory that may outlive it.</summary>
internal sealed class ArtifactSite : IAsyncDisposable
{
    private readonly BootJournal journal = new();
    private readonly UpstreamClient client;
    private readonly BootHttpService service;

    private ArtifactSite(ArtifactOptions options, string directory, TimeProvider time, ArtifactLimits limits)
    {
        Store = new ArtifactStore(directory, time);
        Dropped = Store.Load();
        client = new UpstreamClient(options);
        Cache = new ArtifactCache(options, Store, client, limits, journal, time);
        Catalogue = new ArtifactCatalogue(Cache);
        var handler = new ArtifactHandler(Cache, Catalogue, new CurrentState(), new AddressBook(), journal, time);
        service = new BootHttpService(null!, new BootHttpOptions { Address = IPAddress.Loopback, Port = 0 }, NullLoggerFactory.Instance, handler);
    }

    public ArtifactStore Store { get; }

    public ArtifactCache Cache { get; }

    public ArtifactCatalogue Catalogue { get; }

    /// <summary>Entries that the start found damaged.</summary>
    public int Dropped { get; }

    public int Port => service.Port;

    public HttpClient Http { get; private set; } = null!;

    public static ArtifactLimits QuickLimits { get; } = new() { FirstDelay = TimeSpan.FromMilliseconds(20), LongestDelay = TimeSpan.FromMilliseconds(100), Rest = TimeSpan.Zero };

    public static async Task<ArtifactSite> StartAsync(ArtifactOptions options, string directory, TimeProvider? time = null, ArtifactLimits? limits = null)
    {
        var site = new ArtifactSite(options, directory, time ?? TimeProvider.System, limits ?? QuickLimits);
        await site.service.StartAsync(default);
        site.Http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, MaxConnectionsPerServer = 1000 })
        {
            BaseAddress = new Uri($"http://127.0.0.1:{site.Port}/artifacts/"),
        };
        return site;
    }

    /// <summary>One upstream of that kind, called <c>up</c>.</summary>
    public static ArtifactOptions Options(UpstreamDouble upstream, UpstreamKind kind = UpstreamKind.Files) => new()
    {
        BuiltIn = false,
        Upstreams = [new Upstream("up", upstream.Url) { Kind = kind }],
    };

    public static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    /// <summary>The events so far.</summary>
    public List<Event> Events()
    {
        while (journal.Reader.TryRead(out var entry))
            events.Add((Event)entry);
        return events;
    }

    public async Task<(HttpStatusCode Status, string Text)> AskAsync(string path)
    {
        using var response = await Http.GetAsync(path);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        Cache.Stop();
        await service.StopAsync(new CancellationToken(canceled: true));
        await service.DisposeAsync();
        Cache.Dispose();
        client.Dispose();
    }

    private readonly List<Event> events = [];
}
