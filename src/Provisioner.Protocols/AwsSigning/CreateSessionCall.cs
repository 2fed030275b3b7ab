using System.Buffers;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;

namespace Provisioner.Protocols.AwsSigning;

/// <summary>
/// What is asked of CreateSession (https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-create-session.html): the one operation
/// of Roles Anywhere that no SDK knows, because the certificate's key signs it.
/// </summary>
public sealed record CreateSessionCall
{
    /// <summary>The trust anchor's.</summary>
    public required string Region { get; init; }

    /// <summary>As in <c>rolesanywhere.eu-west-1.amazonaws.com</c>, with the port where it is not the scheme's own.</summary>
    public required string Host { get; init; }

    /// <summary>Who signed the certificate.</summary>
    public required string TrustAnchorArn { get; init; }

    /// <summary>What the session may be.</summary>
    public required string ProfileArn { get; init; }

    /// <summary>One of the profile's roles.</summary>
    public required string RoleArn { get; init; }

    /// <summary>Null for the certificate's serial number; a name is taken only if the profile has <c>acceptRoleSessionName</c>.</summary>
    public string? RoleSessionName { get; init; }

    /// <summary>From 900 up to what profile and role allow.</summary>
    public int DurationSeconds { get; init; } = 3600;

    /// <summary>The certificate, DER.</summary>
    public required ReadOnlyMemory<byte> Certificate { get; init; }

    /// <summary>Its serial number, big-endian.</summary>
    public required ReadOnlyMemory<byte> Serial { get; init; }

    /// <summary>Certificates between it and the trust anchor, DER; none when the anchor signed it.</summary>
    public ImmutableArray<byte[]> Chain { get; init; } = [];

    /// <summary>Signs it.</summary>
    /// <param name="key">The certificate's.</param>
    public SignedCall Sign(AsymmetricAlgorithm key, DateTimeOffset at)
    {
        var body = Body();
        KeyValuePair<string, string>[] query = [new("profileArn", ProfileArn), new("roleArn", RoleArn), new("trustAnchorArn", TrustAnchorArn)];
        var headers = new List<KeyValuePair<string, string>>
        {
            new("Content-Type", "application/json"),
            new("Host", Host),
            new("X-Amz-Date", AmzDate.Format(at)),
            new("X-Amz-X509", Convert.ToBase64String(Certificate.Span)),
        };
        if (Chain.Length > 0)
            headers.Add(new("X-Amz-X509-Chain", string.Join(',', Chain.Select(Convert.ToBase64String))));
        var algorithm = RolesAnywhereSigning.AlgorithmOf(key);
        var scope = CredentialScope.At(at, Region, RolesAnywhereSigning.Service);
        var canonical = CanonicalRequest.Of("POST", "/sessions", query, headers, CanonicalRequest.Hash(body));
        var signature = RolesAnywhereSigning.Sign(CanonicalRequest.StringToSign(algorithm, at, scope, canonical), key);
        var authorization = new AuthorizationHeader(algorithm, RolesAnywhereSigning.DecimalSerial(Serial.Span), scope,
            [.. headers.Select(h => h.Key.ToLowerInvariant()).Order(StringComparer.Ordinal)], Convert.ToHexStringLower(signature));
        return new SignedCall("/sessions?" + CanonicalRequest.Query(query), [.. headers, new("Authorization", authorization.ToString())], body);
    }

    private byte[] Body()
    {
        var buffer = new ArrayBufferWriter<byte>(64);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("durationSeconds", DurationSeconds);
            if (RoleSessionName is not null)
                json.WriteString("roleSessionName", RoleSessionName);
            json.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}

/// <summary>A request ready to be sent by POST.</summary>
/// <param name="Target">Path and query.</param>
public sealed record SignedCall(string Target, ImmutableArray<KeyValuePair<string, string>> Headers, byte[] Body);
