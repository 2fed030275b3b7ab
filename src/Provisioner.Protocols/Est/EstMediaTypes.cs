namespace Provisioner.Protocols.Est;

/// <summary>The media types of the bodies that EST carries (RFC 7030 §3.2.4).</summary>
public static class EstMediaTypes
{
    /// <summary>A certification request, what a client sends to <c>simpleenroll</c> and <c>simplereenroll</c>.</summary>
    public const string CertificationRequest = "application/pkcs10";

    /// <summary>Certificates without a signature over them, what <c>simpleenroll</c> and <c>simplereenroll</c> answer.</summary>
    public const string CertsOnly = "application/pkcs7-mime; smime-type=certs-only";

    /// <summary>The CA's certificates: <c>cacerts</c> answers without the parameter (RFC 7030 §4.1.3).</summary>
    public const string CaCertificates = "application/pkcs7-mime";

    /// <summary>What a request should hold, what <c>csrattrs</c> answers.</summary>
    public const string CsrAttributes = "application/csrattrs";
}
