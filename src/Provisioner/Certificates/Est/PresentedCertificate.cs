using Provisioner.Storage;

namespace Provisioner.Certificates.Est;

/// <summary>The client certificate of a connection. TLS has proven that the client holds its key; whether it counts is said by the record alone.</summary>
internal static class PresentedCertificate
{
    /// <summary>DER as it was presented, or null.</summary>
    public static byte[]? Of(HttpContext context) => context.Connection.ClientCertificate is { } presented ? presented.RawData : null;

    /// <summary>The host's certificate of this connection, as recorded.</summary>
    /// <param name="refusal">When null is returned: why.</param>
    /// <param name="evenOver">One that is past its end will do, for a host that reports just that.</param>
    public static Certificate? HostOf(HttpContext context, Snapshot snapshot, DateTimeOffset now, bool evenOver, out string refusal)
    {
        refusal = "";
        if (Of(context) is not { } der)
            refusal = "a client certificate is needed: the host's own";
        else if (EnrolmentDecision.Recorded(der, snapshot) is not { Purpose: CertificatePurpose.Host } certificate)
            refusal = "the client certificate was not issued to a host by this appliance";
        else if (certificate.IsRevoked)
            refusal = $"the certificate was revoked at {certificate.RevokedAt:u}";
        else if (!snapshot.Hosts.TryGetValue(certificate.Host, out var host) || host.RetiredAt is not null)
            refusal = $"host {certificate.Host} is not in service";
        else if (!evenOver && !certificate.IsGoodAt(now))
            refusal = $"the certificate is good from {certificate.NotBefore:u} to {certificate.NotAfter:u}";
        else
            return certificate;
        return null;
    }
}
