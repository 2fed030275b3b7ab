using System.Collections.Concurrent;
using System.Text;
using Provisioner.Aws.Clients;
using Provisioner.Aws.Credentials;
using Provisioner.Aws.Setup;
using Provisioner.Certificates;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Storage;

namespace Provisioner.Aws;

/// <summary>What became of one authority's list.</summary>
internal sealed record CarriedList(AwsStepResult Result, string Words);

/// <summary>
/// Carries revocation lists to the trust anchors of all Clusters: Roles Anywhere asks nobody, it knows what was imported. A list is carried as soon as
/// it is made; where that fails it is tried again, and after some minutes a person is called.
/// </summary>
internal sealed class RevocationSync(
    CurrentState state, StateWriter writer, ServedRevocationLists served, AwsClients clients, IAwsCredentials credentials, TimeProvider time, ILogger<RevocationSync> logger) : BackgroundService
{
    /// <summary>So long it may fail before somebody is called.</summary>
    public static readonly TimeSpan CallAfter = TimeSpan.FromMinutes(3);

    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(5);

    /// <summary>Now and then what is there is read again: somebody may have removed it.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromHours(6);

    private readonly SemaphoreSlim wake = new(0, 1);
    private readonly SemaphoreSlim oneAtATime = new(1, 1);
    private readonly ConcurrentDictionary<string, Progress> anchors = new(StringComparer.Ordinal);

    public static string AlertOf(string trustAnchorArn) => $"aws-crl:{ClusterTexts.NameIn(trustAnchorArn)}";

    /// <summary>Brings every live authority's list to that anchor, where it is not there already.</summary>
    /// <exception cref="AwsException">Not now.</exception>
    public async Task<IReadOnlyList<CarriedList>> CarryAsync(string trustAnchorArn, CancellationToken ct)
    {
        // 'aws apply' and the watch at once would import the list twice.
        await oneAtATime.WaitAsync(ct);
        try
        {
            return await CarryAllAsync(trustAnchorArn, ct);
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    private async Task<IReadOnlyList<CarriedList>> CarryAllAsync(string trustAnchorArn, CancellationToken ct)
    {
        var roles = clients.RolesAnywhere(ClusterTexts.RegionOf(trustAnchorArn)!);
        var there = (await roles.ListCrlsAsync(ct)).Where(c => c.TrustAnchorArn == trustAnchorArn).ToList();
        var done = new List<CarriedList>();
        var known = state.Snapshot.Authorities.Values.ToList();
        // Two lists are what an anchor takes: the one that nobody needs any more goes before the next comes.
        foreach (var gone in there.Where(c => known.Exists(a => a.State == AuthorityState.Retired && NameOf(a) == c.Name)).ToList())
        {
            await roles.DeleteCrlAsync(gone.CrlId, ct);
            done.Add(new CarriedList(AwsStepResult.Changed, $"the list of an authority that is retired is removed ({gone.Name})"));
            there.Remove(gone);
        }
        foreach (var one in known.Where(a => a.IsLive).OrderBy(a => a.CreatedAt))
        {
            if (served.Of(one.Id) is not { } list)
                continue;
            var present = there.Find(c => c.Name == NameOf(one)) ?? there.Find(c => RolesAnywhereData.Read(c) is { } read && IssuedBy(read.Der, one));
            var data = Encoding.ASCII.GetBytes(list.Pem);
            if (present is null)
            {
                await roles.ImportCrlAsync(new ImportCrlRequest(NameOf(one), data, trustAnchorArn), ct);
                done.Add(new CarriedList(AwsStepResult.Created, Words(list, "imported")));
                continue;
            }
            var (result, verb) = (AwsStepResult.Unchanged, "there");
            if (RolesAnywhereData.Read(present) is not { } stands || stands.Number < list.Number)
            {
                await roles.UpdateCrlAsync(present.CrlId, new UpdateCrlRequest(data), ct);
                (result, verb) = (AwsStepResult.Changed, "brought up to date");
            }
            if (!present.Enabled)
            {
                await roles.EnableCrlAsync(present.CrlId, ct);
                (result, verb) = (AwsStepResult.Changed, "brought up to date, and on");
            }
            done.Add(new CarriedList(result, Words(list, verb)));
        }
        if (done.Count == 0)
            done.Add(new CarriedList(AwsStepResult.Unchanged, "there is no list yet"));
        return done;
    }

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        state.Changed += OnChanged;
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        state.Changed -= OnChanged;
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        wake.Dispose();
        oneAtATime.Dispose();
        base.Dispose();
    }

    internal static string NameOf(Authority authority) => $"provisioner-{authority.Id}";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = LookEvery;
            try
            {
                wait = await LookAsync(stoppingToken);
            }
            catch (StoreException e)
            {
                Log.NotRecorded(logger, e);
                wait = FirstDelay;
            }
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            await Task.WhenAny(wake.WaitAsync(either.Token), Task.Delay(wait, time, either.Token));
            await either.CancelAsync();
        }
    }

    /// <returns>How long nothing is to be done.</returns>
    private async Task<TimeSpan> LookAsync(CancellationToken ct)
    {
        var snapshot = state.Snapshot;
        var wait = LookEvery;
        var wanted = snapshot.Clusters.Values.Select(c => c.Spec.TrustAnchorArn).OfType<string>().ToHashSet(StringComparer.Ordinal);
        foreach (var gone in anchors.Keys.Except(wanted).ToList())
        {
            anchors.TryRemove(gone, out _);
            await LowerAsync(gone, ct);
        }
        foreach (var arn in wanted)
        {
            var progress = anchors.GetOrAdd(arn, _ => new Progress());
            // A number is stored a moment before its list is served.
            if (snapshot.Authorities.Values.Any(a => a.IsLive && (served.Of(a.Id)?.Number ?? 0) < a.CrlNumber))
            {
                wait = Shorter(wait, TimeSpan.FromSeconds(1));
                continue;
            }
            var lists = string.Join(' ', snapshot.Authorities.Values.Where(a => a.State != AuthorityState.Pending).OrderBy(a => a.Id, StringComparer.Ordinal).Select(a => $"{a.Id}:{(a.IsLive ? a.CrlNumber : -1)}"));
            var now = time.GetUtcNow();
            if (progress.Carried == lists && now < progress.NextAt)
            {
                wait = Shorter(wait, progress.NextAt - now);
                continue;
            }
            if (progress.Failing == lists && now < progress.NextAt)
            {
                wait = Shorter(wait, progress.NextAt - now);
                continue;
            }
            wait = Shorter(wait, await CarryOneAsync(arn, progress, lists, ct));
        }
        return wait;
    }

    private async Task<TimeSpan> CarryOneAsync(string arn, Progress progress, string lists, CancellationToken ct)
    {
        try
        {
            if (!credentials.IsConfigured)
                return await NobodyCarriesAsync(arn, progress, lists, ct);
            var carried = await CarryAsync(arn, ct);
            (progress.Carried, progress.Failing, progress.FailedSince, progress.Delay) = (lists, null, null, TimeSpan.Zero);
            progress.NextAt = time.GetUtcNow() + LookEvery;
            if (carried.Any(c => c.Result != AwsStepResult.Unchanged))
                await RecordAsync(arn, string.Join("; ", carried.Where(c => c.Result != AwsStepResult.Unchanged).Select(c => c.Words)), EventOutcome.Changed, ct);
            await LowerAsync(arn, ct);
            return LookEvery;
        }
        catch (Exception e) when (e is AwsException or NoAwsCredentialsException)
        {
            var now = time.GetUtcNow();
            var since = progress.FailedSince ??= now;
            progress.Delay = progress.Delay == TimeSpan.Zero ? FirstDelay : TimeSpan.FromTicks(Math.Min(progress.Delay.Ticks * 2, LongestDelay.Ticks));
            (progress.Failing, progress.NextAt) = (lists, now + progress.Delay);
            Log.NotCarried(logger, arn, e.Message);
            if (now - since >= CallAfter)
                await CallAsync(arn, since, e.Message, ct);
            return progress.Delay;
        }
    }

    // Without credentials the list has to be carried by hand; as long as nothing is revoked, nothing is missed.
    private async Task<TimeSpan> NobodyCarriesAsync(string arn, Progress progress, string lists, CancellationToken ct)
    {
        (progress.Carried, progress.NextAt) = (lists, time.GetUtcNow() + LookEvery);
        if (state.Snapshot.Authorities.Values.Any(a => a.IsLive && served.Of(a.Id) is { Entries: > 0 }))
            await CallAsync(arn, null, "the appliance has no AWS credentials ('aws.credentials' in its configuration)", ct);
        return LookEvery;
    }

    private Task<int> CallAsync(string arn, DateTimeOffset? since, string why, CancellationToken ct) => writer.ChangeAsync(editor =>
    {
        var id = AlertOf(arn);
        var message = $"Roles Anywhere does not know the latest revocations{(since is { } at ? $" since {at:u}" : "")}: {why.TrimEnd('.')}. A revoked host is still let in at {arn}.";
        if (editor.Snapshot.Alerts.TryGetValue(id, out var raised) && raised.Message == message)
            return 0;
        if (raised is null)
            editor.Record(Told(editor, "Revocation list not carried to Roles Anywhere", why, EventOutcome.Failed));
        editor.Raise(new Alert
        {
            Id = id,
            Severity = AlertSeverity.Critical,
            Message = message,
            Remedy = "It is tried again and again. By hand: 'provisioner ca crl > crl.pem', then 'aws rolesanywhere update-crl --crl-id ID --crl-data fileb://crl.pem' (import-crl where there is none).",
        });
        return 0;
    }, ct);

    private async Task LowerAsync(string arn, CancellationToken ct)
    {
        if (state.Snapshot.Alerts.ContainsKey(AlertOf(arn)))
            await writer.ChangeAsync(editor => { editor.Lower(AlertOf(arn)); return 0; }, ct);
    }

    private Task<int> RecordAsync(string arn, string what, EventOutcome outcome, CancellationToken ct) =>
        writer.ChangeAsync(editor => { editor.Record(Told(editor, $"Revocations carried to Roles Anywhere: {what}", arn, outcome)); return 0; }, ct);

    private static Event Told(StateEditor editor, string what, string why, EventOutcome outcome) =>
        new() { At = editor.Now, Source = EventSource.Service, Outcome = outcome, What = what, Reason = why, Subject = "Authority" };

    private void OnChanged(Snapshot snapshot)
    {
        if (wake.CurrentCount > 0)
            return;
        try
        {
            wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // Somebody else did.
        }
    }

    private static bool IssuedBy(byte[] list, Authority authority)
    {
        // The issuer is the third field of a TBSCertList that has a version (RFC 5280 §5.1).
        var signed = new System.Formats.Asn1.AsnReader(list, System.Formats.Asn1.AsnEncodingRules.DER).ReadSequence().ReadSequence();
        signed.ReadEncodedValue();
        signed.ReadEncodedValue();
        using var certificate = System.Security.Cryptography.X509Certificates.X509CertificateLoader.LoadCertificate(authority.Der!);
        return signed.ReadEncodedValue().Span.SequenceEqual(certificate.SubjectName.RawData);
    }

    private static string Words(ServedRevocationList list, string verb) => $"list {list.Number} with {list.Entries} {(list.Entries == 1 ? "entry" : "entries")} is {verb}";

    private static TimeSpan Shorter(TimeSpan a, TimeSpan b) => a < b ? a : b > TimeSpan.Zero ? b : TimeSpan.FromMilliseconds(1);

    private sealed class Progress
    {
        /// <summary>The lists that are there.</summary>
        public string? Carried { get; set; }

        /// <summary>The lists that could not be carried.</summary>
        public string? Failing { get; set; }

        public DateTimeOffset NextAt { get; set; }

        public DateTimeOffset? FailedSince { get; set; }

        public TimeSpan Delay { get; set; }
    }
}

internal static partial class Log
{
    [LoggerMessage(7001, LogLevel.Warning, "Revocations could not be carried to {TrustAnchor}: {Reason}")]
    public static partial void NotCarried(ILogger logger, string trustAnchor, string reason);

    [LoggerMessage(7002, LogLevel.Error, "What was done in AWS could not be recorded")]
    public static partial void NotRecorded(ILogger logger, Exception cause);

    [LoggerMessage(7004, LogLevel.Warning, "Roles Anywhere gave the appliance no new session: {Reason}")]
    public static partial void NoSession(ILogger logger, string reason);

    [LoggerMessage(7003, LogLevel.Warning, "Roles Anywhere could not be asked who has authenticated: {Reason}")]
    public static partial void NotAsked(ILogger logger, string reason);
}
