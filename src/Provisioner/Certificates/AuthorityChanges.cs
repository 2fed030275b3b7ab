using Provisioner.Events;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Certificates;

/// <summary>The steps of a change of authority. Each can be repeated: done once, it says that it is done.</summary>
internal enum RotationStep
{
    /// <summary>Make the next authority: it is trusted, and signs nothing yet.</summary>
    Prepare,

    /// <summary>The next authority signs from now on; hosts move to it over a time.</summary>
    Switch,

    /// <summary>Ask no more hosts to move for now.</summary>
    Pause,

    /// <summary>Go on asking.</summary>
    Resume,

    /// <summary>Trust the previous authority no longer.</summary>
    Retire,

    /// <summary>Give up the next authority before it has signed anything.</summary>
    Abort,
}

/// <summary>How authorities follow each other, for <see cref="StateWriter.ChangeAsync{T}"/>. Pure but for the editor.</summary>
internal static class AuthorityChanges
{
    /// <summary>How long hosts take to move unless said otherwise.</summary>
    public static readonly TimeSpan DefaultMove = TimeSpan.FromDays(14);

    public static Authority? In(Snapshot snapshot, AuthorityState state) => snapshot.Authorities.Values.FirstOrDefault(a => a.State == state);

    /// <summary>The authority that is to issue after the present one, complete or not.</summary>
    public static Authority? Coming(Snapshot snapshot) => In(snapshot, AuthorityState.Next) ?? In(snapshot, AuthorityState.Pending);

    /// <summary>The hosts in service whose only good certificates are of that authority.</summary>
    public static IReadOnlyList<string> HostsOf(Authority authority, Snapshot snapshot, DateTimeOffset now) =>
        [.. from host in snapshot.Hosts.Values
            where host.RetiredAt is null && snapshot.GoodCertificateOf(host.Name, now) is { } good && good.Authority == authority.Id
            select host.Name];

    /// <summary>The step that comes next; null while hosts are moving, which needs nobody.</summary>
    public static RotationStep? NextStep(Snapshot snapshot, DateTimeOffset now) =>
        In(snapshot, AuthorityState.Previous) is { } previous ? HostsOf(previous, snapshot, now).Count == 0 ? RotationStep.Retire : null
        : In(snapshot, AuthorityState.Next) is not null ? RotationStep.Switch
        : RotationStep.Prepare;

    /// <summary>Puts the first authority, or the one that comes next, with its key made already.</summary>
    /// <exception cref="ChangeRefusedException">A change of authority is under way.</exception>
    public static Authority Add(StateEditor editor, Authority authority, string reason, string? actor)
    {
        RefuseUnlessIdle(editor.Snapshot);
        editor.Put(authority);
        Record(editor, $"Authority {authority.Subject} made ({Words(authority.State)}, {authority.Algorithm})", reason, actor);
        return authority;
    }

    /// <exception cref="ChangeRefusedException">There is a next or a previous authority already.</exception>
    public static void RefuseUnlessIdle(Snapshot snapshot)
    {
        if (Coming(snapshot) is { } coming)
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"{coming.Subject} is prepared already") { Expected = "'provisioner ca rotate' to go on with it, or 'provisioner ca rotate --step abort' to give it up" }]);
        if (In(snapshot, AuthorityState.Previous) is { } previous)
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"hosts still move away from {previous.Subject}") { Expected = "'provisioner ca rotate --step retire' first" }]);
    }

    /// <summary>Gives an authority the certificate that somebody else signed for its key.</summary>
    public static Authority Complete(StateEditor editor, Authority completed, string? actor)
    {
        var stored = editor.Snapshot.Authorities.GetValueOrDefault(completed.Id)
            ?? throw new ChangeRefusedException(RefusalKind.Conflict, $"authority {completed.Subject} is gone");
        if (stored.Der is not null && stored.Der.AsSpan().SequenceEqual(completed.Der) && stored.State == completed.State)
            return stored;
        completed = completed with { CrlNumber = stored.CrlNumber, Move = stored.Move };
        editor.Put(completed);
        Record(editor, $"Certificate of {completed.Subject} imported", $"signed by another authority, good until {completed.NotAfter:u}", actor);
        return completed;
    }

    /// <summary>The next authority issues; the present one becomes the previous.</summary>
    public static Authority Switch(StateEditor editor, TimeSpan over, string? actor)
    {
        var present = editor.Snapshot.IssuingAuthority;
        if (In(editor.Snapshot, AuthorityState.Next) is not { } next)
        {
            if (In(editor.Snapshot, AuthorityState.Previous) is not null)
                return present!;
            throw Missing(editor.Snapshot);
        }
        if (editor.Now < next.NotBefore || editor.Now >= next.NotAfter)
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"{next.Subject} is good only from {next.NotBefore:u} to {next.NotAfter:u}") { Expected = "a certificate that is good now" }]);
        var issuing = next with { State = AuthorityState.Issuing, IssuingSince = editor.Now };
        editor.Put(issuing);
        if (present is not null)
            editor.Put(present with { State = AuthorityState.Previous, Move = new HostMove(editor.Now, editor.Now + over) });
        Record(editor, $"{issuing.Subject} issues from now on", present is null ? "it is the first" : $"hosts of {present.Subject} move to it over {Values.Format(over)}", actor);
        return issuing;
    }

    /// <summary>Stops asking hosts to move, or goes on. What is left of the time is kept.</summary>
    public static Authority SetPaused(StateEditor editor, bool paused, TimeSpan? over, string? actor)
    {
        if (In(editor.Snapshot, AuthorityState.Previous) is not { Move: { } move } previous)
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake("no hosts are moving from one authority to another") { Expected = "'provisioner ca rotate' first" }]);
        HostMove then;
        if (paused)
        {
            if (move.PausedAt is not null)
                return previous;
            then = move with { PausedAt = editor.Now };
        }
        else
        {
            if (move.PausedAt is null && over is null)
                return previous;
            var pause = move.PausedAt is { } at ? editor.Now - at : TimeSpan.Zero;
            then = over is { } length ? new HostMove(editor.Now, editor.Now + length) : new HostMove(move.From + pause, move.Until + pause);
        }
        previous = previous with { Move = then };
        editor.Put(previous);
        Record(editor, paused ? $"The move away from {previous.Subject} is paused" : $"The move away from {previous.Subject} goes on until {then.Until:u}", "asked for", actor);
        return previous;
    }

    /// <summary>The previous authority is trusted no longer. Its hosts, if any are left, can only enrol anew.</summary>
    /// <exception cref="ChangeRefusedException">Hosts still depend on it, and <paramref name="force"/> is not given.</exception>
    public static Authority Retire(StateEditor editor, bool force, string? actor)
    {
        if (In(editor.Snapshot, AuthorityState.Previous) is not { } previous)
        {
            return editor.Snapshot.Authorities.Values.Where(a => a is { State: AuthorityState.Retired, IssuingSince: not null }).MaxBy(a => a.RetiredAt)
                ?? throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake("there is no previous authority") { Expected = "'provisioner ca rotate' first" }]);
        }
        var left = HostsOf(previous, editor.Snapshot, editor.Now);
        if (left.Count > 0 && !force)
        {
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"{left.Count} {(left.Count == 1 ? "host has" : "hosts have")} no certificate of the new authority yet: {ResourceChanges.Enumerate([.. left])}")
            {
                Expected = "to wait until they have renewed (provisioner get certificates), or --force: they are then shut out and have to enrol anew",
            }]);
        }
        previous = previous with { State = AuthorityState.Retired, RetiredAt = editor.Now, Move = null };
        editor.Put(previous);
        editor.Lower(RevocationLists.SizeAlert(previous));
        Record(editor, $"{previous.Subject} is retired", left.Count == 0 ? "no host depends on it" : $"forced; {left.Count} hosts are shut out: {ResourceChanges.Enumerate([.. left])}", actor);
        return previous;
    }

    /// <summary>Gives up an authority that has signed nothing.</summary>
    public static Authority? Abort(StateEditor editor, string? actor)
    {
        if (Coming(editor.Snapshot) is not { } coming)
            return null;
        var retired = coming with { State = AuthorityState.Retired, RetiredAt = editor.Now };
        editor.Put(retired);
        Record(editor, $"{coming.Subject} is given up", "asked for, before it signed anything", actor);
        return retired;
    }

    internal static string Words(AuthorityState state) => state.ToString().ToLowerInvariant();

    private static ChangeRefusedException Missing(Snapshot snapshot) => In(snapshot, AuthorityState.Pending) is { } pending
        ? new(RefusalKind.Conflict, [new Mistake($"{pending.Subject} has no certificate yet") { Expected = "'provisioner ca csr --next', have it signed, 'provisioner ca import FILE'" }])
        : new(RefusalKind.Conflict, [new Mistake("no next authority is prepared") { Expected = "'provisioner ca rotate --step prepare' first" }]);

    private static void Record(StateEditor editor, string what, string reason, string? actor) => editor.Record(new Event
    {
        At = editor.Now,
        Source = actor is null ? EventSource.Service : EventSource.Api,
        Outcome = EventOutcome.Changed,
        What = what,
        Reason = reason,
        Actor = actor,
        Subject = "Authority",
    });
}
