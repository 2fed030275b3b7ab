using System.Security.Cryptography;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Certificates;

/// <summary>What people do with hosts' certificates, for <see cref="StateWriter.ChangeAsync{T}"/>. Pure but for the editor.</summary>
internal static class CertificateChanges
{
    /// <summary>Gives out one more token for the host's open Installation; without one, an Installation is opened that only lets it enrol.</summary>
    /// <param name="token">Made by <see cref="EnrolmentToken.Create"/>; only its hash is kept.</param>
    /// <param name="window">How long a new Installation stays open.</param>
    /// <exception cref="ChangeRefusedException">No such host, it is retired, or it has no disk and its window is over.</exception>
    public static Installation GiveToken(StateEditor editor, string host, string token, TimeSpan? window, string? actor)
    {
        var target = HostChanges.Find(editor, host);
        HostChanges.RefuseRetired(target);
        var installation = editor.Snapshot.Installations.GetValueOrDefault(target.Name);
        // One that lets it enrol alone would take the place of what it boots by.
        if (installation?.RunsAt(editor.Now) == true && !installation.MayEnrolAt(editor.Now))
        {
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"Host {target.Name} has no disk, so its key lasts no longer than its boot")
            {
                Value = target.Name, Expected = $"'provisioner provision {target.Name}', and a boot inside that window",
            }]);
        }
        if (installation is null || !installation.MayEnrolAt(editor.Now))
        {
            installation = new Installation
            {
                Id = RandomNumberGenerator.GetHexString(32, lowercase: true),
                Host = target.Name,
                Profile = target.Spec.Profile ?? "",
                Image = "",
                OpenedAt = editor.Now,
                ClosesAt = editor.Now + (window ?? HostChanges.DefaultWindow),
                EnrolOnly = true,
                Actor = actor,
            };
        }
        var hashes = installation.TokenHashes.Add(EnrolmentToken.Hash(token));
        installation = installation with { TokenHashes = hashes.Length > EnrolmentToken.MaximumAtOnce ? hashes.RemoveAt(0) : hashes };
        editor.Put(installation);
        HostChanges.Record(editor, target, $"One-time token given out, good until {installation.ClosesAt:u}",
            installation.BuildsAt(editor.Now) ? "for the open Installation" : "the host may enrol; it goes on booting its own disk", actor);
        return installation;
    }

    /// <summary>Revokes the host's certificates that are still good, or one by its serial.</summary>
    /// <returns>What was revoked now; those revoked before are not among them.</returns>
    /// <exception cref="ChangeRefusedException">There is no such host or certificate.</exception>
    public static IReadOnlyList<Certificate> Revoke(StateEditor editor, string hostOrSerial, RevocationReason reason, string? actor)
    {
        List<Certificate> found = editor.Snapshot.Certificates.GetValueOrDefault(hostOrSerial.ToLowerInvariant()) is { } one ? [one]
            : [.. editor.Snapshot.CertificatesOf(hostOrSerial)];
        if (found.Count == 0)
        {
            if (editor.Snapshot.Hosts.ContainsKey(hostOrSerial))
                throw new ChangeRefusedException(RefusalKind.Conflict, $"Host {hostOrSerial} has no certificate");
            var nearest = Spelling.Nearest(hostOrSerial, editor.Snapshot.CertificatesByHost.Keys);
            throw new ChangeRefusedException(RefusalKind.NotFound, $"there is no host and no certificate '{Reading.Shorten(hostOrSerial)}'" + (nearest is null ? "" : $"; did you mean '{nearest}'?"));
        }
        var revoked = new List<Certificate>();
        foreach (var certificate in found.Where(c => !c.IsRevoked && editor.Now <= c.NotAfter))
        {
            var now = certificate with { RevokedAt = editor.Now, RevokedBecause = reason };
            editor.Put(now);
            revoked.Add(now);
            Record(editor, certificate, $"Certificate {certificate.Serial} revoked", $"{Api.Json.Word(reason)}; it was good until {certificate.NotAfter:u}", actor);
        }
        foreach (var host in revoked.Select(c => c.Host).Distinct())
            editor.Lower(CertificateWatch.ExpiryAlert(host));
        return revoked;
    }

    /// <summary>Takes a host out of service: its certificates are revoked, an open Installation is closed. Again, it changes nothing.</summary>
    /// <exception cref="ChangeRefusedException">No such host.</exception>
    public static Host Retire(StateEditor editor, string name, RevocationReason reason, string? actor)
    {
        var host = HostChanges.Find(editor, name);
        if (host.RetiredAt is not null)
            return host;
        host = editor.Put(host with { RetiredAt = editor.Now });
        if (editor.Snapshot.Installations.GetValueOrDefault(name) is { } open && (open.MayEnrolAt(editor.Now) || open.RunsAt(editor.Now)))
            editor.Put(open with { ClosedAt = editor.Now, ClosedBecause = "the host was retired" });
        var revoked = editor.Snapshot.CertificatesByHost.ContainsKey(name) ? Revoke(editor, name, reason, actor).Count : 0;
        foreach (var alert in editor.Snapshot.Alerts.Values.Where(a => a.Host == name).ToList())
            editor.Lower(alert.Id);
        HostChanges.Record(editor, host, $"Host {name} retired", revoked == 0 ? "it had no good certificate" : $"{revoked} of its certificates revoked", actor);
        return host;
    }

    /// <summary>Keeps what the host says of its certificate.</summary>
    public static void Report(StateEditor editor, HostReport report)
    {
        editor.Put(report);
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Est,
            Outcome = report.Succeeded ? EventOutcome.Changed : EventOutcome.Failed,
            Host = report.Host,
            What = report.Succeeded ? "The host reports: certificate in order" : "The host reports: certificate not renewed",
            Reason = report.Message,
        });
    }

    /// <summary>A person has seen the alert: it is shown again when it happens again, or gets worse.</summary>
    /// <exception cref="ChangeRefusedException">There is none of that id.</exception>
    public static Alert Dismiss(StateEditor editor, string id, string? actor)
    {
        if (!editor.Snapshot.Alerts.TryGetValue(id, out var alert))
        {
            var nearest = Spelling.Nearest(id, editor.Snapshot.Alerts.Keys);
            throw new ChangeRefusedException(RefusalKind.NotFound, $"there is no alert '{Reading.Shorten(id)}'" + (nearest is null ? "" : $"; did you mean '{nearest}'?"));
        }
        if (alert.DismissedAt is not null)
            return alert;
        alert = editor.Dismiss(alert);
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Api,
            Outcome = EventOutcome.Changed,
            Host = alert.Host,
            What = $"Alert {id} dismissed",
            Reason = alert.Message,
            Actor = actor,
        });
        return alert;
    }

    private static void Record(StateEditor editor, Certificate certificate, string what, string reason, string? actor) => editor.Record(new Event
    {
        At = editor.Now,
        Source = actor is null ? EventSource.Service : EventSource.Api,
        Outcome = EventOutcome.Changed,
        Host = certificate.Purpose == CertificatePurpose.Host ? certificate.Host : null,
        What = what,
        Reason = reason,
        Actor = actor,
        Subject = $"Certificate/{certificate.Serial}",
    });
}
