using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Aws.Clients;
using Provisioner.Aws.Credentials;
using Provisioner.Certificates;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Storage;

namespace Provisioner.Aws;

/// <summary>
/// Learns from Roles Anywhere which certificates have authenticated: the first word that a host's identity works, and it costs nothing. It asks now
/// and then, slowly, and only about subjects whose certificate it has not seen yet.
/// </summary>
internal sealed class SubjectWatch(CurrentState state, StateWriter writer, AwsClients clients, IAwsCredentials credentials, TimeProvider time, ILogger<SubjectWatch> logger) : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);

    /// <summary>The control plane takes about one request a second, of everybody in the account.</summary>
    public static readonly TimeSpan Pace = TimeSpan.FromSeconds(2);

    /// <summary>A round never takes longer than the time to the next.</summary>
    private const int MostRequests = 120;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(Interval, time, stoppingToken);
                if (credentials.IsConfigured)
                    await LookAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is AwsException or NoAwsCredentialsException)
            {
                Log.NotAsked(logger, e.Message);
            }
            catch (StoreException e)
            {
                Log.NotRecorded(logger, e);
            }
        }
    }

    /// <summary>One round over the regions of all trust anchors.</summary>
    internal async Task LookAsync(CancellationToken ct)
    {
        var left = MostRequests;
        foreach (var region in state.Snapshot.Clusters.Values.Select(c => c.Spec.TrustAnchorArn).OfType<string>().Select(ClusterTexts.RegionOf).OfType<string>().Distinct(StringComparer.Ordinal))
        {
            // Nobody to wait for: no request.
            if (!Waiting().Any())
                return;
            var roles = clients.RolesAnywhere(region);
            string? next = null;
            do
            {
                var page = await roles.ListSubjectsAsync(next, ct);
                left--;
                foreach (var subject in page.Subjects ?? [])
                {
                    if (NameIn(subject.X509Subject) is not { } name || subject.LastSeenAt is not { } seen || !Waiting(name).Any(c => c.NotBefore <= seen))
                        continue;
                    if (left-- <= 0)
                        return;
                    await Task.Delay(Pace, time, ct);
                    await NoteAsync(name, await roles.GetSubjectAsync(subject.SubjectId, ct), ct);
                }
                next = page.NextToken;
                if (!string.IsNullOrEmpty(next))
                    await Task.Delay(Pace, time, ct);
            }
            while (!string.IsNullOrEmpty(next) && left > 0);
        }
    }

    private IEnumerable<Certificate> Waiting() => state.Snapshot.Certificates.Values.Where(c => c is { Purpose: CertificatePurpose.Host, SeenByAwsAt: null, RevokedAt: null });

    private IEnumerable<Certificate> Waiting(string host) => state.Snapshot.CertificatesOf(host).Where(c => c is { Purpose: CertificatePurpose.Host, SeenByAwsAt: null });

    private async Task NoteAsync(string host, SubjectDetail subject, CancellationToken ct)
    {
        var seen = (subject.Credentials ?? []).Where(c => c is { Failed: false, SeenAt: not null }).ToList();
        var found = Waiting(host).Select(certificate => (certificate, At: seen.Where(c => IsOf(c, certificate)).Min(c => c.SeenAt))).Where(f => f.At is not null).ToList();
        if (found.Count == 0)
            return;
        await writer.ChangeAsync(editor =>
        {
            foreach (var (certificate, at) in found)
            {
                if (!editor.Snapshot.Certificates.TryGetValue(certificate.Serial, out var stored) || stored.SeenByAwsAt is not null)
                    continue;
                var isFirst = !editor.Snapshot.CertificatesOf(host).Any(c => c.SeenByAwsAt is not null);
                editor.Put(stored with { SeenByAwsAt = at });
                editor.Record(new Event
                {
                    At = editor.Now,
                    Source = EventSource.Service,
                    Outcome = EventOutcome.Answered,
                    Host = host,
                    What = isFirst ? $"Roles Anywhere let the host in for the first time, {at:u}" : $"Roles Anywhere let the host in with its new certificate, {at:u}",
                    Reason = $"certificate {stored.Serial}",
                    Subject = $"Certificate/{stored.Serial}",
                });
            }
            return 0;
        }, ct);
    }

    private static string? NameIn(string? subject)
    {
        if (subject is null)
            return null;
        try
        {
            foreach (var part in new X500DistinguishedName(subject).EnumerateRelativeDistinguishedNames())
            {
                if (!part.HasMultipleElements && part.GetSingleElementType().Value == "2.5.4.3")
                    return part.GetSingleElementValue();
            }
        }
        catch (CryptographicException)
        {
            // Another authority's subject may be anything.
        }
        return null;
    }

    // The certificate itself where it is given; else its serial number, which is decimal in one place of the API and hexadecimal in another.
    private static bool IsOf(CredentialSummary summary, Certificate certificate)
    {
        if (summary.X509CertificateData is { Length: > 0 } pem && PemEncoding.TryFind(pem, out var fields))
            return Convert.FromBase64String(pem[fields.Base64Data]).AsSpan().SequenceEqual(certificate.Der);
        return summary.SerialNumber is { } serial && (serial == Protocols.AwsSigning.RolesAnywhereSigning.DecimalSerial(Convert.FromHexString(certificate.Serial))
            || serial.Replace(":", "", StringComparison.Ordinal).TrimStart('0').Equals(certificate.Serial.TrimStart('0'), StringComparison.OrdinalIgnoreCase));
    }
}
