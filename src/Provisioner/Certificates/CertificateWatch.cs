using Provisioner.Certificates.Keys;
using Provisioner.Events;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Certificates;

/// <summary>
/// Looks after what time does to certificates: makes the first authority once the clock is right, keeps revocation lists and the
/// appliance's own certificate fresh, warns of hosts that do not renew and of an authority that ends, forgets what is long over.
/// </summary>
internal sealed class CertificateWatch(
    CurrentState state, StateWriter writer, CertificateAuthority authority, RevocationLists lists, ServerIdentity identity,
    TimeProvider time, ILogger<CertificateWatch> logger) : BackgroundService
{
    /// <summary>Between two looks; a revocation wakes it at once.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);

    /// <summary>The database forgets a certificate so long after its end; the journal never does.</summary>
    public static readonly TimeSpan KeptAfterEnd = TimeSpan.FromDays(30);

    /// <summary>A healthy host renews within a day of the moment, at its daily timer's random time; before this has passed nobody is called.</summary>
    private static readonly TimeSpan RenewalGrace = TimeSpan.FromHours(26);

    private static readonly int[] Thresholds = [3, 14, 30];

    private static readonly int[] AuthorityThresholds = [30, 90, 180, 365];

    private readonly SemaphoreSlim wake = new(0, 1);
    private string? toldWhyNot;
    private object? networksSeen;

    public static string ExpiryAlert(string host) => $"expiry:{host}";

    private static string AuthorityAlert(string id) => $"authority-expiry:{id}";

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        authority.Open();
        state.Changed += OnChanged;
        await LookAsync(cancellationToken);
        if (state.Snapshot.IssuingAuthority is { } issuing)
            Log.Issuing(logger, issuing.Subject, issuing.NotAfter);
        await base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        state.Changed -= OnChanged;
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        wake.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            // While the clock is not right, the first authority waits for it. Not every NTP client says when it is: ask often.
            await WaitAsync(state.Snapshot.IssuingAuthority is null ? TimeSpan.FromSeconds(10) : Interval, stoppingToken);
            try
            {
                await LookAsync(stoppingToken);
            }
            catch (Exception e) when (e is StoreException or KeyStoreException or InvalidOperationException)
            {
                Log.WatchFailed(logger, e);
            }
        }
    }

    /// <summary>Something it depends on may have changed: the clock, this machine's name or addresses. Returns at once.</summary>
    public void LookSoon()
    {
        if (wake.CurrentCount > 0)
            return;
        try
        {
            wake.Release();
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // Somebody else did, or it is over.
        }
    }

    private async Task WaitAsync(TimeSpan length, CancellationToken ct)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var woken = wake.WaitAsync(either.Token);
        await Task.WhenAny(woken, Task.Delay(length, time, either.Token));
        await either.CancelAsync();
        ct.ThrowIfCancellationRequested();
    }

    private void OnChanged(Snapshot snapshot)
    {
        // A Network may name an address that hosts will call; the appliance's certificate has to have it by then.
        var networks = Interlocked.Exchange(ref networksSeen, snapshot.Networks);
        if (lists.IsBehind(snapshot) || !ReferenceEquals(networks, snapshot.Networks))
            LookSoon();
    }

    private async Task LookAsync(CancellationToken ct)
    {
        await authority.EnsureFirstAsync(ct);
        Tell(authority.WhyNotIssuing(time.GetUtcNow()));
        await lists.RefreshAsync(force: false, ct);
        try
        {
            await identity.RefreshAsync(ct);
        }
        catch (KeyStoreException e)
        {
            Log.NoServerCertificate(logger, e);
        }
        if (Carry(new StateEditor(state.Snapshot, time.GetUtcNow())) > 0)
            await writer.ChangeAsync(Carry, ct);
    }

    private void Tell(string? whyNot)
    {
        if (whyNot is not null && whyNot != toldWhyNot)
            Log.NotIssuing(logger, whyNot);
        toldWhyNot = whyNot;
    }

    /// <summary>Raises and lowers alerts as time has it, and forgets what is long over. Pure but for the editor.</summary>
    /// <returns>How much it changed.</returns>
    internal static int Carry(StateEditor editor)
    {
        var before = editor.Writes.Count;
        foreach (var host in editor.Snapshot.Hosts.Values.Where(h => h.RetiredAt is null))
            Warn(editor, host);
        foreach (var one in editor.Snapshot.Authorities.Values.Where(a => a.IsLive))
            Warn(editor, one);
        foreach (var over in editor.Snapshot.Certificates.Values.Where(c => editor.Now > c.NotAfter + KeptAfterEnd).ToList())
            editor.Forget(over);
        return editor.Writes.Count - before;
    }

    private static void Warn(StateEditor editor, Host host)
    {
        var id = ExpiryAlert(host.Name);
        // The one issued last, over or not: a host whose certificate ended is the one to be told of most.
        var newest = editor.Snapshot.CertificatesOf(host.Name).LastOrDefault(c => !c.IsRevoked);
        if (newest is null || editor.Now < RenewalPlan.For(newest, editor.Snapshot).RenewAfter + RenewalGrace || ThresholdOf(newest.NotAfter - editor.Now, Thresholds) is not { } days)
        {
            editor.Lower(id);
            return;
        }
        var left = newest.NotAfter - editor.Now;
        var message = left > TimeSpan.Zero
            ? $"The certificate of {host.Name} ends on {newest.NotAfter:u}, in {Values.Format(Whole(left))}, and was not renewed: {WhyNot(editor.Snapshot, host.Name, newest)}."
            : $"The certificate of {host.Name} ended on {newest.NotAfter:u} and was not renewed: {WhyNot(editor.Snapshot, host.Name, newest)}.";
        RaiseOnce(editor, new Alert
        {
            Id = id,
            Severity = days <= 3 ? AlertSeverity.Critical : AlertSeverity.Warning,
            Host = host.Name,
            Message = message,
            Remedy = left > TimeSpan.Zero
                ? "On the host: 'provisioner-certificate renew --now' and 'journalctl -u provisioner-renew'."
                : $"It cannot renew any more: 'provisioner token {host.Name}' lets it enrol again; 'provisioner retire {host.Name}' if it is gone.",
        }, days);
    }

    private static string WhyNot(Snapshot snapshot, string host, Certificate newest)
    {
        var due = RenewalPlan.For(newest, snapshot).RenewAfter;
        return snapshot.HostReports.GetValueOrDefault(host) is not { } last || last.At < due
            ? $"it has not asked since it was due on {due:u}; is it running, and does its timer provisioner-renew run?"
            : last.Succeeded ? $"it said on {last.At:u} that all is in order, and has not asked"
            : $"its last try, on {last.At:u}, failed: {last.Message}";
    }

    private static void Warn(StateEditor editor, Authority one)
    {
        var id = AuthorityAlert(one.Id);
        if (one.State != AuthorityState.Issuing || ThresholdOf(one.NotAfter - editor.Now, AuthorityThresholds) is not { } days)
        {
            editor.Lower(id);
            return;
        }
        RaiseOnce(editor, new Alert
        {
            Id = id,
            Severity = days <= 90 ? AlertSeverity.Critical : AlertSeverity.Warning,
            Message = $"{one.Subject} ends on {one.NotAfter:u}, and every certificate it signed with it.",
            Remedy = "Begin to change to the next: 'provisioner ca rotate'.",
        }, days);
    }

    // A threshold is told once when it is passed; the same alert is not raised again at every look.
    private static void RaiseOnce(StateEditor editor, Alert alert, int days)
    {
        if (editor.Snapshot.Alerts.TryGetValue(alert.Id, out var raised) && raised.Severity == alert.Severity && raised.Threshold == days)
            return;
        editor.Raise(alert with { Threshold = days });
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Service,
            Outcome = EventOutcome.Failed,
            Host = alert.Host,
            What = $"Fewer than {days} days: {alert.Message}",
            Reason = alert.Remedy,
        });
    }

    private static int? ThresholdOf(TimeSpan left, int[] thresholds)
    {
        foreach (var days in thresholds)
        {
            if (left <= TimeSpan.FromDays(days))
                return days;
        }
        return null;
    }

    private static TimeSpan Whole(TimeSpan span) => span > TimeSpan.FromDays(2) ? TimeSpan.FromDays((int)span.TotalDays) : TimeSpan.FromHours((int)span.TotalHours);
}
