using Provisioner.Appliance;
using Provisioner.Aws;
using Provisioner.Aws.Clients;
using Provisioner.Backup.Age;
using Provisioner.Certificates.Keys;
using Provisioner.Events;
using Provisioner.Images;
using Provisioner.Storage;

namespace Provisioner.Backup;

/// <summary>Makes backups: when asked, and on the schedule that the configuration says. One at a time.</summary>
internal sealed class BackupService(
    ApplianceOptions options, IStore store, StateWriter writer, CurrentState state, ImageStore images, AwsClients aws, TimeProvider time, ILogger<BackupService> logger) : BackgroundService
{
    public const string FailedAlert = "backup-failed";

    /// <summary>After one that failed.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(15);

    /// <summary>Nothing is made in the first minute: whoever starts the service wants it to answer.</summary>
    private static readonly TimeSpan Settle = TimeSpan.FromMinutes(1);

    private readonly SemaphoreSlim oneAtATime = new(1, 1);
    private readonly BackupDirectory directory = new(options.Backup.DirectoryIn(options.DataDirectory));

    /// <summary>Where they are kept, this machine's directory first.</summary>
    public IReadOnlyList<IBackupPlace> Places => options.Backup.S3 is { } s3 ? [directory, new BackupBucket(s3, aws)] : [directory];

    /// <summary>All that are kept, place by place, the newest of each first.</summary>
    /// <exception cref="BackupException">A place cannot be asked.</exception>
    public async Task<IReadOnlyList<(string Place, KeptBackup Backup)>> ListAsync(CancellationToken ct)
    {
        var kept = new List<(string, KeptBackup)>();
        foreach (var place in Places)
            kept.AddRange((await place.ListAsync(ct)).OrderByDescending(b => b.At).Select(b => (place.Name, b)));
        return kept;
    }

    /// <summary>The last one made on the schedule, or null.</summary>
    public KeptBackup? Last => directory.List().MaxBy(b => b.At);

    /// <summary>Why the last try failed; null after one that succeeded.</summary>
    public string? Problem { get; private set; }

    /// <summary>Writes a backup to a stream, verified.</summary>
    /// <exception cref="BackupException">It is not made; says why.</exception>
    /// <exception cref="StoreException">The database is damaged, or its disk is full.</exception>
    public async Task<BackupOutcome> WriteAsync(Stream output, AgeLock to, bool withImages, string? actor, CancellationToken ct)
    {
        await oneAtATime.WaitAsync(ct);
        try
        {
            using var contents = await BackupContents.GatherAsync(options, store, writer, state, images, withImages, time.GetUtcNow(), ct);
            var scratch = Path.Combine(Path.GetFullPath(options.DataDirectory), $".backup-trial-{Guid.NewGuid():N}");
            var outcome = await BackupArchive.WriteAsync(contents, output, to, scratch, ct);
            await RecordAsync(EventOutcome.Changed, $"Backup made: {outcome.Manifest.Hosts} hosts, {outcome.Manifest.Certificates} certificates, {Cli.Words.Size(outcome.Bytes)}",
                $"{outcome.Manifest.Changes} changes are in it; it was read back and its database opened", actor);
            return outcome;
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    /// <summary>Makes the scheduled backup now, sends it where it is to be, and removes those that are over.</summary>
    /// <returns>Its file.</returns>
    /// <exception cref="BackupException">It is not made, or not everywhere it is to be.</exception>
    public async Task<(string Path, BackupOutcome Outcome)> RunAsync(string? actor, CancellationToken ct)
    {
        try
        {
            var name = BackupNames.At(time.GetUtcNow());
            var to = Lock();
            var outcome = await directory.WriteAsync(name, file => WriteAsync(file, to, options.Backup.Images, actor, ct));
            await RemoveOverAsync(directory, options.Backup.Keep, options.Backup.KeepFor, ct);
            if (options.Backup.S3 is { } s3)
            {
                var bucket = new BackupBucket(s3, aws);
                await bucket.SendAsync(directory.PathOf(name), ct);
                await RemoveOverAsync(bucket, s3.Keep, s3.KeepFor, ct);
            }
            Problem = null;
            if (state.Snapshot.Alerts.ContainsKey(FailedAlert))
                await writer.ChangeAsync(editor => { editor.Lower(FailedAlert); return 0; }, ct);
            Log.Made(logger, directory.PathOf(name), outcome.Bytes);
            return (directory.PathOf(name), outcome);
        }
        catch (Exception e) when (e is BackupException or StoreException)
        {
            Problem = e.Message;
            await AlertAsync(e.Message);
            throw;
        }
    }

    /// <summary>When the next one is due; null when none is scheduled.</summary>
    public DateTimeOffset? NextAt(DateTimeOffset now) =>
        !options.Backup.IsScheduled ? null
        : Last is not { } last || last.At > now ? now // One of the future is from when the clock was wrong.
        : last.At + options.Backup.Every;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.Backup.IsScheduled)
            return;
        await Task.Delay(Settle, time, stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = RetryAfter;
            try
            {
                var now = time.GetUtcNow();
                if (NextAt(now) <= now)
                    await RunAsync(null, stoppingToken);
                wait = NextAt(time.GetUtcNow())!.Value - time.GetUtcNow();
            }
            catch (Exception e) when (e is BackupException or StoreException)
            {
                Log.Failed(logger, e.Message);
            }
            // A longer wait would not notice that the clock was set.
            await Task.Delay(TimeSpan.FromTicks(Math.Clamp(wait.Ticks, TimeSpan.TicksPerSecond, RetryAfter.Ticks)), time, stoppingToken);
        }
    }

    private AgeLock Lock()
    {
        var said = options.Backup;
        if (!said.Recipients.IsEmpty)
            return new AgeLock { Recipients = [.. said.Recipients.Select(r => AgeRecipient.TryParse(r)!)] };
        if (said.PassphraseFile is not { } file)
            throw new BackupException("no backups are configured: say in the configuration what they are encrypted to, as backup.recipients or backup.passphraseFile");
        try
        {
            using var secret = Secret.Read(file, "The backups' passphrase", "Bring it back, or correct 'backup.passphraseFile' in the configuration.");
            return new AgeLock { Passphrase = secret.Bytes.ToArray() };
        }
        catch (KeyStoreException e)
        {
            throw new BackupException(e.Message, e);
        }
    }

    private async Task RemoveOverAsync(IBackupPlace place, int keep, TimeSpan keepFor, CancellationToken ct)
    {
        foreach (var over in BackupRetention.ToRemove(await place.ListAsync(ct), keep, keepFor, time.GetUtcNow()).ToList())
        {
            await place.RemoveAsync(over, ct);
            Log.Removed(logger, over.Name, place.Name);
        }
    }

    private async Task AlertAsync(string message)
    {
        try
        {
            await writer.ChangeAsync(editor =>
            {
                editor.Raise(new Alert
                {
                    Id = FailedAlert,
                    Severity = AlertSeverity.Critical,
                    Message = $"The scheduled backup was not made: {message}",
                    Remedy = "Remove the cause; it is tried again every 15 minutes, or at once by 'provisioner backup --scheduled'.",
                });
                return 0;
            });
        }
        catch (StoreException)
        {
            // A full disk: the log has it, and the doctor says it.
        }
    }

    private async Task RecordAsync(EventOutcome outcome, string what, string reason, string? actor)
    {
        try
        {
            await writer.ChangeAsync(editor =>
            {
                editor.Record(new Event { At = editor.Now, Source = actor is null ? EventSource.Service : EventSource.Api, Outcome = outcome, What = what, Reason = reason, Actor = actor });
                return 0;
            });
        }
        catch (StoreException)
        {
            // The backup is good; that it was made is not worth losing it for.
        }
    }
}

internal static partial class Log
{
    [LoggerMessage(8001, LogLevel.Information, "backup {Path} made and verified, {Bytes} bytes")]
    public static partial void Made(ILogger logger, string path, long bytes);

    [LoggerMessage(8002, LogLevel.Error, "no backup was made: {Reason}")]
    public static partial void Failed(ILogger logger, string reason);

    [LoggerMessage(8003, LogLevel.Information, "backup {Name} is over and was removed from {Place}")]
    public static partial void Removed(ILogger logger, string name, string place);
}
