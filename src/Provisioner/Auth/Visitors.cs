using System.Collections.Concurrent;
using System.Net;
using System.Security.Claims;
using Provisioner.Certificates;
using Provisioner.Events;
using Provisioner.Storage;

namespace Provisioner.Auth;

/// <summary>Who sent a request, by what it carried: the session of a cookie, or a token. Remembers when each was last used.</summary>
internal sealed class Visitors(CurrentState state, StateWriter writer, AccessOptions options, TokenGuard guard, BootJournal journal, TimeProvider time, ILogger<Visitors> logger)
{
    /// <summary>How program's tokens begin: whoever finds one knows what it is, and scanners of source code do.</summary>
    public const string TokenPrefix = "prv_";

    /// <summary>How exactly the last use is kept: not every request is to write.</summary>
    private static readonly TimeSpan Exactly = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, DateTimeOffset> seen = [];

    /// <summary>The person of that cookie, or null.</summary>
    public ClaimsPrincipal? OfCookie(string cookie)
    {
        var snapshot = state.Snapshot;
        if (!OpaqueToken.TryParse(cookie, "", out var token) || snapshot.Sessions.GetValueOrDefault(token.Id) is not { } session || !token.Matches(session.Hash)
            || UserOf(session, snapshot) is not { } user)
            return null;
        Touch(session);
        return Identities.OfUser(user, session);
    }

    /// <summary>Whether whoever this was made for may still come in, as a page that stays open has to ask.</summary>
    public bool IsStillIn(ClaimsPrincipal principal)
    {
        var snapshot = state.Snapshot;
        return principal.SessionId() is { } id && snapshot.Sessions.GetValueOrDefault(id) is { } session
            && UserOf(session, snapshot) is { } user && Identities.RoleOf(principal) == user.Role;
    }

    /// <summary>The program of that token, or null and why.</summary>
    public ClaimsPrincipal? OfToken(string text, IPAddress address, out TimeSpan? wait)
    {
        wait = null;
        var (now, token) = (time.GetUtcNow(), default(OpaqueToken));
        var found = OpaqueToken.TryParse(text, TokenPrefix, out token) ? state.Snapshot.ApiTokens.GetValueOrDefault(token.Id) : null;
        if (found is not null && token.Matches(found.Hash) && now < found.EndsAt)
        {
            Touch(found, address);
            return Identities.OfToken(found);
        }
        var isKnown = found is not null && token.Matches(found.Hash);
        var verdict = guard.Wrong(address, null);
        if (verdict.Record)
            Refuse($"A token was refused (from {address})", isKnown ? $"token {found!.Name} was good until {found.EndsAt:u}" : "it is none of this appliance's, or was revoked", isKnown ? Actors.OfToken(found!.Name) : null);
        wait = verdict.RetryAfter;
        return null;
    }

    /// <summary>What a request held in its address, if it is a secret of ours: the name of the token.</summary>
    public string? NameOfToken(string text) =>
        OpaqueToken.TryParse(text, TokenPrefix, out var token) && state.Snapshot.ApiTokens.GetValueOrDefault(token.Id) is { } found && token.Matches(found.Hash) ? found.Name : null;

    /// <summary>Records that somebody was refused.</summary>
    public void Refuse(string what, string reason, string? actor) => journal.Record(new Event
    {
        At = time.GetUtcNow(),
        Source = EventSource.Access,
        Outcome = EventOutcome.Refused,
        What = what,
        Reason = reason,
        Actor = actor,
    });

    /// <summary>When the session was last used, as far as is known.</summary>
    public DateTimeOffset SeenAt(Session session) => seen.TryGetValue(session.Id, out var at) && at > session.SeenAt ? at : session.SeenAt;

    /// <summary>Whose session this is, as long as it has not ended.</summary>
    public User? UserOf(Session session, Snapshot snapshot)
    {
        var now = time.GetUtcNow();
        return now < session.EndsAt && now - SeenAt(session) < options.SessionIdle ? snapshot.Users.GetValueOrDefault(session.User) : null;
    }

    private void Touch(Session session)
    {
        if (IsNews(session.Id, session.SeenAt))
            Note(editor => { if (editor.Snapshot.Sessions.TryGetValue(session.Id, out var stored)) editor.Put(stored with { SeenAt = editor.Now }); });
    }

    private void Touch(ApiToken token, IPAddress address)
    {
        if (IsNews(token.Id, token.LastUsedAt ?? default))
            Note(editor => { if (editor.Snapshot.ApiTokens.TryGetValue(token.Id, out var stored)) editor.Put(stored with { LastUsedAt = editor.Now, LastUsedFrom = address.ToString() }); });
    }

    // One request of many writes: the first that comes after the minute.
    private bool IsNews(string id, DateTimeOffset stored)
    {
        var now = time.GetUtcNow();
        if (now - stored < Exactly)
            return false;
        if (seen.Count > 10_000)
            seen.Clear();
        var before = seen.GetOrAdd(id, stored);
        return now - before >= Exactly && seen.TryUpdate(id, now, before);
    }

    private void Note(Action<StateEditor> change) => _ = NoteAsync(change);

    private async Task NoteAsync(Action<StateEditor> change)
    {
        try
        {
            await writer.NoteAsync(editor => { change(editor); return 0; }, CancellationToken.None);
        }
        catch (StoreException e)
        {
            Log.LastUseNotStored(logger, e.Message);
        }
    }
}
