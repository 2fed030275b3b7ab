using System.Security.Cryptography;
using CsCheck;
using Provisioner.Protocols.Est;

namespace Provisioner.Protocols.Tests.Est;

public sealed class CertificateSigningRequestTests
{
    private const string DoesNotVerify = "the request's signature does not verify with its own public key, so it does not prove possession of the private key";
    private const string CommonNameN1 = "300D 310B 3009 0603550403 0C026E31";

    private static readonly string[] Readable =
    [
        "p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "san", "san-dns", "authority", "no-authority", "challenge", "full-subject",
        "two-names", "no-subject", "pss256", "pss512", "wide-exponent",
    ];

    [Theory]
    [InlineData("p256", "P-256")]
    [InlineData("p384", "P-384")]
    [InlineData("p521", "P-521")]
    [InlineData("rsa2048", "RSA 2048")]
    [InlineData("rsa3072", "RSA 3072")]
    [InlineData("rsa4096", "RSA 4096")]
    [InlineData("rsa8192", "RSA 8192")]
    [InlineData("pss256", "RSA 2048")]
    [InlineData("pss512", "RSA 2048")]
    [InlineData("wide-exponent", "RSA 2048")]
    public void Reads_what_openssl_makes(string fixture, string kind)
    {
        var request = Parse(fixture);
        Assert.Equal(kind, request.Key.ToString());
        Assert.Equal(["n1.example"], request.CommonNames);
        Assert.Empty(request.DnsNames);
        Assert.Empty(request.RequestedExtensions);
        Assert.False(request.HasOtherNames);
        Assert.False(request.AsksForAuthority);
        Assert.Null(request.ChallengePassword);
    }

    [Fact]
    public void Key_and_subject_are_the_bytes_of_the_request()
    {
        var request = Parse("p256");
        using var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(request.SubjectPublicKeyInfo.Span, out var read);
        Assert.Equal(request.SubjectPublicKeyInfo.Length, read);
        Assert.Equal("CN=n1.example", new System.Security.Cryptography.X509Certificates.X500DistinguishedName(request.Subject.Span).Name);
    }

    [Fact]
    public void Agrees_with_the_frameworks_reader()
    {
        foreach (var name in Readable)
        {
            var request = Parse(name);
            // Verifies the signature as well. It wants to be told of PSS, which it does not recognise by itself.
            var theirs = System.Security.Cryptography.X509Certificates.CertificateRequest.LoadSigningRequest(Csr.Fixture(name), HashAlgorithmName.SHA256,
                signerSignaturePadding: name.StartsWith("pss", StringComparison.Ordinal) ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1);
            Assert.Equal(theirs.PublicKey.ExportSubjectPublicKeyInfo(), request.SubjectPublicKeyInfo.ToArray());
            Assert.Equal(theirs.SubjectName.RawData, request.Subject.ToArray());
        }
    }

    [Fact]
    public void Reads_requested_names()
    {
        var request = Parse("san");
        Assert.Equal(["n1.example", "n1"], request.DnsNames);
        Assert.True(request.HasOtherNames);
        Assert.Equal(["2.5.29.17"], request.RequestedExtensions);

        var dnsAlone = Parse("san-dns");
        Assert.Equal(["n1.example"], dnsAlone.DnsNames);
        Assert.False(dnsAlone.HasOtherNames);
        Assert.Equal(["2.5.29.17", "2.5.29.15"], dnsAlone.RequestedExtensions);
    }

    [Fact]
    public void Sees_that_it_asks_for_authority()
    {
        Assert.True(Parse("authority").AsksForAuthority);
        Assert.Equal(["2.5.29.19", "2.5.29.15"], Parse("authority").RequestedExtensions);
        Assert.False(Parse("no-authority").AsksForAuthority);
        Assert.Equal(["2.5.29.19"], Parse("no-authority").RequestedExtensions);
    }

    [Fact]
    public void Reads_the_challenge_password_and_does_not_tell_it()
    {
        var request = Parse("challenge");
        Assert.Equal("tls-unique", request.ChallengePassword);
        Assert.Equal(["n1.example"], request.DnsNames);
        Assert.Equal("request for a P-256 key, common names [n1.example], DNS names [n1.example]", request.ToString());
    }

    [Fact]
    public void Reads_common_names_only_and_all_of_them()
    {
        Assert.Equal(["nöde 1"], Parse("full-subject").CommonNames);
        Assert.Equal(["first", "second"], Parse("two-names").CommonNames);
        Assert.Empty(Parse("no-subject").CommonNames);
        Assert.Equal("3000", Convert.ToHexString(Parse("no-subject").Subject.Span));
    }

    [Theory]
    [InlineData("0C 02 6E31", "n1")]
    [InlineData("13 02 6E31", "n1")]
    [InlineData("14 02 6E31", "n1")]
    [InlineData("16 02 6E31", "n1")]
    [InlineData("1E 04 006E0031", "n1")]
    [InlineData("1C 08 0000006E0001F600", "n😀")]
    public void Reads_names_in_every_encoding(string value, string expected) =>
        Assert.Equal([expected], Parse(Csr.Make(Subject(value))).CommonNames);

    [Theory]
    [InlineData("refused-rsa1024", "the RSA modulus has 1024 bits, 2048 is the least: use EC P-256, P-384, P-521 or RSA 2048 to 8192")]
    [InlineData("refused-e3", "the RSA exponent is 3, 65537 is the least")]
    [InlineData("refused-wide-exponent", "the RSA exponent has 256 bits, with a modulus of more than 3072 bits it must be below 2^64: use 65537")]
    [InlineData("refused-secp256k1", "keys on the curve secp256k1 get no certificate: use EC P-256, P-384, P-521 or RSA 2048 to 8192")]
    [InlineData("refused-brainpool", "keys on the curve brainpoolP256r1 get no certificate: use EC P-256, P-384, P-521 or RSA 2048 to 8192")]
    [InlineData("refused-p224", "keys on the curve P-224 get no certificate: use EC P-256, P-384, P-521 or RSA 2048 to 8192")]
    [InlineData("refused-explicit", "the public key spells out the parameters of its curve: name the curve instead, P-256, P-384 or P-521")]
    [InlineData("refused-compressed", "the public key's point is compressed: send both coordinates, 04 and 64 octets")]
    [InlineData("refused-ed25519", "keys of the algorithm Ed25519 get no certificate: use EC P-256, P-384, P-521 or RSA 2048 to 8192")]
    [InlineData("refused-pss-key", "keys of the algorithm RSASSA-PSS get no certificate: use EC P-256, P-384, P-521 or RSA 2048 to 8192")]
    [InlineData("refused-sha1", "the request is signed with SHA-1: sign it with ECDSA or RSA and SHA-256, SHA-384 or SHA-512")]
    [InlineData("refused-ecdsa-sha1", "the request is signed with SHA-1: sign it with ECDSA or RSA and SHA-256, SHA-384 or SHA-512")]
    [InlineData("refused-md5", "the request is signed with MD5: sign it with ECDSA or RSA and SHA-256, SHA-384 or SHA-512")]
    [InlineData("refused-sha224", "the request is signed with SHA-224: sign it with ECDSA or RSA and SHA-256, SHA-384 or SHA-512")]
    [InlineData("refused-pss-sha1", "the request is signed with RSASSA-PSS and another hash than SHA-256, SHA-384 and SHA-512")]
    [InlineData("refused-pss-salt", "the request is signed with RSASSA-PSS and a salt that is not as long as its hash SHA256: use 32 octets")]
    public void Refuses_weak_keys_and_signatures_that_openssl_makes(string fixture, string expected) =>
        Assert.Equal(expected, ReasonFor(Csr.Fixture(fixture)));

    [Fact]
    public void A_request_by_another_key_proves_nothing()
    {
        // The information of one request, the signature of another: what an eavesdropper could assemble.
        var victim = Csr.Fixture("p256");
        var own = Csr.Make();
        var signature = own[Csr.Signed(own).End..];
        Assert.Equal(DoesNotVerify, ReasonFor(Csr.Tlv(0x30, [.. victim[Csr.Signed(victim)], .. signature])));
    }

    [Fact]
    public void A_changed_name_does_not_verify()
    {
        foreach (var name in Readable.Where(r => r is not ("no-subject" or "full-subject" or "two-names")))
        {
            var request = Csr.Fixture(name);
            request[request.AsSpan().IndexOf("n1.example"u8) + 1] = (byte)'2';
            Assert.Equal(DoesNotVerify, ReasonFor(request));
        }
    }

    [Fact]
    public void Every_flipped_bit_is_refused()
    {
        var request = Csr.Fixture("challenge");
        var doesNotVerify = 0;
        for (var bit = 0; bit < request.Length * 8; bit++)
        {
            request[bit / 8] ^= (byte)(1 << (bit % 8));
            doesNotVerify += ReasonFor(request) == DoesNotVerify ? 1 : 0;
            request[bit / 8] ^= (byte)(1 << (bit % 8));
        }
        // Most of the rest is no DER or no request any more; all of the signature's r and s and the names are among these.
        Assert.InRange(doesNotVerify, 800, request.Length * 8 - 1);
        Parse(request);
    }

    [Fact]
    public void Every_truncation_is_refused()
    {
        foreach (var name in new[] { "p256", "challenge", "rsa2048" })
        {
            var request = Csr.Fixture(name);
            for (var length = 0; length < request.Length; length++)
            {
                var reason = ReasonFor(request.AsSpan(0, length));
                Assert.StartsWith("the request is not DER: ", reason, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Says_what_is_wrong_with_the_encoding()
    {
        var request = Csr.Fixture("p256");
        Assert.Equal("the request is not DER: there is nothing", ReasonFor([]));
        Assert.Equal($"the request is not DER: it ends at byte {request.Length}, but 1 more bytes follow", ReasonFor([.. request, 0]));
        Assert.Equal("the request has 16385 bytes, 16384 are allowed", ReasonFor(new byte[16385]));
        Assert.Equal($"the request is not DER: the element at byte 0 has a length of {request.Length - 3}, but {request.Length - 4} bytes follow", ReasonFor(request.AsSpan(0, request.Length - 1)));
        Assert.Equal("the request is not DER: the element at byte 0 has an indefinite length, which is BER: DER says the length", ReasonFor([0x30, 0x80, .. request.AsSpan(3), 0, 0]));
        Assert.Equal("the request is not DER: the element at byte 0 writes its length 211 in more octets than needed, which is BER", ReasonFor([0x30, 0x82, 0, 211, .. new byte[211]]));
        Assert.Equal("the request is not DER: the element at byte 0 has a length of 4 octets, 3 are enough here", ReasonFor([0x30, 0x84, 0, 0, 0, 1, 0]));
        Assert.Equal("the request begins with the tag 0x02, not with that of a SEQUENCE", ReasonFor([0x02, 0x01, 0x00]));
        Assert.Equal("the request must hold its information, an algorithm and a signature, and nothing else (RFC 2986 §4.2)", ReasonFor([0x30, 0x00]));
    }

    [Theory]
    [InlineData("1F 01 00", "the tag at byte 2 is of the long form, which is for numbers nothing here has")]
    [InlineData("24 03 04 01 00", "the element at byte 2 has the tag 0x24, a value in pieces, which is BER")]
    [InlineData("00 00", "the element at byte 2 is an end-of-contents, which is BER")]
    [InlineData("01 01 01", "the element at byte 2 is a BOOLEAN that is neither 00 nor FF")]
    [InlineData("01 00", "the element at byte 2 is a BOOLEAN that is neither 00 nor FF")]
    [InlineData("04 81 01 00", "the element at byte 2 writes its length 1 in more octets than needed, which is BER")]
    [InlineData("04 81 00", "the element at byte 2 writes its length 0 in more octets than needed, which is BER")]
    [InlineData("04 81", "it is cut short at byte 4")]
    [InlineData("04", "it is cut short at byte 3")]
    [InlineData("02 00", "the element at byte 2 is an INTEGER without a digit")]
    [InlineData("02 02 0001", "the element at byte 2 is an INTEGER with more octets than needed")]
    [InlineData("02 02 FF80", "the element at byte 2 is an INTEGER with more octets than needed")]
    [InlineData("03 00", "the element at byte 2 is a BIT STRING whose count of unused bits is wrong")]
    [InlineData("03 01 01", "the element at byte 2 is a BIT STRING whose count of unused bits is wrong")]
    [InlineData("03 02 0800", "the element at byte 2 is a BIT STRING whose count of unused bits is wrong")]
    [InlineData("03 02 0101", "the element at byte 2 is a BIT STRING whose unused bits are not 0")]
    [InlineData("05 01 00", "the element at byte 2 is a NULL that is not empty")]
    [InlineData("06 00", "the element at byte 2 is an OBJECT IDENTIFIER that does not end")]
    [InlineData("06 02 2A86", "the element at byte 2 is an OBJECT IDENTIFIER that does not end")]
    [InlineData("06 03 2A8001", "the element at byte 2 is an OBJECT IDENTIFIER with an arc of more octets than needed")]
    [InlineData("10 00", "the element at byte 2 is primitive with the tag 0x10, whose type is always constructed")]
    [InlineData("30 03 02 05 00", "the element at byte 4 has a length of 5, but 1 bytes follow")]
    [InlineData("30 03 02 01 00 05 00", null)]
    public void Says_which_element_is_not_DER(string element, string? expected)
    {
        var content = Csr.Hex(element);
        var reason = ReasonFor(Csr.Tlv(0x30, content));
        if (expected is null)
            Assert.StartsWith("the request must hold", reason, StringComparison.Ordinal);
        else
            Assert.Equal("the request is not DER: " + expected, reason);
    }

    [Fact]
    public void Nesting_has_an_end()
    {
        var nested = Csr.Hex("0500");
        for (var depth = 0; depth < 3000; depth++)
            nested = Csr.Tlv(0x30, nested);
        Assert.EndsWith("is nested more than 24 deep", ReasonFor(nested), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("020101", "3000", "A000", "the request's version is 0x01, 0 is the only one")]
    [InlineData("", "3000", "A000", "the request does not begin with a version")]
    [InlineData("020100", "3100", "A000", "the request's subject is missing or no SEQUENCE")]
    [InlineData("020100", "3000", "", "the request's attributes [0] must be the last of its information, even when there is none")]
    [InlineData("020100", "3000", "A000 0500", "the request's attributes [0] must be the last of its information, even when there is none")]
    [InlineData("020100", "3002 3100", "A000", "the subject must be a sequence of non-empty SETs")]
    [InlineData("020100", "3002 0500", "A000", "the subject must be a sequence of non-empty SETs")]
    [InlineData("020100", "3004 3102 0500", "A000", "the subject has an attribute that is no SEQUENCE")]
    [InlineData("020100", "3009 3107 3005 0603550403", "A000", "the subject has an attribute that is not a type and a value")]
    [InlineData("020100", "300D 310B 3009 0603550403 0C020A31", "A000", "the subject's common name has the control character U+000A")]
    [InlineData("020100", "300D 310B 3009 0603550403 0C026E00", "A000", "the subject's common name has the control character U+0000")]
    [InlineData("020100", "300B 3109 3007 0603550403 0C00", "A000", "the subject's common name is empty")]
    [InlineData("020100", "300D 310B 3009 0603550403 0C02C328", "A000", "the subject's common name has octets that its encoding, with the tag 0x0c, does not allow")]
    [InlineData("020100", "300D 310B 3009 0603550403 16026EE9", "A000", "the subject's common name has octets that its encoding, with the tag 0x16, does not allow")]
    [InlineData("020100", "300D 310B 3009 0603550403 1E02D800", "A000", "the subject's common name has octets that its encoding, with the tag 0x1e, does not allow")]
    [InlineData("020100", "300C 310A 3008 0603550403 1E016E", "A000", "the subject's common name has octets that its encoding, with the tag 0x1e, does not allow")]
    [InlineData("020100", "300F 310D 300B 0603550403 1C0400110000", "A000", "the subject's common name has octets that its encoding, with the tag 0x1c, does not allow")]
    [InlineData("020100", "300D 310B 3009 0603550403 04026E31", "A000", "the subject's common name has the tag 0x04, which is no kind of text: use UTF8String")]
    [InlineData("020100", "3018 3116 3009 060355040A 0C026E31 3009 0603550403 0C026E31", "A000", "the subject has a SET whose elements are not in DER's order")]
    [InlineData("020100", CommonNameN1, "A002 0500", "the request has an attribute that is no SEQUENCE")]
    [InlineData("020100", CommonNameN1, "A007 3005 0601 2A 3100", "the request has an attribute that is not a type and a SET of values")]
    [InlineData("020100", CommonNameN1, "A012 3007 06012A 3102 0500 3007 06012A 3102 0500", "the request has the attribute 1.2 twice")]
    [InlineData("020100", CommonNameN1, "A012 3007 06012B 3102 0500 3007 06012A 3102 0500", "the request's attributes are not in DER's order")]
    [InlineData("020100", CommonNameN1, "A015 3013 06092A864886F70D010907 3106 0C0161 0C0162", "the request's attribute 1.2.840.113549.1.9.7 has more than one value")]
    [InlineData("020100", CommonNameN1, "A012 3010 06092A864886F70D010907 3103 0C010A", "the challenge password has the control character U+000A")]
    [InlineData("020100", CommonNameN1, "A011 300F 06092A864886F70D01090E 3102 3000", "the requested extensions are not a non-empty SEQUENCE")]
    [InlineData("020100", CommonNameN1, "A013 3011 06092A864886F70D01090E 3104 3002 0500", "a requested extension is no SEQUENCE")]
    [InlineData("020100", CommonNameN1, "A013 3011 06092A864886F70D01090E 3104 3002 3000", "a requested extension does not begin with an OBJECT IDENTIFIER")]
    public void Says_what_is_wrong_with_a_request_that_is_truly_signed(string version, string subject, string attributes, string expected) =>
        Assert.Equal(expected, ReasonFor(Csr.Make(subject, attributes, version)));

    [Theory]
    [InlineData("3009 0603551D11 0400 0500", "the requested extension 2.5.29.17 must end with its value in an OCTET STRING")]
    [InlineData("300A 0603551D11 010100 0400", "the requested extension 2.5.29.17 writes critical FALSE, which DER leaves out")]
    [InlineData("3007 0603551D11 0400", "the requested subjectAltName is not DER: there is nothing")]
    [InlineData("3009 0603551D11 0402 3000", "the requested subjectAltName is not a non-empty SEQUENCE")]
    [InlineData("300B 0603551D11 0404 3080 0000", "the requested subjectAltName is not DER: the element at byte 0 has an indefinite length, which is BER: DER says the length")]
    [InlineData("300B 0603551D11 0404 3002 8200", "the requested subjectAltName has an empty DNS name")]
    [InlineData("300D 0603551D11 0406 3004 82026E00", "the requested subjectAltName has a DNS name with an octet that is no visible ASCII character")]
    [InlineData("300D 0603551D11 0406 3004 82026E20", "the requested subjectAltName has a DNS name with an octet that is no visible ASCII character")]
    [InlineData("300D 0603551D11 0406 3004 82026EE9", "the requested subjectAltName has a DNS name with an octet that is no visible ASCII character")]
    [InlineData("300C 0603551D11 0405 3003 890161", "the requested subjectAltName has a name with the tag 0x89, which is no kind of name")]
    [InlineData("300B 0603551D11 0404 3002 0C00", "the requested subjectAltName has a name with the tag 0x0c, which is no kind of name")]
    [InlineData("3009 0603551D13 0402 0500", "the requested basicConstraints is no SEQUENCE")]
    [InlineData("300C 0603551D13 0405 3003 010100", "the requested basicConstraints writes cA FALSE, which DER leaves out")]
    [InlineData("300E 0603551D13 0407 3005 0101FF 0500", "the requested basicConstraints holds more than cA and pathLenConstraint")]
    [InlineData("3007 0603551D0F 0400 3007 0603551D0F 0400", "the extension 2.5.29.15 is requested twice")]
    public void Says_what_is_wrong_with_a_requested_extension(string extension, string expected) =>
        Assert.Equal(expected, ReasonFor(Csr.Make(attributes: Csr.Extensions(extension))));

    [Fact]
    public void Unknown_attributes_and_extensions_are_passed_over()
    {
        var request = Parse(Csr.Make(CommonNameN1, "A009 3007 06012A 3102 0500"));
        Assert.Equal(["n1"], request.CommonNames);
        // 2.25 is followed by a UUID, an arc of 128 bits.
        request = Parse(Csr.Make(attributes: Csr.Extensions("3017 0613 6983D6A2F1C5E0B8F6D5C4B3A2918FFEFD7F7F 0400")));
        Assert.StartsWith("2.25.", Assert.Single(request.RequestedExtensions), StringComparison.Ordinal);
    }

    [Fact]
    public void Only_one_encoding_of_a_signature_is_accepted()
    {
        // r written with a zero more, the lengths made right.
        var request = Csr.Make();
        var signed = Csr.Signed(request);
        var rest = request[signed.End..];
        var signature = rest[(12 + 3)..];
        var padded = Csr.Tlv(0x30, [0x02, (byte)(signature[3] + 1), 0, .. signature[4..]]);
        Assert.Equal(DoesNotVerify, ReasonFor(Csr.Tlv(0x30, [.. request[signed], .. rest[..12], .. Csr.Tlv(0x03, [0, .. padded])])));
        Assert.Equal(DoesNotVerify, ReasonFor(Csr.Tlv(0x30, [.. request[signed], .. rest[..12], .. Csr.Tlv(0x03, [0, .. signature, 0])])));
        Assert.Equal("the signature's BIT STRING leaves 1 bits unused, a signature is whole octets",
            ReasonFor(Csr.Tlv(0x30, [.. request[signed], .. rest[..12], .. Csr.Tlv(0x03, [1, .. signature, 0])])));
    }

    [Theory]
    [InlineData("300A 06082A8648CE3D040302", null)]
    [InlineData("300C 06082A8648CE3D040302 0500", "the signature's algorithm has parameters that it does not take: ECDSA has none")]
    [InlineData("300D 06092A864886F70D01010B 0500", "the request is signed with RSA, but its key is an EC key")]
    [InlineData("3003 06012A", "the request is signed with the algorithm 1.2: sign it with ECDSA or RSA and SHA-256, SHA-384 or SHA-512")]
    [InlineData("3000", "the signature's algorithm does not begin with an OBJECT IDENTIFIER")]
    public void The_algorithm_of_the_signature_must_fit(string algorithm, string? expected)
    {
        var request = Csr.Make();
        var signed = Csr.Signed(request);
        var signature = request[signed.End..][12..];
        var changed = Csr.Tlv(0x30, [.. request[signed], .. Csr.Hex(algorithm), .. signature]);
        if (expected is null)
            Parse(changed);
        else
            Assert.Equal(expected, ReasonFor(changed));
    }

    [Fact]
    public void Parameters_of_an_RSA_signature_may_be_absent()
    {
        // RFC 4055 §5 asks to accept it.
        var request = Csr.Fixture("rsa2048");
        var signed = Csr.Signed(request);
        var signature = request[signed.End..][15..];
        Parse(Csr.Tlv(0x30, [.. request[signed], .. Csr.Hex("300B 06092A864886F70D01010B"), .. signature]));
        Assert.Equal("the request is signed with ECDSA, but its key is an RSA key",
            ReasonFor(Csr.Tlv(0x30, [.. request[signed], .. Csr.Hex("300A 06082A8648CE3D040302"), .. signature])));
    }

    [Theory]
    [InlineData("300D 0609608648016503040201 0500", "300D 0609608648016503040201 0500", "020120", "", null)]
    [InlineData("300B 0609608648016503040201", "300B 0609608648016503040201", "020120", "", null)]
    [InlineData("300D 0609608648016503040201 0500", "300D 0609608648016503040203 0500", "020120", "", "the request is signed with RSASSA-PSS and SHA256, but its mask is not made by MGF1 with the same hash")]
    [InlineData("300D 0609608648016503040201 0500", "300D 0609608648016503040201 3000", "020120", "", "the request is signed with RSASSA-PSS and SHA256, but its mask is not made by MGF1 with the same hash")]
    [InlineData("300D 0609608648016503040201 0500", "300D 0609608648016503040201 0500", "020121", "", "the request is signed with RSASSA-PSS and a salt that is not as long as its hash SHA256: use 32 octets")]
    [InlineData("300D 0609608648016503040201 0500", "300D 0609608648016503040201 0500", "020120", "A303 020101", "the parameters of the signature's algorithm RSASSA-PSS hold more than hash, mask and salt")]
    [InlineData("3007 06052B0E03021A", "3007 06052B0E03021A", "020114", "", "the request is signed with RSASSA-PSS and another hash than SHA-256, SHA-384 and SHA-512")]
    [InlineData("300D 0609608648016503040203 0500", "300D 0609608648016503040203 0500", "020140", "", DoesNotVerify)]
    public void The_parameters_of_PSS_must_fit(string hash, string mask, string salt, string trailer, string? expected)
    {
        byte[] maskAlgorithm = Csr.Tlv(0x30, [.. Csr.Hex("06092A864886F70D010108"), .. Csr.Hex(mask)]);
        byte[] parameters = [.. Csr.Tlv(0xA0, Csr.Hex(hash)), .. Csr.Tlv(0xA1, maskAlgorithm), .. Csr.Tlv(0xA2, Csr.Hex(salt)), .. Csr.Hex(trailer)];
        var algorithm = Csr.Tlv(0x30, [.. Csr.Hex("06092A864886F70D01010A"), .. Csr.Tlv(0x30, parameters)]);
        var request = Csr.Fixture("pss256");
        var signed = Csr.Signed(request);
        var behind = request[signed.End..];
        var changed = Csr.Tlv(0x30, [.. request[signed], .. algorithm, .. behind[(2 + behind[1])..]]);
        if (expected is null)
            Parse(changed);
        else
            Assert.Equal(expected, ReasonFor(changed));
    }

    [Fact]
    public void PSS_without_parameters_is_refused()
    {
        var request = Csr.Fixture("pss256");
        var signed = Csr.Signed(request);
        var behind = request[signed.End..];
        Assert.Equal("the signature's algorithm RSASSA-PSS must have parameters",
            ReasonFor(Csr.Tlv(0x30, [.. request[signed], .. Csr.Hex("300B 06092A864886F70D01010A"), .. behind[(2 + behind[1])..]])));
    }

    [Fact]
    public void Any_bytes_are_a_request_or_a_reason_and_never_an_exception() =>
        Gen.Byte.Array[0, 600].Sample(bytes =>
        {
            var valid = CertificateSigningRequest.TryParse(bytes, out var request, out var reason);
            return !valid && request is null && reason is not null;
        });

    [Fact]
    public void Any_damage_to_a_real_request_is_refused_without_an_exception() =>
        Gen.Select(Gen.Int[0, Readable.Length - 1], Gen.Select(Gen.Int[0, 4000], Gen.Byte).Array[1, 4], Gen.Int[0, 3]).Sample((which, changes, operation) =>
        {
            var original = Csr.Fixture(Readable[which]);
            var bytes = original.ToList();
            foreach (var (at, value) in changes)
            {
                var place = at % bytes.Count;
                switch (operation)
                {
                    case 0 or 1:
                        bytes[place] = value;
                        break;
                    case 2:
                        bytes.Insert(place, value);
                        break;
                    default:
                        bytes.RemoveAt(place);
                        break;
                }
            }
            var valid = CertificateSigningRequest.TryParse(bytes.ToArray(), out var request, out var reason);
            return valid == bytes.SequenceEqual(original) && valid == (request is not null) && valid == (reason is null);
        });

    [Fact]
    public void Any_information_that_is_truly_signed_gives_a_request_or_a_reason()
    {
        // Past the signature's protection: the structure is damaged first and signed then.
        var original = Csr.Make(CommonNameN1, Csr.Extensions(Csr.Extension(17, "3004 82026E31"), Csr.Extension(19, "3003 0101FF")));
        var signed = original[Csr.Signed(original)];
        Gen.Select(Gen.Int[0, signed.Length - 4], Gen.Byte).Array[1, 3].Sample(changes =>
        {
            var content = signed[3..];
            foreach (var (at, value) in changes)
                content[at] = value;
            var valid = CertificateSigningRequest.TryParse(Csr.Sign(content), out var request, out var reason);
            return valid == (request is not null) && valid == (reason is null);
        });
    }

    private static string Subject(string value)
    {
        var member = Csr.Tlv(0x30, Csr.Hex("0603550403" + value));
        return Convert.ToHexString(Csr.Tlv(0x30, Csr.Tlv(0x31, member)));
    }

    private static CertificateSigningRequest Parse(string fixture) => Parse(Csr.Fixture(fixture));

    private static CertificateSigningRequest Parse(byte[] der)
    {
        Assert.True(CertificateSigningRequest.TryParse(der, out var request, out var reason), reason);
        return request;
    }

    private static string ReasonFor(ReadOnlySpan<byte> der)
    {
        Assert.False(CertificateSigningRequest.TryParse(der, out var request, out var reason));
        Assert.Null(request);
        return reason;
    }
}
