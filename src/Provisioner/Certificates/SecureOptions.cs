using System.Collections.Immutable;
using Provisioner.Protocols;

namespace Provisioner.Certificates;

/// <summary>The configuration key <c>secure</c>: where the secure plane listens, and by which names.</summary>
public sealed record SecureOptions
{
    public Ipv4Address Address { get; init; }

    /// <summary>0 takes any free port.</summary>
    public int Port { get; init; } = 8443;

    /// <summary>DNS names and addresses that hosts may reach it by, besides this machine's own.</summary>
    public ImmutableArray<string> Names { get; init; } = [];
}
