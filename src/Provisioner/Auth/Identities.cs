using System.Security.Claims;

namespace Provisioner.Auth;

/// <summary>People and programs as ASP.NET Core's principals: a name, every role that theirs includes, and how events call them.</summary>
internal static class Identities
{
    private const string ActorClaim = "actor", SessionClaim = "session";

    /// <summary>How a browser's session is told from a token: only for it forged requests are a danger.</summary>
    public const string Cookie = "cookie", Token = "token";

    public static ClaimsPrincipal OfUser(User user, Session session) =>
        Of(user.Name, user.Role, Actors.OfUser(user.Name), Cookie,
        // By the latter, antiforgery binds its token to this session.
        new Claim(SessionClaim, session.Id), new Claim(ClaimTypes.NameIdentifier, session.Id));

    public static ClaimsPrincipal OfToken(ApiToken token) => Of(token.Name, token.Role, Actors.OfToken(token.Name), Token);

    /// <summary>How events call whoever this is; null for nobody.</summary>
    public static string? Actor(this ClaimsPrincipal principal) => principal.FindFirst(ActorClaim)?.Value;

    /// <summary>The session's id; null for a token.</summary>
    public static string? SessionId(this ClaimsPrincipal principal) => principal.FindFirst(SessionClaim)?.Value;

    public static bool CameByCookie(this ClaimsPrincipal principal) => principal.Identity?.AuthenticationType == Cookie;

    /// <summary>The highest role; null for nobody.</summary>
    public static Role? RoleOf(ClaimsPrincipal principal) =>
        principal.IsInRole(Roles.Admin) ? Role.Admin : principal.IsInRole(Roles.Operator) ? Role.Operator : principal.IsInRole(Roles.Viewer) ? Role.Viewer : null;

    private static ClaimsPrincipal Of(string name, Role role, string actor, string type, params Claim[] more) => new(new ClaimsIdentity(
        [new(ClaimTypes.Name, name), new(ActorClaim, actor), .. more, .. Roles.Included(role).Select(r => new Claim(ClaimTypes.Role, Roles.Word(r)))],
        type, ClaimTypes.Name, ClaimTypes.Role));
}
