using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Provisioner.Tests.Appliance;
using static Provisioner.Tests.Artifacts.ArtifactSite;

namespace Provisioner.Tests.Artifacts;

/// <summary>A rack that starts at once. Measures the memory of the whole process, so nothing else may run meanwhile.</summary>
[CollectionDefinition(nameof(ArtifactLoadTests), DisableParallelization = true)]
[Collection(nameof(ArtifactLoadTests))]
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
        await using var site = await StartAsync(Options(upstream), directory.Path);
        var sockets = new List<Socket>();
        for (var i = 0; i < Clients; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, site.Port);
            await socket.SendAsync(Encoding.ASCII.GetBytes("GET /artifacts/up/kubelet HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
            sockets.Add(socket);
        }
        GC.Collect(2, GCCollectionMode.Forced, blocking: true);
        var before = Resident();
        var peak = before;
        using var sampling = new CancellationTokenSource();
        var sampler = Task.Run(async () =>
        {
            while (!sampling.IsCancellationRequested)
            {
                peak = Math.Max(peak, Resident());
                await Task.Delay(50);
            }
        });
        var took = Stopwatch.StartNew();
        all.SetResult();

        var same = await Task.WhenAll(sockets.Select(socket => Task.Run(() => IsSameAsync(socket, content))));
        took.Stop();
        await sampling.CancelAsync();
        await sampler;

        TestContext.Current.TestOutputHelper?.WriteLine($"{Clients} × {Megabytes} MB in {took.Elapsed.TotalSeconds:0.0} s, resident {before >> 20} MB before, {peak >> 20} MB at most, {Resident() >> 20} MB after");
        Assert.All(same, Assert.True);
        Assert.Single(upstream.Requests);
        Assert.True(peak - before < 100 << 20, $"it grew by {(peak - before) >> 20} MB");
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
    private static long Resident() => long.Parse(
        File.ReadLines("/proc/self/status").First(line => line.StartsWith("RssAnon:", StringComparison.Ordinal)).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1],
        System.Globalization.CultureInfo.InvariantCulture) * 1024;
}
