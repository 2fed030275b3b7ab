using System.Text.Json.Nodes;
using Provisioner.Auth;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>Users, their sessions, and tokens of programs.</summary>
internal static class PeopleEndpoints
{
    public sealed record UserBody
    {
        public string Name { get; init; } = "";

        public Role Role { get; init; }

        public string? Password { get; init; }
    }

    public sealed record TokenBody
    {
        public string Name { get; init; } = "";

        public Role Role { get; init; }

        public TimeSpan Lifetime { get; init; } = TimeSpan.FromDays(90);
    }

    public static readonly Shape<UserBody> UserShape = DeclareUser();
    private static readonly Shape<UserBody> RoleShape = DeclareRole();
    public static readonly Shape<UserBody> PasswordShape = DeclarePassword();
    public static readonly Shape<TokenBody> TokenShape = DeclareToken();

    public static IReadOnlyList<FieldDescription> UserFields => UserShape.Fields;

    public static IReadOnlyList<FieldDescription> RoleFields => RoleShape.Fields;

    public static IReadOnlyList<FieldDescription> PasswordFields => PasswordShape.Fields;

    public static IReadOnlyList<FieldDescription> TokenFields => TokenShape.Fields;

    public static void MapPeople(this IEndpointRouteBuilder api)
    {
        api.MapGet("/users", (CurrentState state) => Json.Answer(Json.List(state.Snapshot.Users.Values.Select(u => Of(u, state.Snapshot)))));
        api.MapGet("/users/{name}", (string name, CurrentState state) => Json.Answer(Of(PeopleChanges.Find(state.Snapshot, name), state.Snapshot)));
        api.MapPost("/users", async (HttpContext context, PasswordHasher hasher, StateWriter writer) =>
        {
            var body = await Bodies.ReadAsync(context, UserShape);
            Passwords.RefuseNameIn(body.Password!, body.Name);
            var hash = await hasher.HashAsync(body.Password!, context.RequestAborted);
            var actor = Caller.Name(context);
            return await writer.ChangeAsync(editor => Json.Answer(Of(PeopleChanges.Add(editor, body.Name, body.Role, hash, actor), editor.Snapshot), StatusCodes.Status201Created), context.RequestAborted);
        });
        api.MapPost("/users/{name}/role", async (string name, HttpContext context, StateWriter writer) =>
        {
            var body = await Bodies.ReadAsync(context, RoleShape);
            var actor = Caller.Name(context);
            return await writer.ChangeAsync(editor => Json.Answer(Of(PeopleChanges.SetRole(editor, name, body.Role, actor), editor.Snapshot)), context.RequestAborted);
        });
        api.MapPost("/users/{name}/password", async (string name, HttpContext context, PasswordHasher hasher, StateWriter writer, CurrentState state) =>
        {
            var body = await Bodies.ReadAsync(context, PasswordShape);
            _ = PeopleChanges.Find(state.Snapshot, name);
            Passwords.RefuseNameIn(body.Password!, name);
            var hash = await hasher.HashAsync(body.Password!, context.RequestAborted);
            var actor = Caller.Name(context);
            return await writer.ChangeAsync(editor => Json.Answer(Of(PeopleChanges.SetPassword(editor, name, hash, except: null, actor), editor.Snapshot)), context.RequestAborted);
        });
        api.MapDelete("/users/{name}", async (string name, HttpContext context, StateWriter writer) =>
        {
            var actor = Caller.Name(context);
            await writer.ChangeAsync(editor => { PeopleChanges.Remove(editor, name, actor); return 0; }, context.RequestAborted);
            return Results.NoContent();
        });
        api.MapGet("/sessions", (CurrentState state, Visitors visitors) => Json.Answer(Json.List(
            from session in state.Snapshot.Sessions.Values
            where visitors.UserOf(session, state.Snapshot) is not null
            orderby visitors.SeenAt(session) descending
            select Of(session, visitors))));
        api.MapDelete("/sessions/{id}", async (string id, HttpContext context, StateWriter writer) =>
        {
            var actor = Caller.Name(context);
            await writer.ChangeAsync(editor => { PeopleChanges.SignOut(editor, id, "ended by an admin", actor); return 0; }, context.RequestAborted);
            return Results.NoContent();
        });
        api.MapGet("/tokens", (CurrentState state) => Json.Answer(Json.List(state.Snapshot.ApiTokens.Values.OrderBy(t => t.Name, StringComparer.Ordinal).Select(Of))));
        api.MapGet("/tokens/{name}", (string name, CurrentState state) => state.Snapshot.ApiTokens.Values.FirstOrDefault(t => t.Name == name) is { } token ? Json.Answer(Of(token))
            : throw new ChangeRefusedException(RefusalKind.NotFound, $"There is no token '{Reading.Shorten(name)}'."));
        api.MapPost("/tokens", async (HttpContext context, StateWriter writer) =>
        {
            var body = await Bodies.ReadAsync(context, TokenShape);
            var (actor, token) = (Caller.Name(context), OpaqueToken.Create());
            var made = await writer.ChangeAsync(editor => PeopleChanges.Create(editor, body.Name, body.Role, body.Lifetime, token, actor), context.RequestAborted);
            context.Response.Headers.CacheControl = "no-store";
            var json = Of(made);
            json["token"] = token.Write(Visitors.TokenPrefix);
            return Json.Answer(json, StatusCodes.Status201Created);
        }).WithMetadata(new SecretAnswer());
        api.MapDelete("/tokens/{name}", async (string name, HttpContext context, StateWriter writer) =>
        {
            var actor = Caller.Name(context);
            await writer.ChangeAsync(editor => PeopleChanges.Revoke(editor, name, "revoked", actor), context.RequestAborted);
            return Results.NoContent();
        });
    }

    /// <summary>The first admin's link, for whoever may open the socket.</summary>
    public static void MapSetupLink(this IEndpointRouteBuilder api) => api.MapPost("/setup-link", (HttpContext context, SetupLink link) =>
    {
        context.Response.Headers.CacheControl = "no-store";
        return Json.Answer(new JsonObject { ["link"] = link.Create() ?? throw link.WhyNot() });
    });

    private static JsonObject Of(User user, Snapshot snapshot) => Json.WithoutNulls(new JsonObject
    {
        ["name"] = user.Name,
        ["role"] = Roles.Word(user.Role),
        ["issuer"] = user.Issuer,
        ["createdAt"] = Json.At(user.CreatedAt),
        ["passwordChangedAt"] = Json.At(user.PasswordChangedAt),
        ["lastSignInAt"] = Json.At(user.LastSignInAt),
        ["sessions"] = snapshot.Sessions.Values.Count(s => s.User == user.Name),
    });

    private static JsonObject Of(Session session, Visitors visitors) => Json.WithoutNulls(new JsonObject
    {
        ["id"] = session.Id,
        ["user"] = session.User,
        ["createdAt"] = Json.At(session.CreatedAt),
        ["seenAt"] = Json.At(visitors.SeenAt(session)),
        ["endsAt"] = Json.At(session.EndsAt),
        ["address"] = session.Address,
        ["agent"] = session.Agent,
    });

    private static JsonObject Of(ApiToken token) => Json.WithoutNulls(new JsonObject
    {
        ["name"] = token.Name,
        ["role"] = Roles.Word(token.Role),
        ["createdAt"] = Json.At(token.CreatedAt),
        ["endsAt"] = Json.At(token.EndsAt),
        ["lastUsedAt"] = Json.At(token.LastUsedAt),
        ["lastUsedFrom"] = token.LastUsedFrom,
        ["actor"] = token.Actor,
    });

    private static Shape<UserBody> DeclareUser()
    {
        var shape = new Shape<UserBody>("the user", () => new UserBody());
        shape.Required("name", Passwords.UserName, b => b.Name, (b, v) => b with { Name = v }, "Unique.");
        shape.Required("role", Roles.Kind, b => b.Role, (b, v) => b with { Role = v }, "What the user may do.");
        shape.Required("password", Passwords.New, b => b.Password!, (b, v) => b with { Password = v }, "The first password; the user can change it.");
        return shape;
    }

    private static Shape<UserBody> DeclareRole()
    {
        var shape = new Shape<UserBody>("the role", () => new UserBody());
        shape.Required("role", Roles.Kind, b => b.Role, (b, v) => b with { Role = v }, "What the user may do from now on.");
        return shape;
    }

    private static Shape<UserBody> DeclarePassword()
    {
        var shape = new Shape<UserBody>("the password", () => new UserBody());
        shape.Required("password", Passwords.New, b => b.Password!, (b, v) => b with { Password = v }, "The new password; all sessions end.");
        return shape;
    }

    private static Shape<TokenBody> DeclareToken()
    {
        var shape = new Shape<TokenBody>("the token", () => new TokenBody());
        shape.Required("name", Values.Name, b => b.Name, (b, v) => b with { Name = v }, "Unique: what it is for.");
        shape.Required("role", Roles.Kind, b => b.Role, (b, v) => b with { Role = v }, "What it may do.");
        shape.Default("lifetime", Values.DurationBetween(TimeSpan.FromMinutes(5), TimeSpan.FromDays(825), "a duration", "such as 1h or 90d, from 5m to 825d"), b => b.Lifetime, (b, v) => b with { Lifetime = v }, "How long it is good.");
        return shape;
    }
}
