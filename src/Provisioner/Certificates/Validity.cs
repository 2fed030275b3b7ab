using System.Security.Cryptography.X509Certificates;

namespace Provisioner.Certificates;

/// <summary>When a certificate is good; both ends are included (RFC 5280 §4.1.2.5).</summary>
internal readonly record struct Validity(DateTimeOffset NotBefore, DateTimeOffset NotAfter)
{
    /// <summary>.NET gives the times of a certificate as local ones.</summary>
    public static Validity Of(X509Certificate2 certificate) =>
        new(new DateTimeOffset(certificate.NotBefore.ToUniversalTime()), new DateTimeOffset(certificate.NotAfter.ToUniversalTime()));

    /// <summary>From a little before now, in whole seconds: X.509 knows no others.</summary>
    public static Validity From(DateTimeOffset now, TimeSpan lifetime) => new(
        DateTimeOffset.FromUnixTimeSeconds((now - CertificateOptions.Backdating).ToUnixTimeSeconds()),
        DateTimeOffset.FromUnixTimeSeconds((now + lifetime).ToUnixTimeSeconds()));

    /// <summary>Cut to what both share: a certificate that outlives its authority is refused by half of all verifiers, at a moment nobody expects.</summary>
    public Validity Within(Validity other) => new(
        NotBefore < other.NotBefore ? other.NotBefore : NotBefore,
        NotAfter > other.NotAfter ? other.NotAfter : NotAfter);

    public bool Contains(DateTimeOffset now) => now >= NotBefore && now <= NotAfter;

    public override string ToString() => $"{NotBefore:u} to {NotAfter:u}";
}
