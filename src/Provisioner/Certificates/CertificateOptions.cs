using Provisioner.Certificates.Keys;

namespace Provisioner.Certificates;

/// <summary>The configuration key <c>ca</c>: how the authority and its certificates are made.</summary>
public sealed record CertificateOptions
{
    /// <summary>Clocks in a rack differ: a certificate is good from a little before it is made.</summary>
    public static readonly TimeSpan Backdating = TimeSpan.FromMinutes(5);

    /// <summary>The key of the next authority that is made.</summary>
    public KeyAlgorithm Algorithm { get; init; } = KeyAlgorithm.EcP256;

    /// <summary>How long an authority's own certificate is good.</summary>
    public TimeSpan AuthorityLifetime { get; init; } = TimeSpan.FromDays(3650);

    /// <summary>How long a host's certificate is good; it renews at two thirds.</summary>
    public TimeSpan CertificateLifetime { get; init; } = TimeSpan.FromDays(90);

    /// <summary>Where the keys are kept, and what opens them.</summary>
    public KeyOptions Keys { get; init; } = new();

    /// <summary>Issue though nothing says that the clock is right: for laboratories.</summary>
    public bool AllowUnsynchronisedClock { get; init; }
}
