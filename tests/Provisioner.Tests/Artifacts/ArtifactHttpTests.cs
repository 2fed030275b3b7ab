using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Artifacts;
using Provisioner.Events;
using Provisioner.Tests.Appliance;
using static Provisioner.Tests.Artifacts.ArtifactSite;

namespace Provisioner.Tests.Artifacts;

/// <summary>The cache between a real upstream and real clients, over sockets.</summary>
public sealed class ArtifactHttpTests : IAsyncLifetime
{
    private readonly TemporaryDirectory directory = new();
    private readonly byte[] content = RandomNumberGenerator.GetBytes(3_000_017);
    private UpstreamDouble upstream = null!;

    public async ValueTask InitializeAsync() => upstream = await UpstreamDouble.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await upstream.DisposeAsync();
        directory.Dispose();
    }

    [Fact]
    public async Task A_file_is_fetched_once_and_then_served_from_the_disk()
    {
        upstream.Add("a/file.bin", content);
        await using var site = await StartAsync(Options(upstream), directory.Path);

        Assert.Equal(content, await site.Http.GetByteArrayAsync("up/a/file.bin"));
        using var second = await site.Http.GetAsync("up/a/file.bin");

        Assert.Equal(content, await second.Content.ReadAsByteArrayAsync());
        Assert.Equal($"\"{Sha256(content)}\"", second.Headers.ETag!.Tag);
        Assert.Equal(1, upstream.RequestsFor("a/file.bin"));
        Assert.Contains(site.Events(), e => e.What.StartsWith("fetched up/a/file.bin", StringComparison.Ordinal) && e.Reason.Contains(Sha256(content), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Answers_HEAD_ranges_and_conditions()
    {
        upstream.Add("f", content);
        await using var site = await StartAsync(Options(upstream), directory.Path);

        using var cold = await site.Http.SendAsync(new HttpRequestMessage(HttpMethod.Head, "up/f"));
        Assert.Equal(content.Length, cold.Content.Headers.ContentLength);

        using var part = await site.Http.SendAsync(With("up/f", "Range", "bytes=100-199"));
        Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
        Assert.Equal(content[100..200], await part.Content.ReadAsByteArrayAsync());

        using var past = await site.Http.SendAsync(With("up/f", "Range", $"bytes={content.Length}-"));
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, past.StatusCode);

        using var same = await site.Http.SendAsync(With("up/f", "If-None-Match", part.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);

        var other = With("up/f", "Range", "bytes=5-");
        other.Headers.TryAddWithoutValidation("If-Range", "\"other\"");
        using var whole = await site.Http.SendAsync(other);
        Assert.Equal(HttpStatusCode.OK, whole.StatusCode);
        Assert.Equal(content, await whole.Content.ReadAsByteArrayAsync());
        Assert.Equal(1, upstream.RequestsFor("f"));
    }

    [Fact]
    public async Task Clients_get_the_file_while_it_arrives_but_not_its_end()
    {
        var half = new TaskCompletionSource();
        upstream.Add("f", content).HalfWay = half.Task;
        await using var site = await StartAsync(Options(upstream), directory.Path);

        using var response = await site.Http.GetAsync("up/f", HttpCompletionOption.ResponseHeadersRead);
        await using var body = await response.Content.ReadAsStreamAsync();
        var first = new byte[1_000_000];
        await body.ReadExactlyAsync(first);
        Assert.Equal(content[..1_000_000], first);
        // Nothing with which a later range could be joined to what came unchecked.
        Assert.Null(response.Headers.ETag);
        Assert.Null(response.Content.Headers.LastModified);
        half.SetResult();
        var rest = new byte[content.Length - first.Length];
        await body.ReadExactlyAsync(rest);

        Assert.Equal(content[1_000_000..], rest);
    }

    [Theory]
    [InlineData(3_000_017)]
    [InlineData(1000)]
    public async Task With_a_wrong_checksum_no_client_gets_a_whole_file(int length)
    {
        var right = content[..length];
        var wrong = (byte[])right.Clone();
        wrong[length / 2] ^= 1;
        var name = $"dists/noble/main/binary-amd64/by-hash/SHA256/{Sha256(right)}";
        upstream.Add(name, wrong);
        await using var site = await StartAsync(Options(upstream, UpstreamKind.Apt), directory.Path);

        var clients = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => RawAsync(site.Port, $"/artifacts/up/{name}")));

        Assert.All(clients, c => Assert.True(c.Broke || c.Status == 502, $"status {c.Status}, {c.Body.Length} bytes"));
        Assert.All(clients, c => Assert.True(c.Body.Length < length));
        Assert.Empty(site.Store.All());
        Assert.Empty(Directory.EnumerateFiles(directory["content"]));
        Assert.Empty(Directory.EnumerateFiles(directory["partial"]));
        Assert.Contains(site.Events(), e => e.Outcome == EventOutcome.Failed && e.Reason.Contains(Sha256(right), StringComparison.Ordinal));

        upstream.Add(name, right);
        Assert.Equal(right, await site.Http.GetByteArrayAsync($"up/{name}"));
    }

    [Fact]
    public async Task A_broken_download_goes_on_where_it_broke_and_nobody_notices()
    {
        var file = upstream.Add("f", content, "\"v1\"");
        foreach (var until in new[] { 700_000, 1_400_000, 2_999_000 })
            file.BreaksAfter.Enqueue(until);
        await using var site = await StartAsync(Options(upstream), directory.Path);

        var clients = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => site.Http.GetByteArrayAsync("up/f")));

        Assert.All(clients, c => Assert.Equal(content, c));
        var requests = upstream.Requests.ToArray();
        Assert.Equal(4, requests.Length);
        Assert.Null(requests[0].Range);
        Assert.All(requests[1..], r => Assert.StartsWith("bytes=", r.Range, StringComparison.Ordinal));
        Assert.All(requests[1..], r => Assert.Equal("\"v1\"", r.IfRange));
        Assert.Contains(site.Events(), e => e.What.EndsWith("resumed 3 times", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_upstream_without_ranges_is_read_again_from_the_beginning()
    {
        var file = upstream.Add("f", content, "\"v1\"");
        file.KnowsRanges = false;
        file.BreaksAfter.Enqueue(2_000_000);
        await using var site = await StartAsync(Options(upstream), directory.Path);

        Assert.Equal(content, await site.Http.GetByteArrayAsync("up/f"));
        Assert.Equal(2, upstream.Requests.Count);
    }

    [Fact]
    public async Task When_the_file_changes_meanwhile_nobody_gets_a_mixture()
    {
        var file = upstream.Add("f", content, "\"v1\"");
        var changed = RandomNumberGenerator.GetBytes(content.Length);
        file.BreaksAfter.Enqueue(2_000_000);
        file.Broken = () => (file.Content, file.ETag, file.Broken) = (changed, "\"v2\"", null);
        await using var site = await StartAsync(Options(upstream), directory.Path);

        var clients = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => RawAsync(site.Port, "/artifacts/up/f")));

        Assert.All(clients, c => Assert.True(c.Broke && c.Body.Length < content.Length || c.Body.AsSpan().SequenceEqual(changed), $"{c.Body.Length} bytes"));
        Assert.Equal(changed, await site.Http.GetByteArrayAsync("up/f"));
        Assert.Contains("\"v1\"", upstream.Requests.Select(r => r.IfRange));
    }

    [Fact]
    public async Task A_file_without_length_is_served_when_it_is_whole()
    {
        upstream.Add("f", content).Chunked = true;
        await using var site = await StartAsync(Options(upstream), directory.Path);

        using var response = await site.Http.GetAsync("up/f");

        Assert.Equal(content.Length, response.Content.Headers.ContentLength);
        Assert.Equal(content, await response.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("/artifacts/up/../secret", "dot segment")]
    [InlineData("/artifacts/up/a/%2e%2e/secret", "dot segment")]
    [InlineData("/artifacts/up/a%2fsecret", "0x2f")]
    [InlineData("/artifacts/up/a%5c..%5csecret", "0x5c")]
    [InlineData("/artifacts/up/a%252fsecret", "0x25")]
    [InlineData("/artifacts/up//secret", "empty part")]
    [InlineData("/artifacts/up/secret?x=http://evil/", "query")]
    [InlineData("/artifacts/http://evil/x", "empty part")]
    [InlineData("/artifacts/evil/x", "no upstream 'evil'")]
    [InlineData("/artifacts/up", "no FILE")]
    [InlineData("/artifacts/files/other", "no file named")]
    public async Task What_is_not_on_the_list_is_404_with_a_reason_and_asks_nobody(string target, string reason)
    {
        await using var site = await StartAsync(Options(upstream), directory.Path);

        var answer = await RawAsync(site.Port, target);

        Assert.Equal(404, answer.Status);
        Assert.Contains(reason, Encoding.UTF8.GetString(answer.Body), StringComparison.Ordinal);
        Assert.Contains(site.Events(), e => e.Outcome == EventOutcome.Refused && e.Reason.Contains(reason, StringComparison.Ordinal));
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task Only_GET_and_HEAD_are_allowed()
    {
        await using var site = await StartAsync(Options(upstream), directory.Path);

        using var response = await site.Http.PutAsync("up/f", new ByteArrayContent([]));

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task What_the_upstream_does_not_have_is_404()
    {
        await using var site = await StartAsync(Options(upstream), directory.Path);

        Assert.Equal(HttpStatusCode.NotFound, (await site.AskAsync("up/nothing")).Status);
    }

    [Fact]
    public async Task A_redirect_elsewhere_is_followed_for_a_pinned_file_alone()
    {
        await using var elsewhere = await UpstreamDouble.StartAsync();
        elsewhere.Add("f", content);
        upstream.Add("f", []).RedirectsTo = new Uri(elsewhere.Url, "f").AbsoluteUri;
        var options = Options(upstream) with
        {
            Files = [new PinnedFile("good", new Uri(upstream.Url, "f"), Sha256(content)), new PinnedFile("bad", new Uri(upstream.Url, "f"), new string('a', 64))],
        };
        await using var site = await StartAsync(options, directory.Path);

        var (status, text) = await site.AskAsync("up/f");
        Assert.Equal(HttpStatusCode.BadGateway, status);
        Assert.Contains("redirects to", text, StringComparison.Ordinal);
        Assert.Empty(elsewhere.Requests);

        Assert.Equal(content, await site.Http.GetByteArrayAsync("files/good"));
        var wrong = await RawAsync(site.Port, "/artifacts/files/bad");
        Assert.True(wrong.Broke && wrong.Body.Length < content.Length);
    }

    [Fact]
    public async Task A_redirect_on_the_same_server_is_followed()
    {
        upstream.Add("latest", []).RedirectsTo = "/v1";
        upstream.Add("v1", content);
        await using var site = await StartAsync(Options(upstream), directory.Path);

        Assert.Equal(content, await site.Http.GetByteArrayAsync("up/latest"));
    }

    [Theory]
    [InlineData("localhost.example.invalid")]
    [InlineData("ip6-localhost")]
    public async Task A_name_that_leads_to_no_public_address_is_not_connected_to(string name)
    {
        var options = new ArtifactOptions { BuiltIn = false, Upstreams = [new Upstream("up", new Uri($"http://{name}:{upstream.Url.Port}/")) { PrivateAddresses = true }] };
        await using var site = await StartAsync(options, directory.Path, limits: QuickLimits with { Attempts = 1 });

        Assert.Equal(HttpStatusCode.BadGateway, (await site.AskAsync("up/f")).Status);
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task What_may_change_is_asked_for_again_after_a_time_and_served_stale_when_nobody_answers()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
        var file = upstream.Add("dists/noble/InRelease", "one"u8.ToArray(), "\"1\"");
        await using var site = await StartAsync(Options(upstream, UpstreamKind.Apt), directory.Path, time, QuickLimits with { Rest = TimeSpan.FromSeconds(10) });

        Assert.Equal("one", await site.Http.GetStringAsync("up/dists/noble/InRelease"));
        Assert.Equal("one", await site.Http.GetStringAsync("up/dists/noble/InRelease"));
        Assert.Single(upstream.Requests);

        time.Advance(TimeSpan.FromMinutes(11));
        Assert.Equal("one", await site.Http.GetStringAsync("up/dists/noble/InRelease"));
        Assert.Equal("\"1\"", upstream.Requests.Last().IfNoneMatch);
        Assert.Equal(2, upstream.Requests.Count);

        time.Advance(TimeSpan.FromMinutes(11));
        upstream.IsAway = true;
        Assert.Equal("one", await site.Http.GetStringAsync("up/dists/noble/InRelease"));
        Assert.Contains(site.Events(), e => e.Outcome == EventOutcome.Failed && e.What.Contains("the copy of 2026-03-01 12:00 is served", StringComparison.Ordinal));
        Assert.Equal("one", await site.Http.GetStringAsync("up/dists/noble/InRelease"));
        Assert.Equal(3, upstream.Requests.Count);

        time.Advance(TimeSpan.FromSeconds(11));
        (upstream.IsAway, file.Content, file.ETag) = (false, "two"u8.ToArray(), "\"2\"");
        Assert.Equal("two", await site.Http.GetStringAsync("up/dists/noble/InRelease"));
        Assert.Single(Directory.EnumerateFiles(directory["content"]));
    }

    [Fact]
    public async Task What_never_changes_is_never_asked_for_again()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
        upstream.Add("pool/main/c/curl_8.5.0-2ubuntu10~1_amd64.deb", content);
        await using var site = await StartAsync(Options(upstream, UpstreamKind.Apt), directory.Path, time);

        await site.Http.GetByteArrayAsync("up/pool/main/c/curl_8.5.0-2ubuntu10~1_amd64.deb");
        time.Advance(TimeSpan.FromDays(60));
        await site.Http.GetByteArrayAsync("up/pool/main/c/curl_8.5.0-2ubuntu10%7e1_amd64.deb");

        Assert.Single(upstream.Requests);
    }

    [Fact]
    public async Task Offline_serves_what_is_there_and_asks_nobody()
    {
        upstream.Add("dists/noble/InRelease", "one"u8.ToArray());
        await using (var online = await StartAsync(Options(upstream, UpstreamKind.Apt), directory.Path))
            await online.Http.GetStringAsync("up/dists/noble/InRelease");
        await using var site = await StartAsync(Options(upstream, UpstreamKind.Apt) with { Offline = true }, directory.Path);

        Assert.Equal("one", await site.Http.GetStringAsync("up/dists/noble/InRelease"));
        Assert.Equal(HttpStatusCode.GatewayTimeout, (await site.AskAsync("up/dists/noble/Release")).Status);
        Assert.Single(upstream.Requests);
    }

    [Fact]
    public async Task The_least_recently_used_is_evicted_and_what_is_pinned_is_not()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
        foreach (var name in new[] { "pinned", "a.deb", "b.deb", "c.deb" })
            upstream.Add(name, RandomNumberGenerator.GetBytes(1_000_000));
        var options = Options(upstream, UpstreamKind.Apt) with
        {
            MaximumSize = 4_200_000,
            MaximumAge = TimeSpan.FromDays(30),
            Files = [new PinnedFile("kept", new Uri(upstream.Url, "pinned"), Sha256(upstream.Files["pinned"].Content))],
        };
        await using var site = await StartAsync(options, directory.Path, time);
        foreach (var path in new[] { "files/kept", "up/a.deb", "up/b.deb", "up/a.deb", "up/c.deb" })
        {
            await site.Http.GetByteArrayAsync(path);
            time.Advance(TimeSpan.FromMinutes(1));
        }
        Assert.Equal(["files/kept", "up/a.deb", "up/b.deb", "up/c.deb"], Paths(site));

        upstream.Add("d.deb", RandomNumberGenerator.GetBytes(500_000));
        await site.Http.GetByteArrayAsync("up/d.deb");
        Assert.Equal(["files/kept", "up/a.deb", "up/c.deb", "up/d.deb"], await PathsAsync(site, 4));
        Assert.Equal(3_500_000, site.Store.Size);
        // It says so once it has removed them.
        await WaitAsync(() => site.Events().Any(e => e.What.StartsWith("evicted 1", StringComparison.Ordinal)));
        Assert.Contains(site.Events(), e => e.What.Contains("up/b.deb", StringComparison.Ordinal) && e.What.StartsWith("evicted 1", StringComparison.Ordinal));

        time.Advance(TimeSpan.FromDays(20));
        await site.Http.GetByteArrayAsync("up/c.deb");
        time.Advance(TimeSpan.FromDays(20));
        site.Cache.Sweep();
        Assert.Equal(["files/kept", "up/c.deb"], Paths(site));
        Assert.Equal(2, Directory.EnumerateFiles(directory["content"]).Count());
    }

    [Fact]
    public async Task What_could_never_fit_is_not_begun()
    {
        upstream.Add("f", content);
        await using var site = await StartAsync(Options(upstream) with { MaximumSize = 1_000_000 }, directory.Path);

        var (status, text) = await site.AskAsync("up/f");

        Assert.Equal(HttpStatusCode.BadGateway, status);
        Assert.Contains("more than the 1000000", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_learns_what_is_there_and_removes_what_is_not_right()
    {
        foreach (var name in new[] { "a", "b", "c" })
            upstream.Add(name, RandomNumberGenerator.GetBytes(100_000));
        await using (var before = await StartAsync(Options(upstream), directory.Path))
        {
            foreach (var name in new[] { "a", "b", "c" })
                await before.Http.GetByteArrayAsync($"up/{name}");
        }
        var cut = Path.Combine(directory["content"], Sha256(upstream.Files["b"].Content));
        await File.WriteAllBytesAsync(cut, new byte[17]);
        File.Delete(Path.Combine(directory["content"], Sha256(upstream.Files["c"].Content)));
        await File.WriteAllTextAsync(Path.Combine(directory["index"], "0000"), "{ nonsense");
        await File.WriteAllBytesAsync(Path.Combine(directory["partial"], "7"), content);
        await File.WriteAllBytesAsync(Path.Combine(directory["content"], new string('e', 64)), content);

        await using var site = await StartAsync(Options(upstream) with { Offline = true }, directory.Path);

        Assert.Equal(3, site.Dropped);
        Assert.Equal(["up/a"], Paths(site));
        Assert.Equal(upstream.Files["a"].Content, await site.Http.GetByteArrayAsync("up/a"));
        Assert.Single(Directory.EnumerateFiles(directory["content"]));
        Assert.Single(Directory.EnumerateFiles(directory["index"]));
        Assert.Empty(Directory.EnumerateFiles(directory["partial"]));
    }

    [Fact]
    public async Task Verify_finds_a_turned_bit_and_removes_the_file()
    {
        upstream.Add("a", content);
        upstream.Add("b", [1, 2, 3]);
        await using var site = await StartAsync(Options(upstream), directory.Path);
        await site.Http.GetByteArrayAsync("up/a");
        await site.Http.GetByteArrayAsync("up/b");
        var path = Path.Combine(directory["content"], Sha256(content));
        using (var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write))
            RandomAccess.Write(file, [(byte)(content[1000] ^ 1)], 1000);

        var wrong = new List<string>();
        await foreach (var (artifact, why) in site.Store.VerifyAsync(TestContext.Current.CancellationToken))
        {
            if (why is not null)
                wrong.Add(artifact.Path);
        }

        Assert.Equal(["up/a"], wrong);
        Assert.Equal(["up/b"], Paths(site));
        Assert.Equal(content, await site.Http.GetByteArrayAsync("up/a"));
    }

    [Fact]
    public async Task An_upstream_that_stays_away_is_told_after_a_few_attempts()
    {
        upstream.IsAway = true;
        await using var site = await StartAsync(Options(upstream), directory.Path);

        Assert.Equal(HttpStatusCode.BadGateway, (await site.AskAsync("up/f")).Status);
        Assert.Equal(QuickLimits.Attempts, upstream.Requests.Count);
    }

    private static string[] Paths(ArtifactSite site) => [.. site.Store.All().Select(a => a.Artifact.Path)];

    // A client has its last octet before the sweep that follows.
    private static async Task<string[]> PathsAsync(ArtifactSite site, int count)
    {
        await WaitAsync(() => site.Store.All().Count == count);
        return Paths(site);
    }

    private static async Task WaitAsync(Func<bool> until)
    {
        for (var i = 0; i < 100 && !until(); i++)
            await Task.Delay(20);
    }

    private static HttpRequestMessage With(string path, string header, string value)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation(header, value);
        return request;
    }

    /// <summary>Sends the target as it stands, and tells a connection that broke from one that ended.</summary>
    internal static async Task<(int Status, byte[] Body, bool Broke)> RawAsync(int port, string target)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET {target} HTTP/1.1\r\nHost: appliance:8080\r\nConnection: close\r\n\r\n"));
        var all = new MemoryStream();
        var broke = false;
        var buffer = new byte[65536];
        try
        {
            while (await socket.ReceiveAsync(buffer) is > 0 and var read)
                all.Write(buffer, 0, read);
        }
        catch (SocketException)
        {
            broke = true;
        }
        var bytes = all.ToArray();
        var end = bytes.AsSpan().IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return (0, [], true);
        var head = Encoding.ASCII.GetString(bytes, 0, end);
        var length = head.Split("\r\n").FirstOrDefault(l => l.StartsWith("Content-Length: ", StringComparison.Ordinal)) is { } line
            ? int.Parse(line[16..], System.Globalization.CultureInfo.InvariantCulture) : -1;
        var body = bytes[(end + 4)..];
        return (int.Parse(head[9..12], System.Globalization.CultureInfo.InvariantCulture), body, broke || body.Length != length);
    }
}
