using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using Provisioner.Resources;

namespace Provisioner.Cli;

/// <summary>
/// An ISO image on a web server, handed on to the service as it comes, so that it needs room once. The command fetches it, with the
/// rights and the way to the network of the person who asked: the service fetches nothing that it is given an address of, and what the
/// catalogue has the address and the checksum of alone (<see cref="Images.CataloguePulls"/>).
/// </summary>
internal sealed class ImageDownload : ImageUpload, IDisposable
{
    private const int MaxRedirects = 5;

    /// <summary>Times in a row without a single byte.</summary>
    private const int MaxTries = 8;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly HttpClient http;
    private readonly Uri url;
    private readonly string? sha256;
    private readonly Action<string> tell;
    private readonly TimeProvider time;
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private HttpResponseMessage? first;
    private RangeConditionHeaderValue? version;
    private PartialDownload? partial;

    /// <summary>How much an earlier pull left that is of the same file.</summary>
    private long kept;

    private bool brokeOff;
    private bool isRead;
    private bool isRight;

    private ImageDownload(Uri url, string? sha256, Action<string> tell, TimeProvider time, HttpMessageHandler? wire)
    {
        http = new HttpClient(wire ?? new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(20),
            ConnectCallback = ConnectAsync,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        this.url = url;
        this.sha256 = sha256;
        this.tell = tell;
        this.time = time;
    }

    /// <summary>Asks for it, and learns how large it is.</summary>
    /// <param name="address">By http or https.</param>
    /// <param name="sha256">What is known of it. Without it, nobody but the server of that address vouches for the bytes: https alone, no redirect.</param>
    /// <param name="tell">Hears a sentence when something is tried again.</param>
    /// <param name="time">Measures the pauses.</param>
    /// <param name="cancellation">Whoever asked went away.</param>
    /// <param name="wire">Instead of the network.</param>
    /// <param name="directory">Where what was received is kept until the image is there, so that a pull that was killed is gone on with; null to keep nothing.</param>
    /// <exception cref="CommandFailedException">It is not to be had, or not in a way that is safe.</exception>
    public static async Task<ImageDownload> OpenAsync(
        string address, string? sha256, Action<string> tell, TimeProvider time, CancellationToken cancellation, HttpMessageHandler? wire = null, string? directory = null)
    {
        if (Texts.WebAddress(address) is { } wrong)
            throw new CommandFailedException($"'{Texts.OneLine(address, 200)}' {wrong}.");
        var wanted = new Uri(address);
        if (sha256 is null && wanted.Scheme != Uri.UriSchemeHttps)
            throw new CommandFailedException($"{address} comes without encryption: give its checksum, --sha256 HEX, or an address by https.");
        var download = new ImageDownload(wanted, sha256, tell, time, wire);
        try
        {
            download.partial = directory is null ? null : PartialDownload.TryOpen(directory, wanted, sha256);
            if (await download.GoesOnAsync(cancellation))
                return download;
            var response = download.first ??= await download.RequestAsync(0, cancellation);
            if (response.StatusCode != HttpStatusCode.OK)
                throw new CommandFailedException($"{address} answered {(int)response.StatusCode} {response.ReasonPhrase}.");
            download.Bytes = response.Content.Headers.ContentLength
                ?? throw new CommandFailedException($"{address} does not say how large it is. Download it, and import the file.");
            // RFC 9110 §13.1.5: only a strong validator says that the rest belongs to the beginning.
            download.version = response.Headers.ETag is { IsWeak: false } tag ? new(tag)
                : response.Content.Headers.LastModified is { } modified ? new(modified) : null;
            download.Keep(kept => kept.TryBegin(new(download.Bytes, download.version?.ToString())));
            return download;
        }
        catch (Exception exception) when (IsBroken(exception) && !cancellation.IsCancellationRequested)
        {
            download.Dispose();
            throw new CommandFailedException($"{address} cannot be fetched: {exception.GetBaseException().Message}");
        }
        catch
        {
            download.Dispose();
            throw;
        }
    }

    public override HttpContent Content(Action<long> progress) => new DiscContent(_ => Task.FromResult(Open()), Bytes, progress);

    /// <summary>Its bytes, once.</summary>
    public Stream Open() => new Resumed(this);

    /// <summary>
    /// The command ends. What came stays for another try when it was cut short, or is known to be right; what the service has, or would not
    /// have, does not: a part that is damaged would be refused again and again.
    /// </summary>
    public void Ended(bool succeeded, CancellationToken cancellation)
    {
        if (succeeded || !(brokeOff || cancellation.IsCancellationRequested || isRead && isRight))
            partial?.Delete();
        else if (partial is not null)
            tell($"what came of {url.Host} is kept: the next pull goes on from there.");
    }

    public void Dispose()
    {
        first?.Dispose();
        http.Dispose();
        partial?.Dispose();
        hash.Dispose();
    }

    /// <summary>Asks for what is missing of what an earlier pull left.</summary>
    /// <returns>False when it begins anew.</returns>
    private async Task<bool> GoesOnAsync(CancellationToken cancellation)
    {
        // Without a version to compare, a checksum decides at the end.
        if (partial is not { Have: > 0, Of: { } of } || of.Version is null && sha256 is null)
            return false;
        version = of.Version is null ? null : RangeConditionHeaderValue.Parse(of.Version);
        // The last octet is asked for again: a file that is whole is no special case.
        var from = partial.Have - 1;
        if (from == 0)
            return false;
        first = await RequestAsync(from, cancellation);
        if (first.StatusCode == HttpStatusCode.PartialContent && first.Content.Headers.ContentRange is { } range && range.From == from && range.Length == of.Length)
        {
            (Bytes, kept) = (of.Length, from);
            tell($"an earlier pull left {Words.Size(from)} of {Words.Size(Bytes)}; going on from there.");
            return true;
        }
        version = null;
        if (first.StatusCode != HttpStatusCode.OK)
        {
            first.Dispose();
            first = null;
        }
        return false;
    }

    // A disk that is full, or cannot be written, is no reason not to have the image.
    private void Keep(Func<PartialDownload, bool> what)
    {
        if (partial is null)
            return;
        try
        {
            if (what(partial))
                return;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            tell($"what is downloaded cannot be kept for another try: {e.Message}");
        }
        partial.Delete();
        partial.Dispose();
        partial = null;
    }

    private void Received(ReadOnlySpan<byte> octets, long position)
    {
        hash.AppendData(octets);
        if (position + octets.Length < Bytes)
            return;
        isRead = true;
        isRight = sha256 is not null && Convert.ToHexStringLower(hash.GetHashAndReset()) == sha256;
    }

    /// <summary>Why an address is not for an image, or null.</summary>
    internal static string? Refusal(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        var bytes = address.GetAddressBytes();
        // Where clouds answer a machine with its own credentials: link-local, and the few that are not.
        if (bytes is [169, 254, ..] || address.IsIPv6LinkLocal || bytes is [100, 100, 100, 200] or [168, 63, 129, 16]
            || bytes is [0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54])
            return "is link-local, or a cloud's metadata service";
        return address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) || address.IsIPv6Multicast || bytes is [>= 224, _, _, _]
            ? "is not one server's address" : null;
    }

    // The name is looked up here, once, so that what was checked is what is connected to.
    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, cancellation);
        foreach (var address in addresses)
        {
            if (Refusal(address) is { } refusal)
                throw new CommandFailedException($"{context.DnsEndPoint.Host} is at {address}, which {refusal}: nothing is fetched from there.");
        }
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, context.DnsEndPoint.Port, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Asks for it from an offset on, through redirects where a checksum makes them harmless.</summary>
    private async Task<HttpResponseMessage> RequestAsync(long from, CancellationToken cancellation)
    {
        var at = url;
        for (var redirects = 0; ; redirects++)
        {
            // A proxy would connect in our place.
            if (IPAddress.TryParse(at.Host.Trim('[', ']'), out var literal) && Refusal(literal) is { } refusal)
                throw new CommandFailedException($"{at.Host} {refusal}: nothing is fetched from there.");
            using var request = new HttpRequestMessage(HttpMethod.Get, at);
            if (from > 0)
            {
                request.Headers.Range = new RangeHeaderValue(from, null);
                request.Headers.IfRange = version;
            }
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(Patience);
            var response = await SendAsync(request, limit.Token);
            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308))
                return response;
            var location = response.Headers.Location;
            response.Dispose();
            if (sha256 is null)
                throw new CommandFailedException($"{at} is redirected to {Texts.OneLine(location?.ToString(), 200)}, and no redirect is followed without a checksum: give --sha256 HEX, or the last address by --url.");
            if (location is null || redirects == MaxRedirects)
                throw new CommandFailedException($"{url} is redirected {(location is null ? "to nowhere" : $"more than {MaxRedirects} times")}.");
            at = new Uri(at, location);
            if (Texts.WebAddress(at.AbsoluteUri) is { } wrong)
                throw new CommandFailedException($"{url} is redirected to '{Texts.OneLine(at.AbsoluteUri, 200)}', which {wrong}.");
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        }
        catch (HttpRequestException exception) when (exception.GetBaseException() is CommandFailedException refused)
        {
            throw new CommandFailedException(refused.Lines, refused.ExitCode);
        }
    }

    private static bool IsBroken(Exception exception) =>
        exception is HttpRequestException or IOException or TimeoutException or OperationCanceledException;

    /// <summary>Its bytes, from as many connections as it takes.</summary>
    private sealed class Resumed(ImageDownload download) : Stream
    {
        private HttpResponseMessage? response;
        private Stream? body;
        private long position;

        /// <summary>How much of what comes now was there before.</summary>
        private long again;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => download.Bytes;

        public override long Position { get => position; set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            for (var tries = 0; ;)
            {
                if (position == download.Bytes)
                    return 0;
                if (position < download.kept)
                {
                    var here = download.partial!.Read(buffer.Span[..(int)Math.Min(buffer.Length, download.kept - position)], position);
                    if (here == 0)
                        throw new CommandFailedException($"what an earlier pull left of {download.url} is gone. Try again.");
                    download.Received(buffer.Span[..here], position);
                    position += here;
                    return here;
                }
                try
                {
                    body ??= await OpenAsync(cancellationToken);
                    var read = await body.ReadAsync(buffer, cancellationToken).AsTask().WaitAsync(Patience, download.time, cancellationToken);
                    if (read == 0)
                        throw new IOException("the connection ended early");
                    if (again > 0)
                    {
                        var before = (int)Math.Min(again, read);
                        again -= before;
                        if (before == read)
                            continue;
                        buffer[before..read].CopyTo(buffer);
                        read -= before;
                    }
                    Store(buffer[..read]);
                    position += read;
                    return read;
                }
                catch (Exception exception) when (IsBroken(exception) && !cancellationToken.IsCancellationRequested)
                {
                    Close();
                    var why = exception.GetBaseException().Message.TrimEnd('.');
                    download.brokeOff = ++tries == MaxTries;
                    if (download.brokeOff)
                        throw new CommandFailedException($"{download.url} broke off after {Words.Size(position)} of {Words.Size(download.Bytes)}, and {MaxTries} tries gave nothing more: {why}.");
                    download.tell($"{download.url.Host} broke off after {Words.Size(position)} of {Words.Size(download.Bytes)} ({why}); going on from there.");
                    var pause = TimeSpan.FromMilliseconds(250 << tries);
                    await Task.Delay(pause < LongestPause ? pause : LongestPause, download.time, cancellationToken);
                }
            }
        }

        private async Task<Stream> OpenAsync(CancellationToken cancellation)
        {
            if (download.first is { } first && position == download.kept)
            {
                download.first = null;
                return await (response = first).Content.ReadAsStreamAsync(cancellation);
            }
            response = await download.RequestAsync(position, cancellation);
            again = 0;
            switch (response.StatusCode)
            {
                case HttpStatusCode.PartialContent when response.Content.Headers.ContentRange is { } range && range.From == position && (range.Length ?? download.Bytes) == download.Bytes
                    && (download.version is not null || download.sha256 is not null):
                    break;
                // It cannot give a part, or has another version now. The same size and a checksum to compare: what was there is passed over.
                case HttpStatusCode.OK when response.Content.Headers.ContentLength == download.Bytes && download.sha256 is not null:
                    again = position;
                    break;
                case >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout:
                    throw new IOException($"it answered {(int)response.StatusCode}");
                default:
                    throw new CommandFailedException($"{download.url} broke off after {Words.Size(position)} and does not go on from there (it answered {(int)response.StatusCode}): it changed, or cannot give a part. Try again, with --sha256 if it is known.");
            }
            return await response.Content.ReadAsStreamAsync(cancellation);
        }

        private void Store(ReadOnlyMemory<byte> octets)
        {
            download.Keep(partial =>
            {
                partial.Append(octets.Span, position);
                return true;
            });
            download.Received(octets.Span, position);
        }

        private new void Close()
        {
            response?.Dispose();
            (response, body) = (null, null);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                Close();
            base.Dispose(disposing);
        }
    }
}
