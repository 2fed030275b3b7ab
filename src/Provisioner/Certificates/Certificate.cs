using System.Security.Cryptography.X509Certificates;

namespace Provisioner.Certificates;

/// <summary>What a certificate is for.</summary>
public enum CertificatePurpose
{
    /// <summary>A host's own: TLS client, and IAM Roles Anywhere.</summary>
    Host,

    /// <summary>The appliance's own: for the secure plane, and as a client of AWS.</summary>
    Appliance,
}

/// <summary>One certificate that was issued: to whom, when it ends, whether it is revoked. Kept for ever in the journal.</summary>
public sealed record Certificate
{
    /// <summary>128 random bits in lower-case hexadecimal, without leading zeros of the encoding.</summary>
    public required string Serial { get; init; }

    /// <summary>The host it names; for <see cref="CertificatePurpose.Appliance"/> the appliance's name.</summary>
    public required string Host { get; init; }

    public CertificatePurpose Purpose { get; init; }

    /// <summary>The <see cref="Certificates.Authority.Id"/> that signed it.</summary>
    public required string Authority { get; init; }

    public required DateTimeOffset IssuedAt { get; init; }

    public required DateTimeOffset NotBefore { get; init; }

    /// <summary>The last moment it is good.</summary>
    public required DateTimeOffset NotAfter { get; init; }

    /// <summary>SHA-256 of the SubjectPublicKeyInfo, in hexadecimal.</summary>
    public required string KeyHash { get; init; }

    /// <summary>SHA-256 of the request (PKCS#10, DER) it answers, in hexadecimal; null for the appliance's own.</summary>
    public string? RequestHash { get; init; }

    /// <summary>The Installation whose token was spent for it; null for a renewal.</summary>
    public string? Installation { get; init; }

    /// <summary>The serial of the certificate it renews; null for a first one.</summary>
    public string? Renews { get; init; }

    /// <summary>When IAM Roles Anywhere said for the first time that the host had authenticated with it; null while it has not.</summary>
    public DateTimeOffset? SeenByAwsAt { get; init; }

    public DateTimeOffset? RevokedAt { get; init; }

    public RevocationReason? RevokedBecause { get; init; }

    /// <summary>The certificate, DER.</summary>
    public required byte[] Der { get; init; }

    public bool IsRevoked => RevokedAt is not null;

    /// <summary>Neither revoked nor outside its validity.</summary>
    public bool IsGoodAt(DateTimeOffset now) => RevokedAt is null && now >= NotBefore && now <= NotAfter;

    public string ToPem() => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", Der);
}

/// <summary>Why a certificate was revoked: the CRLReason values (RFC 5280 §5.3.1) that people choose from.</summary>
public enum RevocationReason
{
    Unspecified = X509RevocationReason.Unspecified,
    KeyCompromise = X509RevocationReason.KeyCompromise,
    AffiliationChanged = X509RevocationReason.AffiliationChanged,
    Superseded = X509RevocationReason.Superseded,
    CessationOfOperation = X509RevocationReason.CessationOfOperation,
    PrivilegeWithdrawn = X509RevocationReason.PrivilegeWithdrawn,
}
