using System.Text;
using Provisioner.Storage;

namespace Provisioner.Certificates;

/// <summary>
/// What anybody may have of the authority, on the boot plane: <c>ca.pem</c>, <c>crl</c> and <c>crl/AUTHORITY</c>. Whoever pins <c>ca.pem</c> from
/// there trusts the wire it came by; a seed carries it by the way the whole installation is trusted.
/// </summary>
internal sealed class PublishedCertificates(CurrentState state, ServedRevocationLists lists)
{
    public const string CaCertificates = "ca.pem";

    /// <summary>All certificates to trust, PEM; null until there is an authority.</summary>
    public ReadOnlyMemory<byte>? Trusted()
    {
        var trusted = CertificateAuthority.Trusted(state.Snapshot);
        return trusted.Count == 0 ? null
            : Encoding.ASCII.GetBytes(string.Concat(trusted.Select(der => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", der) + "\n")));
    }

    /// <summary>A revocation list, DER.</summary>
    /// <param name="authority">Whose; null for the issuing one.</param>
    public ReadOnlyMemory<byte>? List(string? authority) => (authority ?? state.Snapshot.IssuingAuthority?.Id) is { } id ? lists.Of(id)?.Der : null;
}
