using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Certificates;
using Provisioner.Certificates.Keys;
using Provisioner.Events;
using Provisioner.Storage;

namespace Provisioner.Aws.Credentials;

/// <summary>
/// The appliance's credentials by IAM Roles Anywhere. It is its own certificate authority: it issues itself a certificate for a key that is made at
/// each start and stays in memory, and asks for a session well before the last one ends. Many may ask at once; one asks AWS.
/// </summary>
internal sealed class RolesAnywhereCredentials(
    AwsOptions options, SessionClient sessions, CertificateAuthority authority, CurrentState state, StateWriter writer, TimeProvider time, ILogger<RolesAnywhereCredentials> logger) : IAwsCredentials, IDisposable
{
    private const int SessionSeconds = 3600;

    /// <summary>From here on a new session is asked for, and the old one used while there is none.</summary>
    public static readonly TimeSpan RefreshBefore = TimeSpan.FromMinutes(15);

    /// <summary>Less is no use to anybody.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(30);

    /// <summary>Of the certificate; it is renewed at two thirds.</summary>
    private static readonly TimeSpan CertificateLifetime = TimeSpan.FromDays(1);

    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly SemaphoreSlim oneAtATime = new(1, 1);
    private AwsKeys? present;
    private Certificate? certificate;
    private DateTimeOffset notBefore;

    public bool IsConfigured => true;

    public async ValueTask<AwsKeys> GetAsync(CancellationToken cancellation)
    {
        if (Volatile.Read(ref present) is { } keys && Left(keys) > RefreshBefore)
            return keys;
        await oneAtATime.WaitAsync(cancellation);
        try
        {
            keys = present;
            if (keys is not null && (Left(keys) > RefreshBefore || Left(keys) > Least && time.GetUtcNow() < notBefore))
                return keys;
            try
            {
                keys = await AskAsync(cancellation);
                Volatile.Write(ref present, keys);
                return keys;
            }
            catch (Exception e) when (e is AwsException or StoreException or KeyStoreException or NoAwsCredentialsException)
            {
                notBefore = time.GetUtcNow() + RetryAfter;
                Log.NoSession(logger, e.Message);
                return keys is not null && Left(keys) > Least ? keys
                    : throw new NoAwsCredentialsException($"The appliance gets no AWS credentials by Roles Anywhere. {e.Message}", e);
            }
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    public void Dispose()
    {
        key.Dispose();
        oneAtATime.Dispose();
    }

    private TimeSpan Left(AwsKeys keys) => keys.Expiration!.Value - time.GetUtcNow();

    private async Task<AwsKeys> AskAsync(CancellationToken cancellation)
    {
        var now = time.GetUtcNow();
        if (certificate is null || !certificate.IsGoodAt(now) || now >= certificate.NotBefore + (certificate.NotAfter - certificate.NotBefore) * 2 / 3
            || state.Snapshot.Revoked.Contains(certificate.Serial) || state.Snapshot.Authorities.GetValueOrDefault(certificate.Authority) is not { IsLive: true })
            certificate = await ApplianceCertificate.IssueAsync(authority, state, writer, options.CommonName, options.CommonName, new PublicKey(key), CertificateLifetime, "for the appliance's own AWS credentials", now, cancellation);
        var identity = new SessionIdentity(certificate.Der, Convert.FromHexString(certificate.Serial), key);
        return await sessions.CreateSessionAsync(identity, options.TrustAnchorArn!, options.ProfileArn!, options.RoleArn!, null, SessionSeconds, cancellation);
    }
}

/// <summary>Certificates that the appliance issues to itself as a client of AWS, recorded like all others.</summary>
internal static class ApplianceCertificate
{
    /// <param name="commonName">What stands in it.</param>
    /// <param name="recordedAs">Whose it is in the record: never a host's name, so that it counts as no host's certificate.</param>
    /// <exception cref="NoAwsCredentialsException">Nothing is issued now.</exception>
    public static async Task<Certificate> IssueAsync(CertificateAuthority authority, CurrentState state, StateWriter writer, string commonName, string recordedAs, PublicKey publicKey,
        TimeSpan lifetime, string purpose, DateTimeOffset now, CancellationToken cancellation)
    {
        if (authority.WhyNotIssuing(now) is { } whyNot)
            throw new NoAwsCredentialsException($"No certificates are issued: {whyNot}.");
        // The oldest live one: of two, it is the one the trust anchor has had for longest.
        var signer = AuthorityChanges.In(state.Snapshot, AuthorityState.Previous) ?? state.Snapshot.IssuingAuthority!;
        var made = authority.SignerOf(signer).IssueClient(commonName, recordedAs, publicKey, now, lifetime);
        await writer.ChangeAsync(editor =>
        {
            editor.Put(made);
            editor.Record(new Event
            {
                At = editor.Now,
                Source = EventSource.Service,
                Outcome = EventOutcome.Changed,
                What = $"Certificate {made.Serial} made for {commonName}, good until {made.NotAfter:u}",
                Reason = purpose,
                Subject = $"Certificate/{made.Serial}",
            });
            return 0;
        }, cancellation);
        return made;
    }
}
