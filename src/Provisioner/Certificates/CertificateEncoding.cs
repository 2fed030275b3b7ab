using System.Formats.Asn1;
using System.Security.Cryptography.X509Certificates;

namespace Provisioner.Certificates;

/// <summary>A certificate as octets (RFC 5280 §4.1), read and written without a certificate object.</summary>
/// <remarks>
/// <see cref="CertificateRequest"/> can only give an <see cref="X509Certificate2"/>, for which OpenSSL 3 decodes the public key anew: five
/// to ten times the cost of the signature itself, on the one lane that issues.
/// </remarks>
internal static class CertificateEncoding
{
    private static readonly Asn1Tag Context0 = new(TagClass.ContextSpecific, 0, isConstructed: true);
    private static readonly Asn1Tag Context3 = new(TagClass.ContextSpecific, 3, isConstructed: true);

    /// <summary>The first moment that a UTCTime cannot say (RFC 5280 §4.1.2.5).</summary>
    private static readonly DateTimeOffset EndOfUtcTime = new(2050, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>The same octets as <see cref="CertificateRequest.Create(X500DistinguishedName, X509SignatureGenerator, DateTimeOffset, DateTimeOffset, ReadOnlySpan{byte})"/> makes.</summary>
    /// <param name="serial">A positive number, big-endian.</param>
    public static byte[] Sign(CertificateRequest request, X500DistinguishedName issuer, X509SignatureGenerator generator, DateTimeOffset notBefore, DateTimeOffset notAfter, ReadOnlySpan<byte> serial)
    {
        var algorithm = generator.GetSignatureAlgorithmIdentifier(request.HashAlgorithm);
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence(Context0))
                writer.WriteInteger(2);
            writer.WriteIntegerUnsigned(serial);
            writer.WriteEncodedValue(algorithm);
            writer.WriteEncodedValue(issuer.RawData);
            using (writer.PushSequence())
            {
                WriteTime(writer, notBefore);
                WriteTime(writer, notAfter);
            }
            writer.WriteEncodedValue(request.SubjectName.RawData);
            writer.WriteEncodedValue(request.PublicKey.ExportSubjectPublicKeyInfo());
            using (writer.PushSequence(Context3))
            using (writer.PushSequence())
            {
                foreach (var extension in request.CertificateExtensions)
                    WriteExtension(writer, extension);
            }
        }
        var signed = writer.Encode();
        var signature = generator.SignData(signed, request.HashAlgorithm);
        writer.Reset();
        using (writer.PushSequence())
        {
            writer.WriteEncodedValue(signed);
            writer.WriteEncodedValue(algorithm);
            writer.WriteBitString(signature);
        }
        return writer.Encode();
    }

    /// <summary>The serial as <see cref="Certificate.Serial"/> has it, or null when there is none to be found.</summary>
    /// <param name="der">Any bytes.</param>
    public static string? SerialOf(ReadOnlyMemory<byte> der)
    {
        try
        {
            var signed = new AsnReader(der, AsnEncodingRules.DER).ReadSequence().ReadSequence();
            if (signed.PeekTag().HasSameClassAndValue(Context0))
                signed.ReadSequence(Context0);
            return Convert.ToHexStringLower(signed.ReadIntegerBytes().Span.TrimStart((byte)0));
        }
        catch (AsnContentException)
        {
            return null;
        }
    }

    private static void WriteTime(AsnWriter writer, DateTimeOffset time)
    {
        if (time < EndOfUtcTime)
            writer.WriteUtcTime(time);
        else
            writer.WriteGeneralizedTime(time, omitFractionalSeconds: true);
    }

    private static void WriteExtension(AsnWriter writer, X509Extension extension)
    {
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(extension.Oid!.Value!);
            // DEFAULT FALSE, which DER leaves out (X.690 §11.5).
            if (extension.Critical)
                writer.WriteBoolean(true);
            writer.WriteOctetString(extension.RawData);
        }
    }
}
