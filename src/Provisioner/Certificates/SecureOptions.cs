using System.Collections.Immutable;
using System.Net;

namespace Provisioner.Certificates;

/// <summary>The configuration key <c>secure</c>: where the secure plane listens, and by which names.</summary>
public sealed record SecureOptions
{
    public IPAddress Address { get; init; } = IPAddress.Any;

    /// <summary>0 takes any free port.</summary>
    public int Port { get; init; } = 8443;

    /// <summary>DNS names and addresses that hosts may reach it by, besides this machine's own.</summary>
    public ImmutableArray<string> Names { get; init; } = [];
}
