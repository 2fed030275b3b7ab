using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Provisioner.Boot;
using Provisioner.Boot.Http;
using Provisioner.Events;
using Provisioner.Certificates;
using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Storage;
using Provisioner.Templates;
using static Provisioner.Tests.Boot.BootFixture;

namespace Provisioner.Tests.Boot.Http;

/// <summary>The boot plane over real sockets, asked the way firmware and installers ask.</summary>
public sealed class BootHttpTests : IAsyncLifetime
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("provisioner-http-");
    private readonly BootJournal journal = new();
    private readonly BootFixture site = new BootFixture().Installing("n1");
    private readonly byte[] kernel = RandomNumberGenerator.GetBytes(3_000_017);
    private BootHttpHandler handler = null!;
    private BootHttpService service = null!;
    private HttpClient http = null!;

    public async ValueTask InitializeAsync()
    {
        var image = site.Snapshot.Images["debian-x64"];
        var images = new ImageStore(directory.FullName, site.Time);
        site.WithImage("debian-x64", i => i with
        {
            Status = i.Status with { Files = [new ImageFile("linux", kernel.Length, "aa", CpuArchitecture.X64), new ImageFile(".treeinfo", 4, "bb", null), new ImageFile("initrd.gz", 1, "cc", null), new ImageFile("gone", 4, "cc", null)] },
        });
        Directory.CreateDirectory(images.DirectoryOf(image)!);
        await File.WriteAllBytesAsync(Path.Combine(images.DirectoryOf(image)!, "linux"), kernel);
        await File.WriteAllTextAsync(Path.Combine(images.DirectoryOf(image)!, ".treeinfo"), "tree");

        var state = new CurrentState();
        state.Publish(site.Snapshot);
        var addresses = new AddressBook();
        var catalogue = new BootCatalogue(state, addresses, new BootDecider(site.Loaders), site.Loaders, new BootScripts(new TemplateEngine()), images, new PublishedCertificates(state, new ServedRevocationLists()), site.Time);
        handler = new BootHttpHandler(catalogue, state, addresses, journal, site.Time);
        service = new BootHttpService(
            handler,
            new BootHttpOptions { Address = IPAddress.Loopback, Port = 0 },
            NullLoggerFactory.Instance);
        await service.StartAsync(TestContext.Current.CancellationToken);
        http = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri($"http://127.0.0.1:{service.Port}") };
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await service.StopAsync(CancellationToken.None);
        await service.DisposeAsync();
        directory.Delete(recursive: true);
    }

    [Theory]
    [InlineData("/images/debian-x64/linux")]
    [InlineData("//images/debian-x64/linux")]
    [InlineData("/images//debian-x64/linux")]
    public async Task Serves_a_kernel_without_extension_with_its_length(string path)
    {
        var response = await http.GetAsync(new Uri($"http://127.0.0.1:{service.Port}{path}"));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(kernel.Length, response.Content.Headers.ContentLength);
        Assert.Null(response.Headers.TransferEncodingChunked);
        Assert.Equal(kernel, await response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task Serves_a_dotted_name() => Assert.Equal("tree", await http.GetStringAsync("/images/debian-x64/.treeinfo"));

    [Theory]
    [InlineData("/images/debian-x64/linux")]
    [InlineData("/boot.ipxe")]
    public async Task Answers_HEAD_with_the_length_GET_would_have(string path)
    {
        var head = await http.SendAsync(new HttpRequestMessage(HttpMethod.Head, path));
        var get = await http.GetAsync(path);

        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal(get.Content.Headers.ContentLength, head.Content.Headers.ContentLength);
        Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("bytes=0-0", 0, 1)]
    [InlineData("bytes=100-199", 100, 100)]
    [InlineData("bytes=2999990-", 2_999_990, 27)]
    [InlineData("bytes=-10", 3_000_007, 10)]
    [InlineData("bytes=3000000-9999999", 3_000_000, 17)]
    public async Task Serves_one_range(string range, int offset, int count)
    {
        var response = await Range(range);

        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Equal($"bytes {offset}-{offset + count - 1}/{kernel.Length}", response.Content.Headers.ContentRange!.ToString());
        Assert.Equal(kernel[offset..(offset + count)], await response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task A_range_past_the_end_is_416_with_the_length()
    {
        var response = await Range("bytes=3000017-");

        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, response.StatusCode);
        Assert.Equal($"bytes */{kernel.Length}", response.Content.Headers.ContentRange!.ToString());
    }

    [Theory]
    [InlineData("bytes=0-1,5-6")]
    [InlineData("lines=1-2")]
    [InlineData("bytes=nonsense")]
    [InlineData("bytes=9-3")]
    public async Task Any_other_range_is_answered_whole(string range)
    {
        var response = await Range(range);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(kernel.Length, (await response.Content.ReadAsByteArrayAsync()).Length);
    }

    [Fact]
    public async Task Speaks_HTTP_1_0_without_a_Host_header()
    {
        var answer = await RawAsync("GET /images/debian-x64/.treeinfo HTTP/1.0\r\n\r\n");

        Assert.Contains("Content-Length: 4\r\n", answer);
        Assert.EndsWith("\r\n\r\ntree", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keeps_the_connection_for_the_next_request()
    {
        var answer = await RawAsync("GET /images/debian-x64/.treeinfo HTTP/1.1\r\nHost: x\r\n\r\nGET /images/debian-x64/.treeinfo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

        Assert.Equal(2, answer.Split("\r\n\r\ntree").Length - 1);
    }

    [Theory]
    [InlineData("/nothing")]
    [InlineData("/")]
    [InlineData("/images/debian-x64/%2e%2e/%2e%2e/etc/passwd")]
    [InlineData("/api/v1/hosts")]
    public async Task What_is_not_there_is_404_with_a_reason_and_an_event(string path)
    {
        var response = await http.GetAsync(path);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.NotEmpty(await response.Content.ReadAsStringAsync());
        Assert.Equal(EventOutcome.Refused, (await NextAsync<Event>()).Outcome);
    }

    [Fact]
    public async Task Only_GET_and_HEAD_are_allowed()
    {
        var response = await http.PutAsync("/boot.ipxe", new ByteArrayContent([]));

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal(["GET", "HEAD"], response.Content.Headers.Allow);
    }

    [Fact]
    public async Task A_slow_reader_is_not_cut_off()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(IPAddress.Loopback, service.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes("GET /images/debian-x64/linux HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        // Longer than Kestrel's grace of five seconds, in which it wants 240 bytes a second.
        await Task.Delay(TimeSpan.FromSeconds(7));
        var total = 0;
        var buffer = new byte[65536];
        while (await socket.ReceiveAsync(buffer) is > 0 and var read)
            total += read;

        Assert.InRange(total, kernel.Length, kernel.Length + 1000);
    }

    [Fact]
    public async Task An_unknown_machine_that_fetches_its_script_is_sighted_with_all_it_said()
    {
        await http.GetStringAsync("/boot/52-54-00-00-00-99/boot.ipxe?uuid=u-1&serial=S%201&product=R640&manufacturer=Dell&arch=x86_64&platform=efi");

        var sighting = await NextAsync<Sighting>();
        Assert.Equal(UnknownMac, sighting.MacAddress);
        Assert.Equal(("u-1", "S 1", "R640", "Dell", "UEFI x64"), (sighting.Uuid, sighting.Serial, sighting.Product, sighting.Manufacturer, sighting.Architecture));
    }

    [Fact]
    public async Task Each_answer_is_recorded_with_its_host_and_reason()
    {
        await http.GetStringAsync("/boot/52-54-00-00-00-01/boot.ipxe?serial=SECRETISH");
        await http.GetByteArrayAsync("/images/debian-x64/linux");

        Event[] events = [await NextAsync<Event>(), await NextAsync<Event>()];
        Assert.All(events, e => Assert.Equal("n1", e.Host));
        Assert.Contains("open Installation", events[0].Reason);
        Assert.DoesNotContain("SECRETISH", events[0].What);
        Assert.StartsWith("GET /images/debian-x64/linux → 200, 3000 kB", events[1].What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_gone_breaks_this_answer_and_nothing_else()
    {
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => http.GetByteArrayAsync("/images/debian-x64/gone"));

        Assert.Equal(EventOutcome.Failed, (await NextAsync<Event>()).Outcome);
        Assert.Equal("tree", await http.GetStringAsync("/images/debian-x64/.treeinfo"));
    }

    [Fact]
    public async Task A_port_in_use_is_said_in_one_line()
    {
        await using var second = new BootHttpService(handler, new BootHttpOptions { Address = IPAddress.Loopback, Port = service.Port }, NullLoggerFactory.Instance);

        var e = await Assert.ThrowsAsync<Provisioner.Networks.Sockets.ListenException>(() => second.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains($"127.0.0.1:{service.Port}", e.Message);
        Assert.Contains("http.port", e.Message);
        Assert.DoesNotContain('\n', e.Message);
    }

    private Task<HttpResponseMessage> Range(string range)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/images/debian-x64/linux");
        request.Headers.TryAddWithoutValidation("Range", range);
        return http.SendAsync(request);
    }

    private async Task<string> RawAsync(string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, service.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request));
        return await new StreamReader(client.GetStream(), Encoding.Latin1).ReadToEndAsync();
    }

    // An answer is recorded once its last byte is on its way, which may be after the client has it.
    private async Task<T> NextAsync<T>()
    {
        while (true)
        {
            if (await journal.Reader.ReadAsync(TestContext.Current.CancellationToken) is T entry)
                return entry;
        }
    }
}
