using System.Formats.Asn1;

namespace Provisioner.Protocols.Est;

/// <summary>Certificates in a SignedData that nobody signed, "certs-only" (RFC 5652 §5.1, RFC 7030 §4.1.3, RFC 8551 §3.8).</summary>
public static class CertsOnly
{
    private const string SignedData = "1.2.840.113549.1.7.2";
    private const string Data = "1.2.840.113549.1.7.1";

    /// <summary>Writes the certificates in the order given: a client that looks for its own takes the first.</summary>
    /// <param name="certificates">DER of each, the issued one first, then those that lead to the anchor.</param>
    /// <remarks>
    /// CertificateSet is a SET OF, which DER would sort by content. CMS asks for BER only (RFC 5652 §4 and §12), in which a SET OF has
    /// any order, and order is worth more than canonical bytes: nothing here is signed. Everything else is DER.
    /// </remarks>
    /// <exception cref="ArgumentException">There is no certificate, or one of them is not a DER SEQUENCE.</exception>
    public static byte[] Encode(IEnumerable<ReadOnlyMemory<byte>> certificates)
    {
        ArgumentNullException.ThrowIfNull(certificates);
        var context0 = new Asn1Tag(TagClass.ContextSpecific, 0, isConstructed: true);
        var writer = new AsnWriter(AsnEncodingRules.DER);
        var count = 0;
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(SignedData);
            using (writer.PushSequence(context0))
            using (writer.PushSequence())
            {
                // Version 1: certificates are X.509 alone, and the content is plain data (RFC 5652 §5.1).
                writer.WriteInteger(1);
                using (writer.PushSetOf())
                {
                    // No digest algorithm, as nothing is digested.
                }
                using (writer.PushSequence())
                    writer.WriteObjectIdentifier(Data);
                // A SEQUENCE by its writer, which keeps the order; on the wire its tag is [0] either way.
                using (writer.PushSequence(context0))
                {
                    foreach (var certificate in certificates)
                    {
                        if (!Der.TryCheck(certificate.Span, "certificate", out var reason))
                            throw new ArgumentException(reason, nameof(certificates));
                        if (certificate.Span[0] != Der.Sequence)
                            throw new ArgumentException($"the certificate begins with the tag 0x{certificate.Span[0]:x2}, not with that of a SEQUENCE", nameof(certificates));
                        writer.WriteEncodedValue(certificate.Span);
                        count++;
                    }
                }
                using (writer.PushSetOf())
                {
                    // No signer.
                }
            }
        }
        return count > 0 ? writer.Encode() : throw new ArgumentException("there is no certificate to send", nameof(certificates));
    }
}
