using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using k8s;
using Provisioner.Certificates;
using Provisioner.Clusters;

namespace Provisioner.Kubernetes;

/// <summary>
/// The way to one cluster's API server: TLS checked with the cluster's own authorities and nothing else, a fresh token with each request,
/// no redirect followed, because a token goes with it.
/// </summary>
internal sealed class ClusterConnection : IDisposable
{
    private readonly HttpMessageInvoker invoker;
    private readonly X509Certificate2Collection authorities;

    /// <param name="access">What its endpoint and authorities are now; a change of those needs another connection.</param>
    /// <param name="renew">Gives a token that is good, at each request.</param>
    public ClusterConnection(ClusterAccess access, Func<CancellationToken, ValueTask<ClusterAccess>> renew)
    {
        Endpoint = access.Endpoint;
        authorities = access.Authorities;
        invoker = new HttpMessageInvoker(new TokenHandler(renew)
        {
            InnerHandler = new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,
                AutomaticDecompression = DecompressionMethods.All,
                ConnectTimeout = TimeSpan.FromSeconds(10),
                // An idle connection that a firewall forgot looks like a quiet cluster: HTTP/2's own ping tells the difference.
                KeepAlivePingDelay = TimeSpan.FromSeconds(15),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
                KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
                // A name behind which the addresses move, as EKS's do.
                PooledConnectionLifetime = TimeSpan.FromMinutes(30),
                // The framework's own check, whole: the library's, in the versions looked at, also takes what the system trusts, and where the chain
                // does not end there it does not look at the name.
                SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = TrustOnly.These(access.Authorities) },
            },
        });
        Http = new HttpClient(new Forwarder(invoker), disposeHandler: false)
        {
            BaseAddress = Endpoint,
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        Client = new k8s.Kubernetes(new KubernetesClientConfiguration { Host = Endpoint.AbsoluteUri, SslCaCerts = access.Authorities }, new Forwarder(invoker));
    }

    public Uri Endpoint { get; }

    /// <summary>It leads where that access leads.</summary>
    public bool IsFor(ClusterAccess access) =>
        access.Endpoint == Endpoint && access.Authorities.Count == authorities.Count && access.Authorities.All(a => authorities.Any(b => b.RawDataMemory.Span.SequenceEqual(a.RawDataMemory.Span)));

    /// <summary>For what is read in bulk.</summary>
    public HttpClient Http { get; }

    /// <summary>For everything else.</summary>
    public IKubernetes Client { get; }

    public void Dispose()
    {
        Client.Dispose();
        Http.Dispose();
        invoker.Dispose();
    }

    // The library builds its own transport below this; it is not asked.
    private sealed class Forwarder(HttpMessageInvoker to) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => to.SendAsync(request, cancellationToken);
    }

    private sealed class TokenHandler(Func<CancellationToken, ValueTask<ClusterAccess>> renew) : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", (await renew(cancellationToken)).Token);
            return await base.SendAsync(request, cancellationToken);
        }
    }
}
