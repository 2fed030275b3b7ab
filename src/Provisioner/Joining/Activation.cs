using Provisioner.Clusters;

namespace Provisioner.Joining;

/// <summary>A Systems Manager hybrid activation, made for one host.</summary>
/// <param name="Code">A secret.</param>
internal sealed record Activation(string Id, string Code, DateTimeOffset ExpiresAt)
{
    /// <summary>Never in a log or a debugger's window by accident.</summary>
    public override string ToString() => $"Activation {Id} (code redacted)";
}

/// <summary>Where activations come from: AWS outside of tests.</summary>
internal interface IActivations
{
    /// <summary>A new one for that host alone: one registration, a short time.</summary>
    /// <exception cref="ClusterAccessException">AWS does not give one now; says why and what to do.</exception>
    Task<Activation> CreateAsync(Host host, Cluster cluster, CancellationToken cancellation);
}
