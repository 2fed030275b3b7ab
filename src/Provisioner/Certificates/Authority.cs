using System.Collections.Immutable;
using Provisioner.Certificates.Keys;

namespace Provisioner.Certificates;

/// <summary>Where an authority stands. At most one is <see cref="Issuing"/>, one before it and one after it.</summary>
public enum AuthorityState
{
    /// <summary>It has a key and waits for a certificate that somebody else signs.</summary>
    Pending,

    /// <summary>Complete and trusted by hosts that ask, but it signs nothing yet: time to make it known to IAM Roles Anywhere.</summary>
    Next,

    /// <summary>It signs all new certificates.</summary>
    Issuing,

    /// <summary>It signs nothing but its revocation list; hosts move away from it.</summary>
    Previous,

    /// <summary>No longer trusted.</summary>
    Retired,
}

/// <summary>
/// A certificate authority. The one that signs hosts is itself the trust anchor of IAM Roles Anywhere, because nodeadm passes no
/// intermediates; two can be live at once, which is what a change of authority needs.
/// </summary>
public sealed record Authority
{
    /// <summary>64 random bits in hexadecimal; also the name of its key.</summary>
    public required string Id { get; init; }

    public required AuthorityState State { get; init; }

    public required KeyAlgorithm Algorithm { get; init; }

    /// <summary>Which store holds its key: <c>file</c> or <c>pkcs11</c>.</summary>
    public required string KeyStore { get; init; }

    /// <summary>Its subject as text, such as <c>CN=Provisioner CA 0f3a…</c>.</summary>
    public required string Subject { get; init; }

    /// <summary>SHA-256 of its SubjectPublicKeyInfo, in hexadecimal.</summary>
    public required string KeyHash { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Its certificate, DER; null while <see cref="AuthorityState.Pending"/>.</summary>
    public byte[]? Der { get; init; }

    /// <summary>The certificates above it, DER, each signed by the next; empty when it signed itself.</summary>
    public ImmutableArray<byte[]> Chain { get; init; } = [];

    /// <summary>Of its own certificate.</summary>
    public DateTimeOffset NotBefore { get; init; }

    public DateTimeOffset NotAfter { get; init; }

    /// <summary>When it began to sign hosts.</summary>
    public DateTimeOffset? IssuingSince { get; init; }

    /// <summary>How hosts leave it for the one that issues now; only when <see cref="AuthorityState.Previous"/>.</summary>
    public HostMove? Move { get; init; }

    public DateTimeOffset? RetiredAt { get; init; }

    /// <summary>The number of its latest revocation list (RFC 5280 §5.2.3); 0 before the first.</summary>
    public long CrlNumber { get; init; }

    /// <summary>Its certificates are accepted and it answers for them by a revocation list.</summary>
    public bool IsLive => State is AuthorityState.Issuing or AuthorityState.Previous;

    public string ToPem() => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", Der ?? []);
}

/// <summary>The hosts of one authority renew early, at moments spread over this time, so that they do not all ask at once.</summary>
/// <param name="PausedAt">Nobody is asked to renew early while it is set.</param>
public sealed record HostMove(DateTimeOffset From, DateTimeOffset Until, DateTimeOffset? PausedAt = null);
