using Provisioner.Certificates.Keys;

namespace Provisioner.Certificates;

/// <summary>The configuration key <c>ca</c>: how the authority and its certificates are made.</summary>
public sealed record CertificateOptions
{
    /// <summary>IAM Roles Anywhere verifies the chain and the host's signature with SHA-256 or stronger.</summary>
    public static readonly TimeSpan Backdating = TimeSpan.FromMinutes(5);

    /// <summary>The key of the next authority that is made.</summary>
    public KeyAlgorithm Algorithm { get; init; } = KeyAlgorithm.EcP256;

    /// <summary>How long an authority's own certificate is good.</summary>
    public TimeSpan AuthorityLifetime { get; init; } = TimeSpan.FromDays(3650);

    /// <summary>How long a host's certificate is good; it renews at two thirds.</summary>
    public TimeSpan CertificateLifetime { get; init; } = TimeSpan.FromDays(90);

    /// <summary>The file with the passphrase of the keys; null for a systemd credential, or one made in the data directory.</summary>
    public string? PassphraseFile { get; init; }

    /// <summary>Keys are made in this token instead of files.</summary>
    public Pkcs11Options? Pkcs11 { get; init; }

    /// <summary>Issue though nothing says that the clock is right: for laboratories.</summary>
    public bool AllowUnsynchronisedClock { get; init; }
}
