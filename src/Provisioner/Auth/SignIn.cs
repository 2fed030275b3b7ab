using System.Net;
using Provisioner.Events;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Auth;

/// <summary>Who is at the other end: the address, and what the browser says it is.</summary>
internal readonly record struct Origin(IPAddress Address, string? Agent);

/// <summary>What became of a sign-in.</summary>
internal abstract record SignInOutcome
{
    private SignInOutcome()
    {
    }

    /// <param name="Cookie">The secret of the session, for the browser alone.</param>
    /// <param name="Device">By what the browser is known at the next sign-in; null when it is known already.</param>
    public sealed record In(Session Session, string Cookie, string? Device) : SignInOutcome;

    /// <summary>Name or password is wrong; which, is not told.</summary>
    public sealed record Wrong : SignInOutcome;

    public sealed record Later(TimeSpan Wait) : SignInOutcome;
}

/// <summary>Signs people in with a password, and whom an identity provider vouches for.</summary>
internal sealed class SignIn(CurrentState state, StateWriter writer, PasswordHasher hasher, SignInGuard guard, BootJournal journal, AccessOptions options, TimeProvider time)
{
    /// <param name="device">What the browser holds of an earlier sign-in, or null.</param>
    public async Task<SignInOutcome> ByPasswordAsync(string name, string password, string? device, Origin origin, CancellationToken ct)
    {
        var user = state.Snapshot.Users.GetValueOrDefault(name);
        var known = device is not null && user?.Devices.Contains(OpaqueToken.Hash(device)) == true ? OpaqueToken.Hash(device) : null;
        if (guard.Ask(origin.Address, name, known) is { } wait)
        {
            if (guard.CountPutOff() is { } count)
                Refuse(name, origin, count == 1 ? "too many wrong passwords: it was not looked at" : $"too many wrong passwords: {count} tries were not looked at");
            return new SignInOutcome.Later(wait);
        }
        if (!await hasher.MatchesAsync(password, user?.PasswordHash, ct))
        {
            Refuse(name, origin, user is null ? "there is no such user" : user.PasswordHash is null ? "the user has no password here" : "the password is wrong");
            return new SignInOutcome.Wrong();
        }
        guard.Right(origin.Address, name, known);
        // Made at a lower cost than is asked for today: now is the one time the password is at hand.
        var newer = hasher.IsOld(user!.PasswordHash!) ? await hasher.HashAsync(password, ct) : null;
        return await StartAsync(user, known is null ? OpaqueToken.Create().Secret : null, newer, origin, ct);
    }

    /// <summary>Starts the session of a user who is who he says.</summary>
    public async Task<SignInOutcome.In> StartAsync(User user, string? device, string? newPasswordHash, Origin origin, CancellationToken ct)
    {
        var (token, now) = (OpaqueToken.Create(), time.GetUtcNow());
        var session = new Session(token.Id)
        {
            User = user.Name,
            Hash = token.Hash(),
            CreatedAt = now,
            SeenAt = now,
            EndsAt = now + options.SessionAge,
            Address = origin.Address.ToString(),
            Agent = origin.Agent is null ? null : Texts.OneLine(origin.Agent, 200),
        };
        await writer.ChangeAsync(editor => PeopleChanges.SignIn(editor, user, session, device is null ? null : OpaqueToken.Hash(device), newPasswordHash), ct);
        return new(session, token.Write(""), device);
    }

    private void Refuse(string name, Origin origin, string reason) => journal.Record(new Event
    {
        At = time.GetUtcNow(),
        Source = EventSource.Access,
        Outcome = EventOutcome.Refused,
        // A password typed where the name belongs must not end up in the record.
        What = $"Sign-in of {(state.Snapshot.Users.ContainsKey(name) ? name : "an unknown name")} refused (from {origin.Address})",
        Reason = reason,
    });
}
