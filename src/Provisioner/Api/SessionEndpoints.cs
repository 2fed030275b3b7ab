using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Antiforgery;
using Provisioner.Auth;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>How one becomes somebody, and stops: set-up, sign-in, sign-out. On the secure plane alone.</summary>
internal static class SessionEndpoints
{
    private sealed record Credentials
    {
        public string Token { get; init; } = "";

        public string Name { get; init; } = "";

        public string Password { get; init; } = "";

        public string Next { get; init; } = "";
    }

    private static readonly Shape<Credentials> SetupShape = DeclareSetup();
    private static readonly Shape<Credentials> SignInShape = DeclareSignIn();
    private static readonly Shape<Credentials> PasswordShape = DeclarePassword();

    public static IReadOnlyList<FieldDescription> SetupFields => SetupShape.Fields;

    public static IReadOnlyList<FieldDescription> SignInFields => SignInShape.Fields;

    public static IReadOnlyList<FieldDescription> PasswordFields => PasswordShape.Fields;

    public static void MapSessions(this IEndpointRouteBuilder api)
    {
        api.MapPost("/setup", SetUpAsync);
        api.MapGet("/session", (HttpContext context, CurrentState state, IAntiforgery antiforgery) => Json.Answer(Describe(context, state.Snapshot, antiforgery)));
        api.MapPost("/session", SignInAsync);
        api.MapDelete("/session", async (HttpContext context, StateWriter writer) =>
        {
            if (context.User.SessionId() is not { } session)
                throw new ChangeRefusedException(RefusalKind.Conflict, "A token has no session to end: 'provisioner token revoke NAME' ends the token.");
            await writer.ChangeAsync(editor => { PeopleChanges.SignOut(editor, session, "signed out", Caller.Name(context)); return 0; }, context.RequestAborted);
            AccessHandler.Clear(context);
            return Results.NoContent();
        });
        api.MapPost("/session/password", ChangePasswordAsync);
    }

    private static async Task<IResult> SetUpAsync(HttpContext context, SetupLink link, PasswordHasher hasher, StateWriter writer, SignIn signIn, Visitors visitors)
    {
        var body = await Bodies.ReadAsync(context, SetupShape);
        if (!link.Matches(body.Token))
        {
            visitors.Refuse($"Set-up refused (from {context.Connection.RemoteIpAddress})", "the link is not, or no longer, the one that is good", null);
            throw new ChangeRefusedException(RefusalKind.Forbidden, "This link is not good any more. 'provisioner setup' on the appliance prints another, as long as there is no admin.");
        }
        Passwords.RefuseNameIn(body.Password, body.Name);
        var hash = await hasher.HashAsync(body.Password, context.RequestAborted);
        var user = await writer.ChangeAsync(editor =>
        {
            // Two may have had the link open: the lane lets one after the other.
            if (PeopleChanges.HasAdmin(editor.Snapshot) || !link.Matches(body.Token))
                throw link.WhyNot();
            return PeopleChanges.Add(editor, body.Name, Role.Admin, hash, Actors.OfUser(body.Name));
        }, context.RequestAborted);
        link.Spend();
        AccessHandler.Set(context, await signIn.StartAsync(user, OpaqueToken.Create().Secret, null, OriginOf(context), context.RequestAborted));
        return Json.Answer(new JsonObject { ["name"] = user.Name, ["role"] = Roles.Word(user.Role) }, StatusCodes.Status201Created);
    }

    private static async Task<IResult> SignInAsync(HttpContext context, SignIn signIn, CurrentState state)
    {
        var body = await Bodies.ReadAsync(context, SignInShape);
        switch (await signIn.ByPasswordAsync(body.Name, body.Password, context.Request.Cookies[AccessHandler.DeviceCookie], OriginOf(context), context.RequestAborted))
        {
            case SignInOutcome.In signedIn:
                AccessHandler.Set(context, signedIn);
                return Json.Answer(new JsonObject
                {
                    ["name"] = signedIn.Session.User,
                    ["role"] = Roles.Word(state.Snapshot.Users[signedIn.Session.User].Role),
                    ["endsAt"] = Json.At(signedIn.Session.EndsAt),
                });
            case SignInOutcome.Later later:
                context.Response.Headers.RetryAfter = ((int)Math.Ceiling(later.Wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
                return Problems.Answer(StatusCodes.Status429TooManyRequests, $"Too many wrong passwords. Try again in {Math.Ceiling(later.Wait.TotalSeconds)} s, or from a browser that you signed in with before.");
            default:
                return Problems.Answer(StatusCodes.Status401Unauthorized, "The name or the password is wrong. An admin can set another password: 'provisioner user password NAME'.");
        }
    }

    private static async Task<IResult> ChangePasswordAsync(HttpContext context, SignInGuard guard, PasswordHasher hasher, CurrentState state, StateWriter writer)
    {
        var body = await Bodies.ReadAsync(context, PasswordShape);
        if (context.User.SessionId() is not { } session || context.User.Identity?.Name is not { } name)
            throw new ChangeRefusedException(RefusalKind.Conflict, "A token has no password.");
        var user = PeopleChanges.Find(state.Snapshot, name);
        var address = OriginOf(context).Address;
        // Whoever sits at a browser that was left open does not get to guess here either.
        if (guard.Ask(address, name, device: $"session/{session}") is { } wait)
        {
            context.Response.Headers.RetryAfter = ((int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            return Problems.Answer(StatusCodes.Status429TooManyRequests, "Too many wrong passwords.");
        }
        if (!await hasher.MatchesAsync(body.Password, user.PasswordHash, context.RequestAborted))
            throw new ChangeRefusedException(RefusalKind.Forbidden, [new Mistake("The present password is wrong") { Path = "password" }]);
        guard.Right(address, name, $"session/{session}");
        Passwords.RefuseNameIn(body.Next, name);
        var hash = await hasher.HashAsync(body.Next, context.RequestAborted);
        await writer.ChangeAsync(editor => PeopleChanges.SetPassword(editor, name, hash, except: session, Caller.Name(context)), context.RequestAborted);
        return Results.NoContent();
    }

    private static JsonObject Describe(HttpContext context, Snapshot snapshot, IAntiforgery antiforgery)
    {
        var user = context.User;
        if (Identities.RoleOf(user) is not { } role)
            return new JsonObject { ["signedIn"] = false };
        return Json.WithoutNulls(new JsonObject
        {
            ["signedIn"] = true,
            ["name"] = user.Identity!.Name,
            ["kind"] = user.CameByCookie() ? "user" : "token",
            ["role"] = Roles.Word(role),
            ["endsAt"] = user.SessionId() is { } id ? Json.At(snapshot.Sessions.GetValueOrDefault(id)?.EndsAt)
                : Json.At(snapshot.ApiTokens.Values.FirstOrDefault(t => t.Name == user.Identity.Name)?.EndsAt),
            ["csrfToken"] = user.CameByCookie() ? antiforgery.GetAndStoreTokens(context).RequestToken : null,
        });
    }

    public static Origin OriginOf(HttpContext context) => new(context.Connection.RemoteIpAddress ?? IPAddress.None, context.Request.Headers.UserAgent);

    private static SecretKind Any => new("a secret", "the part of the link after the #", text => text.Length is > 0 and <= 200 ? null : $"has {text.Length} characters");

    private static Shape<Credentials> DeclareSetup()
    {
        var shape = new Shape<Credentials>("the set-up", () => new Credentials());
        shape.Required("token", Any, c => c.Token, (c, v) => c with { Token = v }, "The part of the set-up link after the #.");
        shape.Required("name", Passwords.UserName, c => c.Name, (c, v) => c with { Name = v }, "The first admin's name.");
        shape.Required("password", Passwords.New, c => c.Password, (c, v) => c with { Password = v }, "And password.");
        return shape;
    }

    private static Shape<Credentials> DeclareSignIn()
    {
        var shape = new Shape<Credentials>("the sign-in", () => new Credentials());
        shape.Required("name", new SecretKind("a name", "a user's name", text => text.Length <= 64 ? null : "is too long"), c => c.Name, (c, v) => c with { Name = v.Trim().ToLowerInvariant() }, "The user's name.");
        shape.Required("password", Passwords.Given, c => c.Password, (c, v) => c with { Password = v }, "The password.");
        return shape;
    }

    private static Shape<Credentials> DeclarePassword()
    {
        var shape = new Shape<Credentials>("the change", () => new Credentials());
        shape.Required("password", Passwords.Given, c => c.Password, (c, v) => c with { Password = v }, "The present password.");
        shape.Required("new", Passwords.New, c => c.Next, (c, v) => c with { Next = v }, "The one to be.");
        return shape;
    }
}
