using System.Security.Cryptography;
using System.Text.Json;
using Provisioner.Protocols.AwsSigning;

namespace Provisioner.Aws.Credentials;

/// <summary>A certificate with its key.</summary>
internal sealed record SessionIdentity(byte[] Certificate, byte[] Serial, AsymmetricAlgorithm Key);

/// <summary>CreateSession of IAM Roles Anywhere: the operation that is in no SDK.</summary>
internal sealed class SessionClient(AwsConnection connection, AwsEndpoints endpoints, TimeProvider time)
{
    public const string Operation = "rolesanywhere:CreateSession";

    /// <param name="sessionName">Null for the certificate's serial number.</param>
    /// <exception cref="AwsException">Refused, or nobody answers.</exception>
    public async Task<AwsKeys> CreateSessionAsync(SessionIdentity identity, string trustAnchorArn, string profileArn, string roleArn, string? sessionName, int durationSeconds, CancellationToken cancellation)
    {
        var region = Clusters.ClusterTexts.RegionOf(trustAnchorArn)!;
        var endpoint = endpoints.Of(RolesAnywhereSigning.Service, region);
        var signed = new CreateSessionCall
        {
            Region = region,
            Host = endpoint.Authority,
            TrustAnchorArn = trustAnchorArn,
            ProfileArn = profileArn,
            RoleArn = roleArn,
            RoleSessionName = sessionName,
            DurationSeconds = durationSeconds,
            Certificate = identity.Certificate,
            Serial = identity.Serial,
        }.Sign(identity.Key, time.GetUtcNow());
        var body = await connection.SendAsync(Operation, HttpMethod.Post, new Uri(endpoint, signed.Target), signed.Headers, signed.Body, cancellation);
        try
        {
            using var json = JsonDocument.Parse(body);
            var keys = json.RootElement.GetProperty("credentialSet")[0].GetProperty("credentials");
            return new AwsKeys(keys.GetProperty("accessKeyId").GetString()!, keys.GetProperty("secretAccessKey").GetString()!, keys.GetProperty("sessionToken").GetString(),
                keys.GetProperty("expiration").GetDateTimeOffset());
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or IndexOutOfRangeException)
        {
            // Not as inner exception: its message may quote what was read.
            throw new AwsException(Operation, 200, "Unreadable", "the answer is not one of CreateSession");
        }
    }
}
