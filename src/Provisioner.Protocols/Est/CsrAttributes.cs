using System.Formats.Asn1;

namespace Provisioner.Protocols.Est;

/// <summary>What a request for a certificate should hold, told to clients that ask (RFC 7030 §4.5.2).</summary>
public static class CsrAttributes
{
    private const string EcPublicKey = "1.2.840.10045.2.1";
    private const string P256 = "1.2.840.10045.3.1.7";
    private const string EcdsaWithSha256 = "1.2.840.10045.4.3.2";

    /// <summary>
    /// A key on P-256, signed by ECDSA with SHA-256. Names are not asked for, as the certificate's come from the Host; nor is
    /// challengePassword, as a request is bound to its connection by the one-time token or by the client's certificate, not by RFC 7030 §3.5.
    /// </summary>
    public static byte[] Encode()
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            // An Attribute whose type is the key's algorithm and whose value its curve, as in the example of RFC 7030 §4.5.2.
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(EcPublicKey);
                using (writer.PushSetOf())
                    writer.WriteObjectIdentifier(P256);
            }
            writer.WriteObjectIdentifier(EcdsaWithSha256);
        }
        return writer.Encode();
    }
}
