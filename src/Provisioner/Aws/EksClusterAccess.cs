using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Provisioner.Aws.Clients;
using Provisioner.Aws.Credentials;
using Provisioner.Clusters;

namespace Provisioner.Aws;

/// <summary>
/// Access to a cluster's API server as EKS gives it: the endpoint and its authority by DescribeCluster, unless the Cluster names them, and a token
/// that is a presigned question to STS, which the cluster asks to learn who we are.
/// </summary>
internal sealed class EksClusterAccess(AwsClients clients, IAwsCredentials credentials, TimeProvider time) : IClusterAccess
{
    /// <summary>A cluster takes a token for 15 minutes from the time in it; a minute is for clocks that differ.</summary>
    private static readonly TimeSpan TokenLifetime = TimeSpan.FromMinutes(14);

    private static readonly TimeSpan RenewAfter = TimeSpan.FromMinutes(10);

    /// <summary>Endpoint and authority of a cluster hardly ever change.</summary>
    private static readonly TimeSpan DescribeAfter = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, Known> known = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, SemaphoreSlim> gates = new(StringComparer.Ordinal);

    public async ValueTask<ClusterAccess> GetAsync(Cluster cluster, CancellationToken cancellation)
    {
        if (Present(cluster) is { } present)
            return present;
        var gate = gates.GetOrAdd(cluster.Name, _ => new SemaphoreSlim(1, 1));
        await gate.WaitAsync(cancellation);
        try
        {
            if (Present(cluster) is { } made)
                return made;
            var now = time.GetUtcNow();
            var before = known.GetValueOrDefault(cluster.Name);
            var (endpoint, authorities, describedAt) = cluster.Spec is { Endpoint: { } url, CertificateAuthority: { } authority }
                ? (new Uri(url), Certificates(authority), now)
                : before is not null && before.Spec == cluster.Spec && now - before.DescribedAt < DescribeAfter ? (before.Access.Endpoint, before.Access.Authorities, before.DescribedAt)
                : await DescribeAsync(cluster, now, cancellation);
            var keys = await credentials.GetAsync(cancellation);
            var ends = now + TokenLifetime;
            if (keys.Expiration < ends)
                ends = keys.Expiration.Value;
            var access = new ClusterAccess(endpoint, authorities, Token(keys, cluster, now), ends);
            known[cluster.Name] = new Known(cluster.Spec, access, now, describedAt);
            return access;
        }
        catch (NoAwsCredentialsException e)
        {
            throw new ClusterAccessException(e.Message, e);
        }
        catch (AwsException e)
        {
            throw new ClusterAccessException($"{e.Message}. Look with: provisioner aws check {cluster.Name}", e);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary><c>k8s-aws-v1.</c> and the URL in base64url without padding, as aws-iam-authenticator takes it: regional STS, no other parameters, the cluster's name signed.</summary>
    internal static string Token(AwsKeys keys, Cluster cluster, DateTimeOffset now)
    {
        var region = cluster.Spec.Region;
        // Always AWS's own name: the cluster's side takes no other, and it is the one who asks there.
        var url = AwsApi.Presign(keys, region, "sts", AwsEndpoints.HostOf("sts", region), [new("Action", "GetCallerIdentity"), new("Version", "2011-06-15")],
            [new("x-k8s-aws-id", cluster.EksName)], now, TimeSpan.FromSeconds(60));
        return "k8s-aws-v1." + System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(url));
    }

    private ClusterAccess? Present(Cluster cluster)
    {
        var now = time.GetUtcNow();
        return known.TryGetValue(cluster.Name, out var one) && one.Spec == cluster.Spec && now - one.MadeAt < RenewAfter && one.Access.ExpiresAt - now > TimeSpan.FromMinutes(1) ? one.Access : null;
    }

    private async Task<(Uri Endpoint, X509Certificate2Collection Authorities, DateTimeOffset At)> DescribeAsync(Cluster cluster, DateTimeOffset now, CancellationToken cancellation)
    {
        var described = await clients.Eks(cluster.Spec.Region).DescribeClusterAsync(cluster.EksName, cancellation);
        if (described is not { Endpoint: { Length: > 0 } endpoint, CertificateAuthority.Data: { Length: > 0 } data })
            throw new ClusterAccessException($"EKS says that cluster {cluster.EksName} is {described.Status}, and gives it no endpoint yet.");
        return (new Uri(endpoint), Certificates(data), now);
    }

    private static X509Certificate2Collection Certificates(string base64)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(Encoding.ASCII.GetString(Convert.FromBase64String(base64)));
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            throw new ClusterAccessException("The cluster's certificate authority is not a certificate in PEM, in base64.", e);
        }
        return certificates;
    }

    private sealed record Known(ClusterSpec Spec, ClusterAccess Access, DateTimeOffset MadeAt, DateTimeOffset DescribedAt);
}
