using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Aws.Credentials;
using Provisioner.Certificates;
using Provisioner.Clusters;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Aws.Setup;

/// <summary>What Roles Anywhere answered for a host.</summary>
/// <param name="RefusedBy">The anchor, profile, role, trust policy or certificate; null when it was let in.</param>
/// <param name="Said">What AWS said, or until when the session is good.</param>
internal sealed record TrialOutcome(bool Accepted, string? RefusedBy, string Said, IReadOnlyList<Finding> Findings);

/// <summary>
/// Proves that a host will be let in before it does: asks for a session as that host would, with a certificate for its name that is good for some
/// minutes, and a key that is thrown away. The session is given up at once.
/// </summary>
internal sealed class HostTrial(SessionClient sessions, CertificateAuthority authority, CurrentState state, StateWriter writer, ClusterCheck check, TimeProvider time)
{
    private const int SessionSeconds = 900;

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    /// <exception cref="ChangeRefusedException">It has no cluster, or that has no ARNs.</exception>
    /// <exception cref="NoAwsCredentialsException">No certificate is issued now.</exception>
    public async Task<TrialOutcome> RunAsync(Host host, Cluster cluster, CancellationToken ct)
    {
        var spec = cluster.Spec;
        var missing = new[] { ("trustAnchorArn", spec.TrustAnchorArn), ("profileArn", spec.ProfileArn), ("roleArn", spec.RoleArn) }.Where(f => f.Item2 is null).Select(f => $"spec.{f.Item1}").ToList();
        if (missing.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"Cluster {cluster.Name} has no {string.Join(", ", missing)}") { Expected = $"'provisioner aws apply {cluster.Name}' first, or the ARNs by hand" }]);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        // Not in the record as the host's: it would count as its newest certificate, and the host as enrolled.
        var certificate = await ApplianceCertificate.IssueAsync(authority, state, writer, host.Name, $"aws-test/{host.Name}", new PublicKey(key), Lifetime, $"to try whether Roles Anywhere lets {host.Name} in", time.GetUtcNow(), ct);
        try
        {
            var identity = new SessionIdentity(certificate.Der, Convert.FromHexString(certificate.Serial), key);
            var keys = await sessions.CreateSessionAsync(identity, spec.TrustAnchorArn!, spec.ProfileArn!, spec.RoleArn!, host.Name, SessionSeconds, ct);
            return new TrialOutcome(true, null, $"a session until {keys.Expiration:u}", []);
        }
        catch (AwsException e)
        {
            if (e.IsPassing)
                return new TrialOutcome(false, "connection", e.Message, []);
            var findings = await check.TryRunAsync(cluster, ct);
            return new TrialOutcome(false, Culprit(findings, e), $"{e.Said} ({e.Code}, HTTP {e.Status})", findings);
        }
    }

    // What stands there is surer than the wording of a refusal, which AWS may change.
    private static string Culprit(IReadOnlyList<Finding> findings, AwsException refusal)
    {
        foreach (var (prefix, name) in new[] { ("anchor-", "trust anchor"), ("profile-", "profile"), ("trust-", "trust policy"), ("role-missing", "role") })
        {
            if (findings.Any(f => !f.IsWarning && f.Code.StartsWith(prefix, StringComparison.Ordinal)))
                return name;
        }
        foreach (var (word, name) in new[] { ("session name", "profile"), ("trust policy", "trust policy"), ("assume", "trust policy"), ("anchor", "trust anchor"), ("profile", "profile"), ("certificate", "certificate"), ("revoked", "certificate"), ("role", "role"), ("signature", "clock") })
        {
            if (refusal.Said.Contains(word, StringComparison.OrdinalIgnoreCase))
                return name;
        }
        return refusal.IsDenied ? "trust policy" : "request";
    }
}

/// <summary><c>aws check</c>: reads what is there and says what is wrong with it.</summary>
internal sealed class ClusterCheck(ClusterReader reader, AwsOptions options, CurrentState state, ServedRevocationLists served, IAwsCredentials credentials, TimeProvider time)
{
    /// <exception cref="NoAwsCredentialsException">Nothing can be read.</exception>
    /// <exception cref="AwsException">AWS cannot be reached; says what to do.</exception>
    public async Task<IReadOnlyList<Finding>> RunAsync(Cluster cluster, CancellationToken ct)
    {
        var ownRole = options.Credentials == AwsCredentialsKind.RolesAnywhere ? options.RoleArn : null;
        ClusterReading reading;
        try
        {
            reading = await reader.ReadAsync(cluster, ownRole, ct);
        }
        catch (AwsException e) when (e.Status == 0)
        {
            throw new AwsException(e.Operation, e.Status, e.Code, $"{e.Said.TrimEnd('.')}. Let the appliance reach it (DNS, proxy, firewall, aws.endpoint), then check again", e);
        }
        var snapshot = state.Snapshot;
        var account = reading.Cluster?.Arn.Split(':') is [_, _, _, _, { Length: 12 } id, ..] ? id : null;
        var lists = snapshot.Authorities.Values.Where(a => a.IsLive).Select(a => served.Of(a.Id)).OfType<ServedRevocationList>().ToList();
        return ClusterFindings.Of(reading, new ClusterFacts(AwsPlan.For(cluster, snapshot, options.CommonName, account), snapshot, lists, time.GetUtcNow()) { OwnRole = ownRole });
    }

    /// <summary>None when nothing can be read.</summary>
    public async Task<IReadOnlyList<Finding>> TryRunAsync(Cluster cluster, CancellationToken ct)
    {
        try
        {
            return credentials.IsConfigured ? await RunAsync(cluster, ct) : [];
        }
        catch (Exception e) when (e is NoAwsCredentialsException or AwsException)
        {
            return [];
        }
    }
}
