using System.Security.Cryptography.X509Certificates;
using Provisioner.Appliance;
using Provisioner.Artifacts;
using Provisioner.Aws;
using Provisioner.Backup;
using Provisioner.Boot.Dhcp;
using Provisioner.Certificates;
using Provisioner.Events;
using Provisioner.Images;
using Provisioner.Joining;
using Provisioner.Storage;

namespace Provisioner.Doctor;

/// <summary>Looks the appliance over: each finding says what it breaks and what to do.</summary>
internal sealed class Examination(
    ApplianceOptions options, ApplianceStatus status, IStore store, CurrentState state, StateWriter writer, BootJournal journal, ServerIdentity identity, CertificateAuthority authority, IClock clock,
    OtherServers others, ArtifactCache cache, ArtifactLimits limits, AwsEndpoints endpoints, ImageStore images, BackupService backups, TimeProvider time)
{
    /// <summary>All of it, in the order people read it. Takes as long as the slowest: some seconds.</summary>
    public async Task<IReadOnlyList<Finding>> RunAsync(CancellationToken ct)
    {
        var snapshot = state.Snapshot;
        var wires = others.LookAsync(ct);
        var upstream = UpstreamChecks.OfAsync(options.Artifacts, options.Aws, endpoints, snapshot, ct);
        var database = DatabaseAsync(ct);
        return
        [
            .. Disk(Path.GetFullPath(options.DataDirectory)),
            await database,
            .. Journal(),
            Clock(),
            Issuing(),
            OwnCertificate(),
            .. NetworkChecks.Ports(status.Planes(), snapshot.Networks.Values),
            .. NetworkChecks.Interfaces([.. snapshot.Networks.Values]),
            .. await wires,
            .. await upstream,
            Cache(),
            .. Images(snapshot),
            .. Backups(),
        ];
    }

    private static IEnumerable<Finding> Disk(string directory)
    {
        var usage = DiskChecks.Of(directory).ToList();
        return usage.Exists(f => f.Code == "disk-writable") ? usage : usage.Concat(DiskChecks.Writable(directory));
    }

    // Between two changes, so that nothing is half-written while it is read; the packet path needs no database.
    private async Task<Finding> DatabaseAsync(CancellationToken ct)
    {
        string? damage;
        try
        {
            damage = await writer.BetweenChangesAsync(store.FindDamage, ct);
        }
        catch (StoreException e)
        {
            damage = e.Message;
        }
        return damage is null ? new Finding("database", Verdict.Pass, $"The database is whole: {state.Snapshot.Hosts.Count} hosts, {state.Snapshot.Certificates.Count} certificates.", "", "")
            : new Finding("database", Verdict.Fail, $"The database cannot be used: {damage}.", "Nothing can be changed; what is in memory is still answered from.", "Stop the service and restore a backup: 'provisioner restore FILE --replace'. What was issued since is in the journal, and is kept.");
    }

    private IEnumerable<Finding> Journal()
    {
        if (journal.Dropped > 0)
            yield return new Finding("journal", Verdict.Warn, $"{journal.Dropped} events were lost since the start, because the store did not keep up.", "What happened then cannot be looked up.", "See whether the disk is slow or full; a flood of requests on the wire does this, too.");
    }

    private Finding Clock() => clock.Status is { } said && said.IsSynchronised ? new("clock", Verdict.Pass, $"{said.Reason}.", "", "")
        : new("clock", Verdict.Fail, $"{clock.Status.Reason}.", "No certificate is issued or renewed.", "Let the machine reach a time server: 'timedatectl timesync-status', or 'chronyc tracking'.");

    private Finding Issuing() => authority.WhyNotIssuing(time.GetUtcNow()) is { } whyNot
        ? new("issuing", Verdict.Fail, $"No certificates are issued: {whyNot}.", "Hosts cannot enrol, nor renew.", "Do what the reason says; 'provisioner ca show' says how it stands.")
        : new("issuing", Verdict.Pass, $"Certificates are issued by {state.Snapshot.IssuingAuthority!.Subject}, until {state.Snapshot.IssuingAuthority.NotAfter:u}.", "", "");

    private Finding OwnCertificate()
    {
        if (identity.Context?.TargetCertificate is not { } shown)
            return new("own-certificate", Verdict.Fail, "The appliance has no certificate of its own yet.", "Nobody can use the secure plane.", "It makes one by itself as soon as there is an authority.");
        var (now, (notBefore, notAfter)) = (time.GetUtcNow(), Validity.Of(shown));
        return now < notBefore || now >= notAfter
            ? new("own-certificate", Verdict.Fail, $"The appliance's own certificate is good from {notBefore:u} to {notAfter:u}, and it is {now:u}.", "Hosts refuse the secure plane: none enrols, renews or reports.", "See 'clock' and 'issuing' here; it is renewed by itself when both are right.")
            : new("own-certificate", Verdict.Pass, $"The appliance's own certificate ({shown.GetNameInfo(X509NameType.SimpleName, forIssuer: false)}) is good until {notAfter:u}, and renewed by itself from {notBefore + (notAfter - notBefore) * 2 / 3:u}.", "", "");
    }

    private Finding Cache()
    {
        var (size, free) = (cache.Store.Size, cache.Store.FreeBytes());
        return free < limits.KeepFreeBytes
            ? new("cache", Verdict.Warn, $"The cache takes nothing more: only {Cli.Words.Size(free)} are free, and {Cli.Words.Size(limits.KeepFreeBytes)} are kept for the database. It holds {Cli.Words.Size(size)}.", "What is asked for the first time goes through without being kept, or fails.", "Make room on the disk, or set artifacts.maximumSize lower.")
            : new("cache", Verdict.Pass, $"The cache holds {Cli.Words.Size(size)} of at most {Cli.Words.Size(options.Artifacts.MaximumSize)}{(options.Artifacts.Offline ? ", and asks nobody (offline)" : "")}.", "", "");
    }

    private IEnumerable<Finding> Images(Snapshot snapshot)
    {
        foreach (var image in snapshot.Images.Values.Where(i => i.Status.Generation is not null))
        {
            var missing = image.Status.Files.Where(f => new FileInfo(images.PathOf(image, f)) is not { Exists: true } there || there.Length != f.Size).ToList();
            yield return missing.Count == 0 ? new Finding($"image:{image.Name}", Verdict.Pass, $"Image {image.Name} has all its {image.Status.Files.Length} files.", "", "")
                : new Finding($"image:{image.Name}", Verdict.Fail, $"Image {image.Name} lacks {missing.Count} of its {image.Status.Files.Length} files, such as {missing[0].Path}.", "Servers that are to be built from it stop in the middle of booting.",
                    $"Import it again: 'provisioner image import PATH --name {image.Name}', or download it. Backups hold images only when made with them.");
        }
    }

    private IEnumerable<Finding> Backups()
    {
        KeptBackup? last;
        string? unreadable = null;
        try
        {
            last = backups.Last;
        }
        catch (BackupException e)
        {
            (last, unreadable) = (null, e.Message);
        }
        var now = time.GetUtcNow();
        if (!options.Backup.IsScheduled)
        {
            yield return new Finding("backup", Verdict.Warn, "No backups are scheduled.", "If this disk is lost, every host has to enrol anew, by another authority.",
                "Say in the configuration what they are encrypted to: 'backup: { recipients: [age1…] }', with a key from age-keygen that is kept elsewhere.");
            yield break;
        }
        if (unreadable is not null || backups.Problem is not null)
            yield return new Finding("backup", Verdict.Fail, $"The last backup was not made: {unreadable ?? backups.Problem}.", "What was changed since the last good one would be lost with this disk.", "Remove the cause, and try at once: 'provisioner backup --scheduled'.");
        else if (last is null)
            yield return new Finding("backup", Verdict.Warn, "No backup was made yet.", "If this disk is lost now, so is everything.", "The first is made a minute after the start; at once: 'provisioner backup --scheduled'.");
        else
        {
            var (age, said) = (now - last.At, $"The last backup, {last.Name}, is {Resources.Values.Format(TimeSpan.FromMinutes(Math.Max(0, (int)(now - last.At).TotalMinutes)))} old");
            yield return age > options.Backup.Every * 2 ? new Finding("backup", Verdict.Fail, $"{said}; one is to be made every {Resources.Values.Format(options.Backup.Every)}.", "What was changed since would be lost with this disk.", "The service's log says why; try at once: 'provisioner backup --scheduled'.")
                : new Finding("backup", Verdict.Pass, $"{said}, {Cli.Words.Size(last.Bytes)}.", "", "");
        }
    }
}
