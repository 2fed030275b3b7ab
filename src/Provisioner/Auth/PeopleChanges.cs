using Provisioner.Events;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Auth;

/// <summary>Changes of users, sessions and tokens, for <see cref="StateWriter.ChangeAsync{T}"/>.</summary>
internal static class PeopleChanges
{
    /// <summary>More browsers than one person uses.</summary>
    private const int MaximumDevices = 20;

    /// <summary>More places than one person is signed in at; the one that was not used for the longest time ends.</summary>
    private const int MaximumSessions = 50;

    public static User Add(StateEditor editor, string name, Role role, string? passwordHash, string? actor)
    {
        if (editor.Snapshot.Users.ContainsKey(name))
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"There is a user '{name}' already") { Path = "name", Value = name, Expected = "another name" }]);
        var user = new User(name) { Role = role, PasswordHash = passwordHash, CreatedAt = editor.Now, PasswordChangedAt = passwordHash is null ? null : editor.Now };
        editor.Put(user);
        Record(editor, $"User {name} added as {Roles.Word(role)}", "added", $"User/{name}", actor);
        return user;
    }

    public static User SetRole(StateEditor editor, string name, Role role, string? actor)
    {
        var user = Find(editor.Snapshot, name);
        if (user.Issuer is not null)
            throw new ChangeRefusedException(RefusalKind.Conflict, $"The groups of {name} at {user.Issuer} say which role it has. Change them there, or 'access.oidc.roles' in the configuration.");
        if (role != Role.Admin)
            KeepAnAdmin(editor.Snapshot, user);
        var changed = user with { Role = role };
        editor.Put(changed);
        Record(editor, $"User {name} is {Roles.Word(role)}", $"was {Roles.Word(user.Role)}", $"User/{name}", actor);
        return changed;
    }

    /// <summary>Another password; every session but <paramref name="except"/> ends, and what browsers were known by is forgotten.</summary>
    public static User SetPassword(StateEditor editor, string name, string passwordHash, string? except, string? actor)
    {
        var user = Find(editor.Snapshot, name);
        if (user.Issuer is not null)
            throw new ChangeRefusedException(RefusalKind.Conflict, $"{name} signs in at {user.Issuer}: there is no password here.");
        var changed = user with { PasswordHash = passwordHash, PasswordChangedAt = editor.Now, Devices = [] };
        editor.Put(changed);
        foreach (var session in editor.Snapshot.Sessions.Values.Where(s => s.User == name && s.Id != except).ToList())
            editor.RemoveSession(session.Id);
        Record(editor, $"User {name} has another password", "its other sessions have ended", $"User/{name}", actor);
        return changed;
    }

    public static void Remove(StateEditor editor, string name, string? actor)
    {
        var user = Find(editor.Snapshot, name);
        KeepAnAdmin(editor.Snapshot, user);
        editor.RemoveUser(name);
        Record(editor, $"User {name} removed", "its sessions have ended", $"User/{name}", actor);
    }

    /// <summary>Somebody signed in. The user is the one that was looked at: when it changed meanwhile, the sign-in is tried again.</summary>
    public static Session SignIn(StateEditor editor, User user, Session session, string? device, string? newPasswordHash)
    {
        var stored = editor.Snapshot.Users.GetValueOrDefault(user.Name);
        if (stored is null || stored.PasswordHash != user.PasswordHash)
            throw new ChangeRefusedException(RefusalKind.Conflict, "The user was changed while you signed in: try again.");
        var devices = device is null || stored.Devices.Contains(device) ? stored.Devices
            : [.. stored.Devices.Skip(Math.Max(0, stored.Devices.Length - MaximumDevices + 1)), device];
        editor.Put(stored with { LastSignInAt = editor.Now, Devices = devices, PasswordHash = newPasswordHash ?? stored.PasswordHash });
        foreach (var ended in editor.Snapshot.Sessions.Values.Where(s => s.EndsAt <= editor.Now).ToList())
            editor.RemoveSession(ended.Id);
        foreach (var oldest in editor.Snapshot.Sessions.Values.Where(s => s.User == user.Name).OrderByDescending(s => s.SeenAt).Skip(MaximumSessions - 1).ToList())
            editor.RemoveSession(oldest.Id);
        editor.Put(session);
        Record(editor, $"{user.Name} signed in as {Roles.Word(stored.Role)}", $"from {session.Address}", $"Session/{session.Id}", Actors.OfUser(user.Name));
        return session;
    }

    /// <summary>Somebody whom an identity provider vouches for: made, or brought up to date.</summary>
    public static User Vouch(StateEditor editor, string name, string issuer, string subject, Role role)
    {
        var known = editor.Snapshot.Users.Values.FirstOrDefault(u => u.Issuer == issuer && u.Subject == subject);
        if (known is null && editor.Snapshot.Users.TryGetValue(name, out var other))
        {
            throw new ChangeRefusedException(RefusalKind.Conflict, other.Issuer is null
                ? $"{name} is a user with a password here: an admin is to remove it before somebody can sign in by that name at {issuer}."
                : $"{name} was somebody else at {other.Issuer}: an admin is to remove that user first.");
        }
        if (known is not null && known.Role == role)
            return known;
        var user = known is null ? new User(name) { Role = role, Issuer = issuer, Subject = subject, CreatedAt = editor.Now } : known with { Role = role };
        editor.Put(user);
        Record(editor, $"User {user.Name} {(known is null ? "added as" : "is")} {Roles.Word(role)}", $"so its groups at {issuer} say", $"User/{user.Name}", Actors.OfUser(user.Name));
        return user;
    }

    public static void SignOut(StateEditor editor, string session, string reason, string? actor)
    {
        if (!editor.Snapshot.Sessions.TryGetValue(session, out var ended))
            throw new ChangeRefusedException(RefusalKind.NotFound, $"There is no session '{Reading.Shorten(session)}'.");
        editor.RemoveSession(session);
        Record(editor, $"A session of {ended.User} ended", reason, $"Session/{session}", actor);
    }

    public static ApiToken Create(StateEditor editor, string name, Role role, TimeSpan lifetime, OpaqueToken token, string? actor)
    {
        if (editor.Snapshot.ApiTokens.Values.Any(t => t.Name == name))
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake($"There is a token '{name}' already") { Path = "name", Value = name, Expected = "another name, or that one revoked first" }]);
        var made = new ApiToken(name) { Id = token.Id, Hash = token.Hash(), Role = role, CreatedAt = editor.Now, EndsAt = editor.Now + lifetime, Actor = actor };
        editor.Put(made);
        Record(editor, $"Token {name} made for {Roles.Word(role)}", $"good until {made.EndsAt:u}", $"Token/{name}", actor);
        return made;
    }

    public static ApiToken Revoke(StateEditor editor, string name, string reason, string? actor)
    {
        var token = editor.Snapshot.ApiTokens.Values.FirstOrDefault(t => t.Name == name)
            ?? throw new ChangeRefusedException(RefusalKind.NotFound, $"There is no token '{Reading.Shorten(name)}'.{Nearest(name, editor.Snapshot.ApiTokens.Values.Select(t => t.Name))}");
        editor.RemoveApiToken(token.Id);
        Record(editor, $"Token {name} revoked", reason, $"Token/{name}", actor);
        return token;
    }

    public static User Find(Snapshot snapshot, string name) => snapshot.Users.GetValueOrDefault(name)
        ?? throw new ChangeRefusedException(RefusalKind.NotFound, $"There is no user '{Reading.Shorten(name)}'.{Nearest(name, snapshot.Users.Keys)}");

    public static bool HasAdmin(Snapshot snapshot) => snapshot.Users.Values.Any(u => u.Role == Role.Admin);

    private static string Nearest(string name, IEnumerable<string> names) => Spelling.Nearest(name, names) is { } nearest ? $" Did you mean '{nearest}'?" : "";

    private static void KeepAnAdmin(Snapshot snapshot, User user)
    {
        if (user.Role == Role.Admin && !snapshot.Users.Values.Any(u => u.Name != user.Name && u.Role == Role.Admin))
            throw new ChangeRefusedException(RefusalKind.Conflict, $"{user.Name} is the last admin. Make another user an admin first.");
    }

    private static void Record(StateEditor editor, string what, string reason, string subject, string? actor) => editor.Record(new Event
    {
        At = editor.Now,
        Source = EventSource.Access,
        Outcome = EventOutcome.Changed,
        What = what,
        Reason = reason,
        Actor = actor,
        Subject = subject,
    });
}

/// <summary>How events and the audit trail call whoever did something: one name for one person, also when a local account is called the same.</summary>
internal static class Actors
{
    public static string OfUser(string name) => $"user/{name}";

    public static string OfToken(string name) => $"token/{name}";
}
