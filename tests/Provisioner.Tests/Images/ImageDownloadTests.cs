using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Provisioner.Cli;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Storage;

namespace Provisioner.Tests.Images;

/// <summary><c>provisioner image pull</c> from a web server that does what web servers do.</summary>
public sealed class ImageDownloadTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_breaks_off_goes_on_where_it_was(bool ranges)
    {
        Discs.SkipWithoutTools();
        await using var appliance = await RunningAppliance.StartAsync();
        var iso = await File.ReadAllBytesAsync(Discs.Make(directory.Path, Discs.Ubuntu()));
        await using var server = new Server(iso) { CutAfter = [100_000, 50_000], Ranges = ranges };
        var outcome = await appliance.RunAsync("image", "pull", "noble", "--url", server.Url + "?key=secret", "--sha256", Discs.Sha256(iso));
        outcome.Succeeded();

        var image = appliance.Snapshot.Images["noble"];
        Assert.Equal(Discs.Sha256(iso), image.File("noble.iso")!.Sha256);
        Assert.Equal(server.Url, image.Spec.Source!.Url);
        Assert.Equal("the SHA-256 given with it", image.Status.Verified[0]);
        Assert.Equal(ranges ? [(null, null), ("bytes=100000-", "\"v1\""), ("bytes=150000-", "\"v1\"")] : [(null, null), ("bytes=100000-", "\"v1\"")], server.Asked.Take(ranges ? 3 : 2));
        Assert.Contains("broke off after 100 kB of ", outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_checksum_registers_nothing()
    {
        Discs.SkipWithoutTools();
        await using var appliance = await RunningAppliance.StartAsync();
        await using var server = new Server(await File.ReadAllBytesAsync(Discs.Make(directory.Path, Discs.Ubuntu())));
        // A mirror of an entry: its checksum is the catalogue's.
        var outcome = await appliance.RunAsync("image", "pull", "ubuntu-24.04-amd64", "--url", server.Url);
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("e907d92eeec9df64163a7e454cbc8d7755e8ddc7ed42f99dbc80c40f1a138433 was to be expected", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(appliance.Snapshot.Images);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(appliance.DataDirectory, "images", ".staging")));
    }

    [Fact]
    public async Task A_redirect_is_followed_with_a_checksum_alone_and_never_to_the_metadata_service()
    {
        await using var target = new Server([1, 2, 3]);
        await using var there = new Server([]) { Redirect = target.Url };
        using (var download = await OpenAsync(there.Url, new string('0', 64)))
            Assert.Equal(3, download.Bytes);
        await using var metadata = new Server([]) { Redirect = "http://169.254.169.254/latest/meta-data/" };
        Assert.Contains("169.254.169.254 is link-local", (await RefusedAsync(metadata.Url, new string('0', 64))), StringComparison.Ordinal);
        await using var file = new Server([]) { Redirect = "file:///etc/shadow" };
        Assert.Contains("only http and https", (await RefusedAsync(file.Url, new string('0', 64))), StringComparison.Ordinal);
        await using var circle = new Server([]);
        circle.Redirect = circle.Url;
        Assert.Contains("is redirected more than 5 times", (await RefusedAsync(circle.Url, new string('0', 64))), StringComparison.Ordinal);

        using var wire = new Redirecting();
        var refused = await Assert.ThrowsAsync<CommandFailedException>(() =>
            ImageDownload.OpenAsync("https://mirror.example.com/a.iso", null, _ => { }, TimeProvider.System, CancellationToken.None, wire));
        Assert.Contains("no redirect is followed without a checksum", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("file:///etc/shadow", "is fetched by 'file', and only http and https are")]
    [InlineData("ftp://mirror.example.com/a.iso", "is fetched by 'ftp', and only http and https are")]
    [InlineData("https://me:secret@mirror.example.com/a.iso", "holds a user's name or password")]
    [InlineData("mirror.example.com/a.iso", "is not a URL")]
    [InlineData("http://127.0.0.1:1/a.iso", "comes without encryption: give its checksum")]
    [InlineData("http://[fe80::1]/a.iso", "is link-local", true)]
    [InlineData("http://169.254.169.254/a.iso", "is link-local", true)]
    [InlineData("http://2852039166/a.iso", "is link-local", true)]
    [InlineData("http://[::ffff:169.254.169.254]/a.iso", "is link-local", true)]
    [InlineData("http://127.0.0.1:1/a.iso", "cannot be fetched", true)]
    public async Task Only_a_web_server_is_asked(string url, string reason, bool pinned = false) =>
        Assert.Contains(reason, await RefusedAsync(url, pinned ? new string('0', 64) : null), StringComparison.Ordinal);

    [Theory]
    [InlineData("169.254.169.254")]
    [InlineData("fe80::1")]
    [InlineData("fd00:ec2::254")]
    [InlineData("100.100.100.200")]
    [InlineData("168.63.129.16")]
    [InlineData("::ffff:169.254.1.1")]
    [InlineData("0.0.0.0")]
    [InlineData("224.0.0.1")]
    public void Nothing_is_fetched_from_where_clouds_keep_credentials(string address) => Assert.NotNull(ImageDownload.Refusal(IPAddress.Parse(address)));

    [Theory]
    [InlineData("10.0.0.1")]
    [InlineData("127.0.0.1")]
    [InlineData("185.125.190.40")]
    [InlineData("2620:2d:4000:1::17")]
    public void A_mirror_may_be_in_the_same_building(string address) => Assert.Null(ImageDownload.Refusal(IPAddress.Parse(address)));

    [Fact]
    public async Task What_is_not_to_be_had_says_what_to_do()
    {
        var brought = await CommandOutcome.OfAsync("", ["image", "pull", "rhel-9-amd64", "--socket", directory["s"]]);
        Assert.Contains("provisioner image import FILE.iso --name rhel-9-amd64 --sha256 HEX", brought.Error, StringComparison.Ordinal);
        var unknown = await CommandOutcome.OfAsync("", ["image", "pull", "amiga", "--socket", directory["s"]]);
        Assert.Contains("provisioner image list --catalogue", unknown.Error, StringComparison.Ordinal);
        await using var server = new Server([1]) { Status = "404 Not Found" };
        Assert.Contains("answered 404 Not Found", await RefusedAsync(server.Url, new string('0', 64)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_changed_meanwhile_is_not_sewn_together()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        Discs.SkipWithoutTools();
        var iso = await File.ReadAllBytesAsync(Discs.Make(directory.Path, Discs.Ubuntu()));
        await using var server = new Server(iso) { CutAfter = [100_000], Changes = true };
        var outcome = await appliance.RunAsync("image", "pull", "noble", "--url", server.Url, "--sha256", Discs.Sha256(iso));
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("it changed", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(appliance.Snapshot.Images);
    }

    [Theory]
    [InlineData("\"v1\"", false, true)]
    [InlineData("\"v2\"", false, true)]
    [InlineData("\"v1\"", true, false)]
    public async Task The_next_pull_goes_on_with_what_one_that_was_killed_left(string version, bool damaged, bool succeeds)
    {
        Discs.SkipWithoutTools();
        await using var appliance = await RunningAppliance.StartAsync();
        var iso = await File.ReadAllBytesAsync(Discs.Make(directory.Path, Discs.Ubuntu()));
        var held = new TaskCompletionSource();
        await using var server = new Server(iso) { CutAfter = [100_000], Held = held.Task };
        string[] command = ["image", "pull", "noble", "--url", server.Url + "?key=secret", "--sha256", Discs.Sha256(iso), "--socket", appliance.SocketPath];
        using (var child = ChildProcess.Start("pull-image", [directory["cache"], .. command]))
        {
            while (Directory.Exists(directory["cache"]) is false || !Directory.EnumerateFiles(directory["cache"], "*.part").Any(part => new FileInfo(part).Length == 100_000))
            {
                Assert.False(child.HasExited, child.HasExited ? await child.StandardError.ReadToEndAsync() : "");
                await Task.Delay(20, TestContext.Current.CancellationToken);
            }
            child.Kill();
            await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        held.SetResult();
        Assert.Empty(appliance.Snapshot.Images);
        var left = Directory.EnumerateFiles(directory["cache"], "*.part").Single();
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(directory["cache"]) & (UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute));
        Assert.DoesNotContain("secret", await File.ReadAllTextAsync(Path.ChangeExtension(left, ".json")), StringComparison.Ordinal);
        if (damaged)
        {
            await using var file = File.OpenWrite(left);
            file.Position = 50_000;
            file.WriteByte((byte)~iso[50_000]);
        }
        server.ETag = version;

        var outcome = await CommandOutcome.OfAsync("", command, cacheDirectory: directory["cache"]);

        Assert.Equal([(null, null), ("bytes=99999-", "\"v1\"")], server.Asked);
        Assert.Equal(version == "\"v1\"", outcome.Error.Contains("an earlier pull left 100 kB of ", StringComparison.Ordinal));
        // Right or wrong, it is done with.
        Assert.Empty(Directory.EnumerateFiles(directory["cache"]));
        if (!succeeds)
        {
            Assert.Equal(1, outcome.ExitCode);
            Assert.Empty(appliance.Snapshot.Images);
            outcome = await CommandOutcome.OfAsync("", command, cacheDirectory: directory["cache"]);
        }
        outcome.Succeeded();
        Assert.Equal(Discs.Sha256(iso), appliance.Snapshot.Images["noble"].File("noble.iso")!.Sha256);
    }

    /// <summary>The child: a pull that keeps what it has in that directory. Ends by being killed.</summary>
    internal static Task PullAsync(string directory, string[] command) =>
        CommandLine.RunAsync(command, new Screen { Output = Console.Out, Error = Console.Error, Input = Console.In, CacheDirectory = directory }, CancellationToken.None);

    private static Task<ImageDownload> OpenAsync(string url, string? sha256) =>
        ImageDownload.OpenAsync(url, sha256, _ => { }, TimeProvider.System, CancellationToken.None);

    private static async Task<string> RefusedAsync(string url, string? sha256) =>
        (await Assert.ThrowsAsync<CommandFailedException>(() => OpenAsync(url, sha256))).Message;

    private sealed class Redirecting : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.Found) { Headers = { Location = new Uri("https://evil.example.com/") } });
    }

    /// <summary>A web server of a few lines, because the real ones do not cut their connections when they are told to.</summary>
    private sealed class Server : IAsyncDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource stopping = new();
        private readonly byte[] content;
        private readonly Task running;

        public Server(byte[] content)
        {
            this.content = content;
            listener.Start();
            running = RunAsync();
        }

        public string Url => $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/disc.iso";

        /// <summary>How much of each answer is sent, one after the other; all of it afterwards.</summary>
        public int[] CutAfter { get; set; } = [];

        public bool Ranges { get; set; } = true;

        /// <summary>An answer that was cut waits here before its connection ends.</summary>
        public Task Held { get; set; } = Task.CompletedTask;

        public string ETag { get; set; } = "\"v1\"";

        /// <summary>Another size from the second answer on.</summary>
        public bool Changes { get; set; }

        public string Status { get; set; } = "200 OK";

        public string? Redirect { get; set; }

        public ConcurrentQueue<(string? Range, string? IfRange)> Asked { get; } = new();

        private async Task RunAsync()
        {
            try
            {
                for (var number = 0; ; number++)
                {
                    using var client = await listener.AcceptTcpClientAsync(stopping.Token);
                    await AnswerAsync(client.GetStream(), number);
                }
            }
            catch (OperationCanceledException)
            {
                // The end of the test.
            }
        }

        private async Task AnswerAsync(NetworkStream stream, int number)
        {
            using var reader = new StreamReader(stream, leaveOpen: true);
            var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            while (await reader.ReadLineAsync(stopping.Token) is { Length: > 0 } line)
            {
                if (line.Split(": ", 2) is [var key, var value])
                    headers[key] = value;
            }
            Asked.Enqueue((headers.GetValueOrDefault("Range"), headers.GetValueOrDefault("If-Range")));
            if (Redirect is not null)
            {
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 302 Found\r\nLocation: {Redirect}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), stopping.Token);
                return;
            }
            var from = Ranges && !Changes && headers.GetValueOrDefault("If-Range", ETag) == ETag && headers.TryGetValue("Range", out var range) ? int.Parse(range["bytes=".Length..^1]) : 0;
            var size = content.Length + (Changes && number > 0 ? 1 : 0);
            var status = from > 0 ? $"206 Partial Content\r\nContent-Range: bytes {from}-{size - 1}/{size}" : Status;
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nETag: {ETag}\r\nContent-Length: {size - from}\r\nConnection: close\r\n\r\n"), stopping.Token);
            var length = number < CutAfter.Length ? CutAfter[number] : content.Length - from;
            await stream.WriteAsync(content.AsMemory(from, Math.Min(length, content.Length - from)), stopping.Token);
            if (number < CutAfter.Length)
                await Held;
        }

        public async ValueTask DisposeAsync()
        {
            await stopping.CancelAsync();
            await running;
            listener.Stop();
            stopping.Dispose();
        }
    }
}
