using System.Net;
using System.Net.Sockets;

namespace Provisioner.Artifacts;

/// <summary>An upstream is not asked, because of where its name leads.</summary>
internal sealed class UpstreamRefusedException(string message) : Exception(message);

/// <summary>
/// Asks upstreams. It connects to public addresses alone, unless the configuration names another: decided on the address that is
/// connected to, after the name was looked up, so that no DNS answer leads it to the metadata service or into the management network.
/// </summary>
internal sealed class UpstreamClient : IDisposable
{
    private const int MostRedirects = 5;

    private readonly HashSet<string> literal;
    private readonly HttpClient open;
    private readonly HttpClient guarded;

    public UpstreamClient(ArtifactOptions options)
    {
        // What the configuration says literally: an address, or this machine.
        literal = options.Allowed.Select(u => u.Url).Concat(options.Files.Select(f => f.Url))
            .Where(u => u.HostNameType is UriHostNameType.IPv4 or UriHostNameType.IPv6 || u.IsLoopback)
            .Select(u => u.DnsSafeHost).ToHashSet(StringComparer.OrdinalIgnoreCase);
        open = Create(privateAddresses: true);
        guarded = Create(privateAddresses: false);
    }

    /// <summary>Sends a request and gives the answer with its headers read. A redirect elsewhere is an answer like another, unless the content is pinned.</summary>
    public async Task<HttpResponseMessage> GetAsync(ArtifactSource source, Action<HttpRequestMessage> prepare, CancellationToken cancellation)
    {
        var url = source.Url;
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            // What is stored is what the checksum is of.
            request.Headers.TryAddWithoutValidation("Accept-Encoding", "identity");
            request.Headers.TryAddWithoutValidation("User-Agent", "provisioner");
            prepare(request);
            var client = source.Upstream.PrivateAddresses ? open : guarded;
            var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
                return response;
            var next = new Uri(url, location);
            if (redirects == MostRedirects || !MayFollow(source, url, next))
                return response;
            response.Dispose();
            url = next;
        }
    }

    public void Dispose()
    {
        open.Dispose();
        guarded.Dispose();
    }

    /// <summary>An address of the internet, as an upstream's is.</summary>
    public static bool IsPublic(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        Span<byte> octets = stackalloc byte[16];
        address.TryWriteBytes(octets, out var length);
        if (length == 4)
            return IsPublic(octets[..4]);
        // Addresses that carry an IPv4 one: NAT64 (RFC 6052) and 6to4 (RFC 3056).
        if (octets[..12].SequenceEqual((ReadOnlySpan<byte>)[0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]))
            return IsPublic(octets[12..]);
        if (octets[..2].SequenceEqual((ReadOnlySpan<byte>)[0x20, 0x02]))
            return IsPublic(octets.Slice(2, 4));
        // Global unicast, 2000::/3 (RFC 4291 §2.4), without the documentation prefix.
        return (octets[0] & 0xe0) == 0x20 && !octets[..4].SequenceEqual((ReadOnlySpan<byte>)[0x20, 0x01, 0x0d, 0xb8]);
    }

    // The special-purpose registry of RFC 6890.
    private static bool IsPublic(ReadOnlySpan<byte> v4) => v4 switch
    {
        [0 or 10 or 127 or >= 224, ..] => false,
        [100, >= 64 and < 128, ..] => false,
        [169, 254, ..] => false,
        [172, >= 16 and < 32, ..] => false,
        [192, 168, ..] or [192, 0, 0 or 2, _] => false,
        [198, 18 or 19, ..] or [198, 51, 100, _] or [203, 0, 113, _] => false,
        _ => true,
    };

    // Networks of a site: RFC 1918, RFC 6598 and RFC 4193. Never link-local, where cloud metadata is, and never this machine.
    private static bool IsPrivateNetwork(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        var octets = address.GetAddressBytes();
        return octets switch
        {
            [10, _, _, _] or [172, >= 16 and < 32, _, _] or [192, 168, _, _] or [100, >= 64 and < 128, _, _] => true,
            // fd00:ec2::254 and fd20:ce::254 are metadata services.
            [0xfd, 0x00, 0x0e, 0xc2, ..] or [0xfd, 0x20, 0x00, 0xce, ..] => false,
            { Length: 16 } => (octets[0] & 0xfe) == 0xfc,
            _ => false,
        };
    }

    private static bool MayFollow(ArtifactSource source, Uri from, Uri to)
    {
        if (to.Scheme != Uri.UriSchemeHttps && to.Scheme != Uri.UriSchemeHttp)
            return false;
        if (source.IsPinned)
            return true;
        // The same server under another name of the file, or by a better protocol.
        return string.Equals(to.Host, from.Host, StringComparison.OrdinalIgnoreCase)
            && (to.Scheme == from.Scheme && to.Port == from.Port || to.Scheme == Uri.UriSchemeHttps && from.IsDefaultPort && to.IsDefaultPort);
    }

    private HttpClient Create(bool privateAddresses) => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        // A proxy would do the looking up, and with it the deciding.
        UseProxy = false,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        MaxConnectionsPerServer = 64,
        ConnectCallback = (context, cancellation) => ConnectAsync(context.DnsEndPoint, privateAddresses, cancellation),
    })
    {
        // Each attempt has its own limits; a large file takes as long as it takes.
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private async ValueTask<Stream> ConnectAsync(DnsEndPoint target, bool privateAddresses, CancellationToken cancellation)
    {
        var host = target.Host.Trim('[', ']');
        var addresses = await Dns.GetHostAddressesAsync(host, cancellation);
        var allowed = addresses.Where(a => literal.Contains(host) || IsPublic(a) || privateAddresses && IsPrivateNetwork(a)).ToArray();
        if (allowed.Length == 0)
        {
            throw new UpstreamRefusedException(addresses.Length == 0 ? $"{host} has no address"
                : $"{host} is {addresses[0]}, which is not a public address; an upstream with 'privateAddresses: true', or with that address in its url, may be there");
        }
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, target.Port, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
