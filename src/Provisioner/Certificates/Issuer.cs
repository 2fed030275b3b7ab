using System.Threading.Channels;
using Provisioner.Certificates.Keys;
using Provisioner.Events;
using Provisioner.Storage;

namespace Provisioner.Certificates;

/// <summary>What becomes of a question.</summary>
internal abstract record EnrolmentOutcome
{
    /// <summary>The certificate is stored and journaled, and may leave the service.</summary>
    /// <param name="Again">It was issued before.</param>
    public sealed record Issued(Certificate Certificate, bool Again) : EnrolmentOutcome;

    public sealed record Refused(RefusalCause Cause, string Reason) : EnrolmentOutcome;

    /// <summary>Not now: the clock, the disk or the queue.</summary>
    public sealed record Unavailable(string Reason, TimeSpan RetryAfter) : EnrolmentOutcome;
}

/// <summary>
/// Issues certificates. Questions that wait while the disk works are answered together: one transaction, one journal line, one fsync
/// for all of them.
/// </summary>
internal sealed class Issuer(
    CurrentState state, StateWriter writer, CertificateAuthority authority, CertificateOptions options, TimeProvider time, ILogger<Issuer> logger) : BackgroundService
{
    private const int BatchSize = 64;

    /// <summary>More than a rack row that boots at once; beyond it, hosts are asked to come again.</summary>
    private const int QueueLength = 2048;

    private readonly Channel<Work> queue = Channel.CreateBounded<Work>(new BoundedChannelOptions(QueueLength) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    /// <summary>Decides, signs, stores.</summary>
    public async Task<EnrolmentOutcome> AskAsync(CertificateQuestion question, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        // What was given before is given again though nothing can be issued now.
        var decision = EnrolmentDecision.Of(question, state.Snapshot, now);
        if (decision is EnrolmentDecision.GiveAgain given)
            return new EnrolmentOutcome.Issued(given.Certificate, Again: true);
        if (decision is EnrolmentDecision.Issue && authority.WhyNotIssuing(now) is { } reason)
            return new EnrolmentOutcome.Unavailable(reason, TimeSpan.FromMinutes(1));
        var work = new Work(question);
        if (!queue.Writer.TryWrite(work))
            return new EnrolmentOutcome.Unavailable("too many ask at once", TimeSpan.FromSeconds(5));
        return await work.Done.Task.WaitAsync(ct);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var batch = new List<Work>(BatchSize);
        while (await queue.Reader.WaitToReadAsync(stoppingToken))
        {
            while (batch.Count < BatchSize && queue.Reader.TryRead(out var work))
                batch.Add(work);
            await AnswerAsync(batch);
            batch.Clear();
        }
    }

    private async Task AnswerAsync(List<Work> batch)
    {
        EnrolmentOutcome[] outcomes;
        try
        {
            SignAll(batch);
            outcomes = await writer.ChangeAsync(editor => batch.ConvertAll(work => Carry(editor, work)).ToArray());
        }
        catch (StoreException e)
        {
            outcomes = [.. batch.Select(_ => new EnrolmentOutcome.Unavailable(e.Message, TimeSpan.FromSeconds(30)))];
        }
        catch (KeyStoreException e)
        {
            Log.NotSigned(logger, e);
            outcomes = [.. batch.Select(_ => new EnrolmentOutcome.Unavailable($"the authority's key cannot be used: {e.Message}", TimeSpan.FromSeconds(30)))];
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Log.NotSigned(logger, e);
            outcomes = [.. batch.Select(_ => new EnrolmentOutcome.Unavailable("the service failed at this; its log has the details", TimeSpan.FromSeconds(30)))];
        }
        for (var i = 0; i < batch.Count; i++)
            batch[i].Done.SetResult(outcomes[i]);
    }

    // Before the writer's lane, which must not wait for a key in an HSM.
    private void SignAll(List<Work> batch)
    {
        var (snapshot, now) = (state.Snapshot, time.GetUtcNow());
        if (snapshot.IssuingAuthority is not { } issuing || authority.WhyNotIssuing(now) is not null)
            return;
        var signer = authority.SignerOf(issuing);
        foreach (var work in batch)
        {
            if (EnrolmentDecision.Of(work.Question, snapshot, now) is EnrolmentDecision.Issue issue)
                work.Signed = signer.IssueHost(issue.Host, work.Question.Request.SubjectPublicKeyInfo, now, options.CertificateLifetime);
        }
    }

    // Decided once more, against what is stored: of two questions with one token, the second finds it spent.
    private static EnrolmentOutcome Carry(StateEditor editor, Work work)
    {
        switch (EnrolmentDecision.Of(work.Question, editor.Snapshot, editor.Now))
        {
            case EnrolmentDecision.GiveAgain given:
                return new EnrolmentOutcome.Issued(given.Certificate, Again: true);
            case EnrolmentDecision.Refuse refuse:
                if (refuse.Alert is { } alert && !WasJustRaised(editor, alert.Id))
                    editor.Raise(alert);
                return new EnrolmentOutcome.Refused(refuse.Cause, refuse.Reason);
            case EnrolmentDecision.Issue issue when work.Signed is { } signed && signed.Host == issue.Host && editor.Snapshot.IssuingAuthority?.Id == signed.Authority:
                var certificate = signed with { RequestHash = work.Question.RequestHash, Installation = issue.Installation?.Id, Renews = issue.Renews?.Serial };
                Keep(editor, certificate, issue);
                return new EnrolmentOutcome.Issued(certificate, Again: false);
            default:
                // The authority changed in between, or the clock was lost.
                return new EnrolmentOutcome.Unavailable("the authority is being changed", TimeSpan.FromSeconds(2));
        }
    }

    // Whoever has a spent token may try it a thousand times a second, and each alert is a write to the disk.
    private static bool WasJustRaised(StateEditor editor, string alert) =>
        editor.Snapshot.Alerts.TryGetValue(alert, out var before) && before.DismissedAt is null && editor.Now - before.LastAt < TimeSpan.FromMinutes(1);

    private static void Keep(StateEditor editor, Certificate certificate, EnrolmentDecision.Issue issue)
    {
        editor.Put(certificate);
        if (issue.Installation is { } installation)
            editor.Put(installation with { ClosedAt = editor.Now, ClosedBecause = Hosts.Installation.Enrolled });
        editor.Lower(CertificateWatch.ExpiryAlert(certificate.Host));
        editor.Record(new Event
        {
            At = editor.Now,
            Source = EventSource.Est,
            Outcome = EventOutcome.Answered,
            Host = certificate.Host,
            What = $"{(issue.Renews is null ? "Enrolled" : "Renewed")}: certificate {certificate.Serial} until {certificate.NotAfter:u}",
            Reason = issue.Renews is { } old ? $"renews {old.Serial}" : $"token of Installation {certificate.Installation}",
            Subject = $"Certificate/{certificate.Serial}",
        });
    }

    private sealed record Work(CertificateQuestion Question)
    {
        public TaskCompletionSource<EnrolmentOutcome> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Certificate? Signed { get; set; }
    }
}
