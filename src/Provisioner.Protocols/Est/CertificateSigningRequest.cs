using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Provisioner.Protocols.Est;

/// <summary>
/// A certification request (PKCS #10, RFC 2986) whose sender holds the private key: there is no other, as reading verifies the
/// signature. What it says of names is what its sender would like to be called, no more.
/// </summary>
public sealed class CertificateSigningRequest
{
    /// <summary>Requests beyond this are refused: one for RSA 8192 with fifty names has 4 KiB.</summary>
    public const int MaximumLength = 16 * 1024;

    private const string ExtensionRequest = "1.2.840.113549.1.9.14";
    private const string ChallengePasswordAttribute = "1.2.840.113549.1.9.7";
    private const string CommonName = "2.5.4.3";
    private const string SubjectAlternativeName = "2.5.29.17";
    private const string BasicConstraints = "2.5.29.19";
    private const byte DnsName = 0x82;

    private readonly List<string> commonNames = [];
    private readonly List<string> dnsNames = [];
    private readonly List<string> requestedExtensions = [];

    private CertificateSigningRequest(ReadOnlySpan<byte> subject, ReadOnlySpan<byte> subjectPublicKeyInfo, PublicKeyKind key)
    {
        Subject = subject.ToArray();
        SubjectPublicKeyInfo = subjectPublicKeyInfo.ToArray();
        Key = key;
    }

    /// <summary>DER of the public key with its algorithm. It has passed <see cref="PublicKeyRules"/>.</summary>
    public ReadOnlyMemory<byte> SubjectPublicKeyInfo { get; }

    /// <summary>What kind of key it is.</summary>
    public PublicKeyKind Key { get; }

    /// <summary>DER of the Name, as sent. It may be empty.</summary>
    public ReadOnlyMemory<byte> Subject { get; }

    /// <summary>The subject's common names, in order.</summary>
    public IReadOnlyList<string> CommonNames => commonNames;

    /// <summary>The names of kind DNS in the requested subjectAltName, in order.</summary>
    public IReadOnlyList<string> DnsNames => dnsNames;

    /// <summary>The requested subjectAltName holds names of another kind: addresses, mail, URI, directory.</summary>
    public bool HasOtherNames { get; private set; }

    /// <summary>It asks for a CA's certificate: basicConstraints with cA TRUE.</summary>
    public bool AsksForAuthority { get; private set; }

    /// <summary>The object identifiers of the requested extensions, in order.</summary>
    public IReadOnlyList<string> RequestedExtensions => requestedExtensions;

    /// <summary>The attribute challengePassword (RFC 2985 §5.4.1): a secret, or the binding to a TLS session of RFC 7030 §3.5.</summary>
    public string? ChallengePassword { get; private set; }

    /// <summary>Reads a request and verifies that it is signed by the private key of the public key in it (RFC 7030 §3.4).</summary>
    /// <param name="der">The request, whole.</param>
    /// <param name="request">What it says.</param>
    /// <param name="reason">When false is returned: why it is refused.</param>
    /// <remarks>Any bytes at all may be given; nothing is thrown.</remarks>
    public static bool TryParse(ReadOnlySpan<byte> der, [NotNullWhen(true)] out CertificateSigningRequest? request, [NotNullWhen(false)] out string? reason)
    {
        request = null;
        if (der.Length > MaximumLength)
        {
            reason = $"the request has {der.Length} bytes, {MaximumLength} are allowed";
            return false;
        }
        if (!Der.TryCheck(der, "request", out reason))
            return false;
        var outer = new DerReader(der);
        if (!outer.TryRead(Der.Sequence, out var content))
        {
            reason = $"the request begins with the tag 0x{der[0]:x2}, not with that of a SEQUENCE";
            return false;
        }
        var parts = new DerReader(content);
        if (!parts.TryRead(Der.Sequence, out var signed, out var information)
            || !parts.TryRead(Der.Sequence, out var algorithm)
            || !parts.TryRead(Der.BitString, out var signature)
            || !parts.IsEmpty)
        {
            reason = "the request must hold its information, an algorithm and a signature, and nothing else (RFC 2986 §4.2)";
            return false;
        }
        if (!TryParseInformation(information, out var parsed, out reason))
            return false;
        if (signature[0] != 0)
        {
            reason = $"the signature's BIT STRING leaves {signature[0]} bits unused, a signature is whole octets";
            return false;
        }
        if (!SignatureAlgorithm.TryParse(algorithm, parsed.Key.Algorithm, out var signedBy, out reason))
            return false;
        if (!signedBy.Verifies(parsed.SubjectPublicKeyInfo.Span, signed, signature[1..]))
        {
            reason = "the request's signature does not verify with its own public key, so it does not prove possession of the private key";
            return false;
        }
        request = parsed;
        return true;
    }

    /// <summary>Kind of key and names. The challenge password is not told.</summary>
    public override string ToString() =>
        $"request for a {Key} key, common names [{string.Join(", ", commonNames)}], DNS names [{string.Join(", ", dnsNames)}]";

    /// <summary>CertificationRequestInfo (RFC 2986 §4.1).</summary>
    private static bool TryParseInformation(ReadOnlySpan<byte> information, [NotNullWhen(true)] out CertificateSigningRequest? request, [NotNullWhen(false)] out string? reason)
    {
        request = null;
        var reader = new DerReader(information);
        if (!reader.TryRead(Der.Integer, out var version))
        {
            reason = "the request does not begin with a version";
            return false;
        }
        if (version is not [0])
        {
            reason = $"the request's version is 0x{Convert.ToHexStringLower(version[..Math.Min(version.Length, 8)])}, 0 is the only one";
            return false;
        }
        if (!reader.TryRead(Der.Sequence, out var subject, out var names))
        {
            reason = "the request's subject is missing or no SEQUENCE";
            return false;
        }
        if (!reader.TryRead(Der.Sequence, out var publicKey, out _))
        {
            reason = "the request's public key is missing or no SEQUENCE";
            return false;
        }
        // RFC 2986 §4.1 does not make them optional: an empty [0] is written when there is none.
        if (!reader.TryRead(Der.Context0, out var attributes) || !reader.IsEmpty)
        {
            reason = "the request's attributes [0] must be the last of its information, even when there is none";
            return false;
        }
        if (!PublicKeyRules.TryCheck(publicKey, out var key, out reason))
            return false;
        var parsed = new CertificateSigningRequest(subject, publicKey, key);
        if (!parsed.TryReadSubject(names, out reason) || !parsed.TryReadAttributes(attributes, out reason))
            return false;
        request = parsed;
        return true;
    }

    /// <summary>RDNSequence (RFC 5280 §4.1.2.4).</summary>
    private bool TryReadSubject(ReadOnlySpan<byte> names, [NotNullWhen(false)] out string? reason)
    {
        var sequence = new DerReader(names);
        while (!sequence.IsEmpty)
        {
            if (!sequence.TryRead(Der.Set, out var set) || set.IsEmpty)
            {
                reason = "the subject must be a sequence of non-empty SETs";
                return false;
            }
            if (!Der.IsSorted(set))
            {
                reason = "the subject has a SET whose elements are not in DER's order";
                return false;
            }
            var members = new DerReader(set);
            while (!members.IsEmpty)
            {
                if (!members.TryRead(Der.Sequence, out var member))
                {
                    reason = "the subject has an attribute that is no SEQUENCE";
                    return false;
                }
                var parts = new DerReader(member);
                if (!parts.TryRead(Der.ObjectIdentifier, out var type) || !parts.TryReadAny(out var tag, out _, out var value) || !parts.IsEmpty)
                {
                    reason = "the subject has an attribute that is not a type and a value";
                    return false;
                }
                if (Der.Dotted(type) != CommonName)
                    continue;
                if (!DirectoryString.TryRead(tag, value, "subject's common name", out var name, out reason))
                    return false;
                commonNames.Add(name);
            }
        }
        reason = null;
        return true;
    }

    /// <summary>Attributes (RFC 2986 §4.1). Those that mean nothing here are passed over: nothing is issued by them.</summary>
    private bool TryReadAttributes(ReadOnlySpan<byte> attributes, [NotNullWhen(false)] out string? reason)
    {
        if (!Der.IsSorted(attributes))
        {
            reason = "the request's attributes are not in DER's order";
            return false;
        }
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var reader = new DerReader(attributes);
        while (!reader.IsEmpty)
        {
            if (!reader.TryRead(Der.Sequence, out var attribute))
            {
                reason = "the request has an attribute that is no SEQUENCE";
                return false;
            }
            var parts = new DerReader(attribute);
            if (!parts.TryRead(Der.ObjectIdentifier, out var identifier) || !parts.TryRead(Der.Set, out var values) || values.IsEmpty || !parts.IsEmpty)
            {
                reason = "the request has an attribute that is not a type and a SET of values";
                return false;
            }
            var type = Der.Dotted(identifier);
            if (!seen.Add(type))
            {
                reason = $"the request has the attribute {type} twice";
                return false;
            }
            if (type is not (ExtensionRequest or ChallengePasswordAttribute))
                continue;
            var set = new DerReader(values);
            set.TryReadAny(out var tag, out _, out var value);
            if (!set.IsEmpty)
            {
                reason = $"the request's attribute {type} has more than one value";
                return false;
            }
            if (type == ChallengePasswordAttribute)
            {
                if (!DirectoryString.TryRead(tag, value, "challenge password", out var password, out reason))
                    return false;
                ChallengePassword = password;
                continue;
            }
            if (tag != Der.Sequence || value.IsEmpty)
            {
                reason = "the requested extensions are not a non-empty SEQUENCE";
                return false;
            }
            if (!TryReadExtensions(value, out reason))
                return false;
        }
        reason = null;
        return true;
    }

    /// <summary>Extensions (RFC 5280 §4.1), as an attribute by RFC 2985 §5.4.2.</summary>
    private bool TryReadExtensions(ReadOnlySpan<byte> extensions, [NotNullWhen(false)] out string? reason)
    {
        var reader = new DerReader(extensions);
        while (!reader.IsEmpty)
        {
            if (!reader.TryRead(Der.Sequence, out var extension))
            {
                reason = "a requested extension is no SEQUENCE";
                return false;
            }
            var parts = new DerReader(extension);
            if (!parts.TryRead(Der.ObjectIdentifier, out var identifier))
            {
                reason = "a requested extension does not begin with an OBJECT IDENTIFIER";
                return false;
            }
            var type = Der.Dotted(identifier);
            if (parts.TryRead(Der.Boolean, out var critical) && critical is [0])
            {
                reason = $"the requested extension {type} writes critical FALSE, which DER leaves out";
                return false;
            }
            if (!parts.TryRead(Der.OctetString, out var value) || !parts.IsEmpty)
            {
                reason = $"the requested extension {type} must end with its value in an OCTET STRING";
                return false;
            }
            if (requestedExtensions.Contains(type))
            {
                reason = $"the extension {type} is requested twice";
                return false;
            }
            requestedExtensions.Add(type);
            if (type == SubjectAlternativeName && !TryReadAlternativeName(value, out reason))
                return false;
            if (type == BasicConstraints && !TryReadBasicConstraints(value, out reason))
                return false;
        }
        reason = null;
        return true;
    }

    /// <summary>GeneralNames (RFC 5280 §4.2.1.6).</summary>
    private bool TryReadAlternativeName(ReadOnlySpan<byte> value, [NotNullWhen(false)] out string? reason)
    {
        if (!Der.TryCheck(value, "requested subjectAltName", out reason))
            return false;
        var outer = new DerReader(value);
        if (!outer.TryRead(Der.Sequence, out var names) || names.IsEmpty)
        {
            reason = "the requested subjectAltName is not a non-empty SEQUENCE";
            return false;
        }
        var reader = new DerReader(names);
        while (reader.TryReadAny(out var tag, out _, out var name))
        {
            if (tag != DnsName)
            {
                // Context-specific and one of the nine choices, [0] to [8].
                if ((tag & 0xC0) != 0x80 || (tag & 0x1F) > 8)
                {
                    reason = $"the requested subjectAltName has a name with the tag 0x{tag:x2}, which is no kind of name";
                    return false;
                }
                HasOtherNames = true;
                continue;
            }
            if (name.IsEmpty || name.ContainsAnyExceptInRange((byte)0x21, (byte)0x7E))
            {
                reason = name.IsEmpty
                    ? "the requested subjectAltName has an empty DNS name"
                    : "the requested subjectAltName has a DNS name with an octet that is no visible ASCII character";
                return false;
            }
            dnsNames.Add(Encoding.ASCII.GetString(name));
        }
        return true;
    }

    /// <summary>BasicConstraints (RFC 5280 §4.2.1.9).</summary>
    private bool TryReadBasicConstraints(ReadOnlySpan<byte> value, [NotNullWhen(false)] out string? reason)
    {
        if (!Der.TryCheck(value, "requested basicConstraints", out reason))
            return false;
        var outer = new DerReader(value);
        if (!outer.TryRead(Der.Sequence, out var content))
        {
            reason = "the requested basicConstraints is no SEQUENCE";
            return false;
        }
        var reader = new DerReader(content);
        var isAuthority = reader.TryRead(Der.Boolean, out var flag) && flag is [0xFF];
        if (flag is [0])
        {
            reason = "the requested basicConstraints writes cA FALSE, which DER leaves out";
            return false;
        }
        reader.TryRead(Der.Integer, out _);
        if (!reader.IsEmpty)
        {
            reason = "the requested basicConstraints holds more than cA and pathLenConstraint";
            return false;
        }
        AsksForAuthority = isAuthority;
        return true;
    }
}
