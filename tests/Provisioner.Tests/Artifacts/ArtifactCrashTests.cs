using System.Security.Cryptography;
using Provisioner.Artifacts;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Storage;
using static Provisioner.Tests.Artifacts.ArtifactSite;

namespace Provisioner.Tests.Artifacts;

/// <summary>A process that is killed while it fetches leaves whole files or nothing.</summary>
public sealed class ArtifactCrashTests
{
    private const int Files = 40;

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(17)]
    public async Task Kill_9_leaves_no_wrong_file(int after)
    {
        using var directory = new TemporaryDirectory();
        await using var upstream = await UpstreamDouble.StartAsync();
        for (var i = 0; i < Files; i++)
            upstream.Add($"{i}", RandomNumberGenerator.GetBytes(400_000 + i));
        var held = new TaskCompletionSource();
        upstream.Add("held", RandomNumberGenerator.GetBytes(4_000_000)).HalfWay = held.Task;
        using var child = ChildProcess.Start("fetch-artifacts", directory.Path, upstream.Url.AbsoluteUri);
        var fetched = 0;
        while (fetched <= after && await child.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            Assert.Equal($"{fetched++}", line);
        }
        Assert.True(fetched == after + 1, fetched == 0 ? await child.StandardError.ReadToEndAsync() : "");
        child.Kill();
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);

        await using var site = await StartAsync(Options(upstream) with { Offline = true }, directory.Path);

        Assert.Equal(0, site.Dropped);
        Assert.Empty(Directory.EnumerateFiles(directory["partial"]));
        // What a client has had is there after a crash.
        Assert.InRange(site.Store.All().Count, fetched, Files);
        await foreach (var (artifact, wrong) in site.Store.VerifyAsync(TestContext.Current.CancellationToken))
        {
            Assert.Null(wrong);
            Assert.Equal(upstream.Files[artifact.Path["up/".Length..]].Content, await site.Http.GetByteArrayAsync(artifact.Path));
        }
        Assert.Null(site.Store.Find("up/held"));
        held.SetResult();
    }

    /// <summary>The child: one file after another, and beside them one that never ends. Ends by being killed.</summary>
    internal static async Task FetchForeverAsync(string directory, string url)
    {
        await using var site = await StartAsync(new ArtifactOptions { BuiltIn = false, Upstreams = [new Upstream("up", new Uri(url))] }, directory);
        var held = site.Http.GetByteArrayAsync("up/held");
        for (var i = 0; i < Files; i++)
        {
            await site.Http.GetByteArrayAsync($"up/{i}");
            Console.Out.WriteLine(i);
            Console.Out.Flush();
        }
        await held;
    }
}
