using System.Security.Cryptography;
using Provisioner.Artifacts;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Artifacts;

/// <summary><c>provisioner cache</c> against the whole service, and its boot plane as hosts see it.</summary>
public sealed class CacheCommandsTests : IAsyncLifetime
{
    private readonly byte[] content = RandomNumberGenerator.GetBytes(300_000);
    private UpstreamDouble upstream = null!;
    private RunningAppliance appliance = null!;

    public async ValueTask InitializeAsync()
    {
        upstream = await UpstreamDouble.StartAsync();
        upstream.Add("dists/noble/InRelease", content);
        upstream.Add("pinned", [1, 2, 3]);
        appliance = await RunningAppliance.StartAsync(artifacts: ArtifactSite.Options(upstream, UpstreamKind.Apt) with
        {
            Files = [new PinnedFile("fw.bin", new Uri(upstream.Url, "pinned"), ArtifactSite.Sha256([1, 2, 3]))],
        });
    }

    public async ValueTask DisposeAsync()
    {
        await appliance.DisposeAsync();
        await upstream.DisposeAsync();
    }

    [Fact]
    public async Task The_cache_is_filled_listed_served_checked_and_emptied()
    {
        var warmed = (await appliance.RunAsync("cache", "warm", "up/dists/noble/InRelease", "files/fw.bin")).Succeeded();
        Assert.Contains("up/dists/noble/InRelease is here: 300 kB, checked by its length alone\n", warmed, StringComparison.Ordinal);
        Assert.Contains("files/fw.bin is here: 3 B, checked by the configuration's SHA-256\n", warmed, StringComparison.Ordinal);

        var listed = (await appliance.RunAsync("cache", "list")).Succeeded();
        Assert.Contains("up/dists/noble/InRelease  300 kB", listed, StringComparison.Ordinal);

        using var http = new HttpClient();
        Assert.Equal(content, await http.GetByteArrayAsync($"http://127.0.0.1:{appliance.BootPort}/artifacts/up/dists/noble/InRelease"));
        Assert.StartsWith("#!ipxe", await http.GetStringAsync($"http://127.0.0.1:{appliance.BootPort}/boot.ipxe"), StringComparison.Ordinal);
        Assert.Equal(2, upstream.Requests.Count);

        Assert.Contains("2 artifacts are as they were fetched", (await appliance.RunAsync("cache", "verify")).Succeeded(), StringComparison.Ordinal);
        File.WriteAllBytes(Path.Combine(appliance.DataDirectory, "artifacts", "content", ArtifactSite.Sha256(content)), new byte[300_000]);
        var verified = await appliance.RunAsync("cache", "verify");
        Assert.Equal(1, verified.ExitCode);
        Assert.Contains("up/dists/noble/InRelease: it has SHA-256", verified.Output, StringComparison.Ordinal);

        Assert.Equal("1 artifacts evicted, 3 B\n", (await appliance.RunAsync("cache", "evict", "--all")).Succeeded());
        Assert.Contains("0 artifacts", (await appliance.RunAsync("cache", "list")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_fetched_is_told_path_by_path()
    {
        var outcome = await appliance.RunAsync("cache", "warm", "up/nothing", "evil/x", "up/dists/noble/InRelease");

        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("up/nothing failed:", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("evil/x failed: there is no upstream 'evil'", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("up/dists/noble/InRelease is here", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("2 of 3 could not be fetched", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Nothing is named", "cache", "warm")]
    [InlineData("dot segment", "cache", "warm", "up/../x")]
    [InlineData("no upstream 'nodeadm' of kind nodeadm", "cache", "warm", "--kubernetes", "1.34")]
    [InlineData("Nothing is named", "cache", "evict")]
    [InlineData("'up/x' is not in the cache", "cache", "evict", "up/x")]
    public async Task Says_what_is_wrong_with_the_request(string why, params string[] command)
    {
        var outcome = await appliance.RunAsync(command);

        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains(why, outcome.Error, StringComparison.Ordinal);
    }
}
