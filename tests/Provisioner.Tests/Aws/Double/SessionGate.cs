using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Provisioner.Protocols.AwsSigning;

namespace Provisioner.AwsDoubles;

/// <summary>CreateSession: everything that IAM Roles Anywhere looks at before it gives credentials.</summary>
internal sealed partial class SessionGate(AwsAccount account, TimeProvider time)
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(5);

    private static readonly string[] StrongSignatures =
    [
        "1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4", "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13",
    ];

    public JsonObject Create(SignedRequest request)
    {
        var header = Authorization(request);
        using var certificate = Certificate(request);
        Signed(request, header, certificate);
        var body = Body(request);
        string Argument(string name) => request.Parameter(name) ?? body[name]?.GetValue<string>() ?? throw AwsRefusal.Invalid($"{name} is missing");

        var anchor = account.Anchors.Values.FirstOrDefault(a => a.Arn == Argument("trustAnchorArn")) ?? throw AwsRefusal.Missing("Trust anchor not found");
        var profile = account.Profiles.Values.FirstOrDefault(p => p.Arn == Argument("profileArn")) ?? throw AwsRefusal.Missing("Profile not found");
        var name = certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false);
        var subject = account.Subjects.GetOrAdd(name, _ => new DoubleSubject { Id = AwsAccount.NewId(), Name = name });
        try
        {
            Trusted(anchor, certificate, request);
            var session = Allowed(anchor, profile, Argument("roleArn"), body, certificate, name);
            See(subject, header, certificate, failed: false);
            return session;
        }
        catch (AwsRefusal)
        {
            See(subject, header, certificate, failed: true);
            throw;
        }
    }

    private AuthorizationHeader Authorization(SignedRequest request)
    {
        if (!AuthorizationHeader.TryParse(request.Header("authorization"), out var header, out var reason))
            throw AwsRefusal.Invalid($"Unreadable Authorization header: {reason}");
        if (header.Scope.Service != "rolesanywhere" || header.Scope.Region != account.Region)
            throw AwsRefusal.Denied($"Credential should be scoped to rolesanywhere in {account.Region}");
        if (!AmzDate.TryParse(request.Header("x-amz-date"), out var at) || header.Scope.Date != request.Header("x-amz-date")[..8])
            throw AwsRefusal.Invalid("X-Amz-Date is missing, or of another day than the scope");
        if ((time.GetUtcNow() - at).Duration() > Window)
            throw AwsRefusal.Denied("Signature expired: X-Amz-Date is too far from the current time");
        foreach (var name in new[] { "host", "x-amz-date", "x-amz-x509" })
        {
            if (!header.SignedHeaders.Contains(name))
                throw AwsRefusal.Denied($"{name} must be signed");
        }
        if (request.Request.Headers.ContainsKey("x-amz-x509-chain") && !header.SignedHeaders.Contains("x-amz-x509-chain"))
            throw AwsRefusal.Denied("x-amz-x509-chain must be signed");
        return header;
    }

    private static X509Certificate2 Certificate(SignedRequest request)
    {
        try
        {
            return X509CertificateLoader.LoadCertificate(Convert.FromBase64String(request.Header("x-amz-x509")));
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            throw AwsRefusal.Invalid("X-Amz-X509 is not a certificate");
        }
    }

    private static void Signed(SignedRequest request, AuthorizationHeader header, X509Certificate2 certificate)
    {
        if (header.Credential != Decimal(certificate))
            throw AwsRefusal.Denied("The serial number in Credential is not the certificate's");
        var text = Encoding.UTF8.GetBytes(SignedRequest.StringToSign(header.Algorithm, request.Header("x-amz-date"), header.Scope, request.Canonical(header.SignedHeaders)));
        var signature = Convert.FromHexString(header.Signature);
        using var ec = certificate.GetECDsaPublicKey();
        using var rsa = certificate.GetRSAPublicKey();
        var right = header.Algorithm switch
        {
            "AWS4-X509-ECDSA-SHA256" => ec?.VerifyData(text, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence) ?? false,
            "AWS4-X509-RSA-SHA256" => rsa?.VerifyData(text, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1) ?? false,
            _ => throw AwsRefusal.Invalid("Unknown algorithm"),
        };
        if (!right)
            throw AwsRefusal.Denied("The request signature does not match");
    }

    // https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html
    private void Trusted(DoubleAnchor anchor, X509Certificate2 certificate, SignedRequest request)
    {
        if (!anchor.Enabled)
            throw AwsRefusal.Denied("Trust anchor is disabled");
        if (certificate.Version != 3)
            throw AwsRefusal.Denied("Untrusted certificate: not X.509 version 3");
        if (certificate.Extensions.OfType<X509BasicConstraintsExtension>().FirstOrDefault() is not { CertificateAuthority: false })
            throw AwsRefusal.Denied("Untrusted certificate: basic constraints must include CA: false");
        if (certificate.Extensions.OfType<X509KeyUsageExtension>().FirstOrDefault()?.KeyUsages.HasFlag(X509KeyUsageFlags.DigitalSignature) != true)
            throw AwsRefusal.Denied("Untrusted certificate: key usage must include digital signature");
        if (!StrongSignatures.Contains(certificate.SignatureAlgorithm.Value, StringComparer.Ordinal))
            throw AwsRefusal.Denied("Untrusted certificate: its signature must be of SHA-256 or stronger");
        var now = time.GetUtcNow();
        if (now < new DateTimeOffset(certificate.NotBefore) || now > new DateTimeOffset(certificate.NotAfter))
            throw AwsRefusal.Denied("Untrusted certificate: expired, or not yet valid");
        var trusted = new X509Certificate2Collection();
        trusted.ImportFromPem(anchor.Pem);
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
        chain.ChainPolicy.VerificationTime = now.UtcDateTime;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.CustomTrustStore.AddRange(trusted);
        foreach (var part in request.Header("x-amz-x509-chain").Split(',', StringSplitOptions.RemoveEmptyEntries))
            chain.ChainPolicy.ExtraStore.Add(X509CertificateLoader.LoadCertificate(Convert.FromBase64String(part)));
        // An anchor need not be a root; the chain has to reach it, with every signature right.
        if (!chain.Build(certificate) || !chain.ChainElements.Skip(1).Any(e => trusted.Any(t => t.RawDataMemory.Span.SequenceEqual(e.Certificate.RawDataMemory.Span))))
            throw AwsRefusal.Denied("Untrusted certificate: it does not chain to the trust anchor");
        var serial = Convert.ToHexStringLower(certificate.SerialNumberBytes.Span.TrimStart((byte)0));
        if (account.Crls.Values.Where(c => c.Enabled && c.AnchorArn == anchor.Arn).Select(c => RevocationList.Read(c.Pem))
            .Any(l => l.Issuer.AsSpan().SequenceEqual(certificate.IssuerName.RawData) && l.Serials.Contains(serial)))
            throw AwsRefusal.Denied("Certificate revoked");
    }

    private JsonObject Allowed(DoubleAnchor anchor, DoubleProfile profile, string roleArn, JsonObject body, X509Certificate2 certificate, string commonName)
    {
        if (!profile.Enabled)
            throw AwsRefusal.Denied("Profile is disabled");
        if (!profile.RoleArns.Contains(roleArn))
            throw AwsRefusal.Denied($"Role {roleArn} is not in the profile");
        var role = account.Roles.Values.FirstOrDefault(r => r.Arn == roleArn) ?? throw AwsRefusal.Denied("Unable to assume role: there is none");
        var given = body["roleSessionName"]?.GetValue<string>();
        if (given is not null && !profile.AcceptRoleSessionName)
            throw AwsRefusal.Denied("The profile does not accept a role session name");
        if (given is not null && !SessionName().IsMatch(given))
            throw AwsRefusal.Invalid("roleSessionName has characters that STS does not take");
        var duration = body["durationSeconds"]?.GetValue<int>() ?? profile.DurationSeconds;
        if (duration < 900 || duration > Math.Min(profile.DurationSeconds, role.MaxSessionDuration))
            throw AwsRefusal.Invalid($"durationSeconds must be from 900 to {Math.Min(profile.DurationSeconds, role.MaxSessionDuration)}");
        var session = given ?? certificate.SerialNumber.ToLowerInvariant();
        var context = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["aws:SourceArn"] = anchor.Arn,
            ["aws:SourceAccount"] = account.Id,
            ["sts:RoleSessionName"] = session,
            ["aws:PrincipalTag/x509Subject/CN"] = commonName,
        };
        foreach (var action in new[] { "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity" })
        {
            if (!TrustPolicy.Allows(role.Trust, "rolesanywhere.amazonaws.com", action, context))
                throw AwsRefusal.Denied($"Unable to assume role: its trust policy does not allow {action}");
        }
        var arn = $"arn:aws:sts::{account.Id}:assumed-role/{role.Name}/{session}";
        var keys = DoubleKeys.New(arn, role, Convert.ToBase64String(RandomNumberGenerator.GetBytes(120)), time.GetUtcNow() + TimeSpan.FromSeconds(duration));
        account.Keys[keys.AccessKeyId] = keys;
        return new JsonObject
        {
            ["credentialSet"] = new JsonArray(new JsonObject
            {
                ["assumedRoleUser"] = new JsonObject { ["arn"] = arn, ["assumedRoleId"] = $"AROA:{session}" },
                ["credentials"] = new JsonObject
                {
                    ["accessKeyId"] = keys.AccessKeyId,
                    ["secretAccessKey"] = keys.SecretAccessKey,
                    ["sessionToken"] = keys.SessionToken,
                    ["expiration"] = keys.Expiration!.Value.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
                },
                ["packedPolicySize"] = 1,
                ["roleArn"] = role.Arn,
                ["sourceIdentity"] = $"CN={commonName}",
            }),
            ["subjectArn"] = $"arn:aws:rolesanywhere:{account.Region}:{account.Id}:subject/{account.Subjects[commonName].Id}",
        };
    }

    private void See(DoubleSubject subject, AuthorizationHeader header, X509Certificate2 certificate, bool failed)
    {
        subject.LastSeenAt = time.GetUtcNow();
        subject.Credentials[header.Credential] = (subject.LastSeenAt, failed, certificate.RawData);
    }

    private static JsonObject Body(SignedRequest request)
    {
        try
        {
            return request.Body.Length == 0 ? [] : JsonNode.Parse(request.Body)!.AsObject();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw AwsRefusal.Invalid("The body is not a JSON object");
        }
    }

    private static string Decimal(X509Certificate2 certificate) => new BigInteger(certificate.SerialNumberBytes.Span, isUnsigned: true, isBigEndian: true).ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\A[\w+=,.@-]{2,64}\z", RegexOptions.NonBacktracking)]
    private static partial Regex SessionName();
}
