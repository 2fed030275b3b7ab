using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Provisioner.Artifacts;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Storage;
using static Provisioner.Tests.Artifacts.ArtifactSite;

namespace Provisioner.Tests.Artifacts;

/// <summary>A rack that starts at once. The cache runs in a process of its own, whose memory is its alone.</summary>
public sealed class ArtifactLoadTests
{
    private const int Clients = 200;

    // Four minutes' worth of loopback are too many for each run: PROVISIONER_ARTIFACT_MB=200 asks for them.
    private static int Megabytes => int.TryParse(Environment.GetEnvironmentVariable("PROVISIONER_ARTIFACT_MB"), out var megabytes) ? megabytes : 24;

    [Fact]
    public async Task Two_hundred_clients_of_one_cold_file_are_one_request_and_little_memory()
    {
        using var directory = new TemporaryDirectory();
        await using var upstream = await UpstreamDouble.StartAsync();
        var content = RandomNumberGenerator.GetBytes(Megabytes << 20);
        var all = new TaskCompletionSource();
        upstream.Add("kubelet", content).Before = all.Task;
        using var cache = ChildProcess.Start("serve-artifacts", directory.Path, upstream.Url.AbsoluteUri);
        var line = await cache.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
        Assert.True(int.TryParse(line, out var port), line ?? await cache.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        try
        {
            await AllAreServedAsync(cache.Id, port, content, all);
        }
        finally
        {
            cache.Kill();
        }
        Assert.Single(upstream.Requests);
    }

    private static async Task AllAreServedAsync(int cache, int port, byte[] content, TaskCompletionSource all)
    {
        var sockets = new List<Socket>();
        for (var i = 0; i < Clients; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, port);
            await socket.SendAsync(Encoding.ASCII.GetBytes("GET /artifacts/up/kubelet HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
            sockets.Add(socket);
        }
        var before = Resident(cache);
        var peak = before;
        using var sampling = new CancellationTokenSource();
        var sampler = Task.Run(async () =>
        {
            while (!sampling.IsCancellationRequested)
            {
                peak = Math.Max(peak, Resident(cache));
                await Task.Delay(50);
            }
        });
        var took = Stopwatch.StartNew();
        all.SetResult();

        var same = await Task.WhenAll(sockets.Select(socket => Task.Run(() => IsSameAsync(socket, content))));
        took.Stop();
        await sampling.CancelAsync();
        await sampler;

        TestContext.Current.TestOutputHelper?.WriteLine($"{Clients} × {Megabytes} MB in {took.Elapsed.TotalSeconds:0.0} s, resident {before >> 20} MB before, {peak >> 20} MB at most, {Resident(cache) >> 20} MB after");
        Assert.All(same, Assert.True);
        Assert.True(peak - before < 100 << 20, $"it grew by {(peak - before) >> 20} MB");
    }

    /// <summary>The child: the cache, until it is killed.</summary>
    internal static async Task ServeAsync(string directory, string url)
    {
        await using var site = await StartAsync(new ArtifactOptions { BuiltIn = false, Upstreams = [new Upstream("up", new Uri(url))] }, directory);
        Console.Out.WriteLine(site.Port);
        Console.Out.Flush();
        await Task.Delay(Timeout.Infinite);
    }

    private static async Task<bool> IsSameAsync(Socket socket, byte[] content)
    {
        using var owned = socket;
        var buffer = new byte[32 * 1024];
        var filled = 0;
        int end;
        while ((end = buffer.AsSpan(0, filled).IndexOf("\r\n\r\n"u8)) < 0)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(filled));
            if (read == 0)
                return false;
            filled += read;
        }
        var position = 0;
        for (var chunk = buffer.AsMemory(end + 4, filled - end - 4); ;)
        {
            if (position + chunk.Length > content.Length || !chunk.Span.SequenceEqual(content.AsSpan(position, chunk.Length)))
                return false;
            position += chunk.Length;
            var read = await socket.ReceiveAsync(buffer);
            if (read == 0)
                return position == content.Length;
            chunk = buffer.AsMemory(0, read);
        }
    }

    // VmRSS without what the kernel maps of files: the cache's content is the disk's, not ours.
    private static long Resident(int process) => long.Parse(
        File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith("RssAnon:", StringComparison.Ordinal)).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1],
        System.Globalization.CultureInfo.InvariantCulture) * 1024;
}
