using System.Security.Cryptography.X509Certificates;

namespace Provisioner.Clusters;

/// <summary>What it takes to speak to a cluster's API server.</summary>
/// <param name="Authorities">What its certificate is checked with, and nothing else.</param>
/// <param name="Token">A bearer token; a secret.</param>
/// <param name="ExpiresAt">When the token is over.</param>
internal sealed record ClusterAccess(Uri Endpoint, X509Certificate2Collection Authorities, string Token, DateTimeOffset ExpiresAt)
{
    /// <summary>Never in a log or a debugger's window by accident.</summary>
    public override string ToString() => $"ClusterAccess {Endpoint} (token redacted)";
}

/// <summary>Where that comes from: AWS outside of tests.</summary>
internal interface IClusterAccess
{
    /// <summary>Good for at least another minute.</summary>
    /// <exception cref="ClusterAccessException">It cannot be had now; says why and what to do.</exception>
    ValueTask<ClusterAccess> GetAsync(Cluster cluster, CancellationToken cancellation);
}

/// <summary>A cluster cannot be spoken to now; the message is for people.</summary>
public sealed class ClusterAccessException(string message, Exception? inner = null) : Exception(message, inner);
