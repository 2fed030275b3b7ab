using System.Globalization;
using System.Net;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;
using Provisioner.Api;
using HeaderNames = Microsoft.Net.Http.Headers.HeaderNames;

namespace Provisioner.Auth;

/// <summary>
/// ASP.NET Core's authentication for the secure plane: <c>Authorization: Bearer</c> of a program, or the cookie of a person. A request with a wrong
/// token is refused even when it carries a good cookie: it asked to be judged by the token.
/// </summary>
internal sealed class AccessHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, Visitors visitors)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    public const string SchemeName = "Access";

    /// <summary><c>__Host-</c>: browsers take it only by HTTPS, for this very host and for all paths (RFC 6265bis §4.1.3.2).</summary>
    public const string SessionCookie = "__Host-provisioner";

    /// <summary>By it a browser is known that somebody signed in with; it lets nobody in.</summary>
    public const string DeviceCookie = "__Host-provisioner-device";

    private const string Bearer = "Bearer ";

    private TimeSpan? wait;

    /// <summary>Gives the browser the session. Lax, so that a link from a chat or a wiki opens the console signed in; changes are guarded by <see cref="CrossSite"/>.</summary>
    public static void Set(HttpContext context, SignInOutcome.In signedIn)
    {
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Cookies.Append(SessionCookie, signedIn.Cookie, Cookie(SameSiteMode.Lax));
        if (signedIn.Device is { } device)
        {
            var lasting = Cookie(SameSiteMode.Strict);
            lasting.MaxAge = TimeSpan.FromDays(365);
            context.Response.Cookies.Append(DeviceCookie, device, lasting);
        }
    }

    /// <summary>Takes the session from the browser.</summary>
    public static void Clear(HttpContext context) => context.Response.Cookies.Delete(SessionCookie, Cookie(SameSiteMode.Lax));

    public static CookieOptions Cookie(SameSiteMode sameSite) => new() { Secure = true, HttpOnly = true, Path = "/", SameSite = sameSite };

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization;
        if (header.Count > 0)
        {
            if (header is not [{ } value] || !value.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
                return Task.FromResult(AuthenticateResult.Fail("Authorization is not Bearer"));
            var program = visitors.OfToken(value[Bearer.Length..].Trim(), Context.Connection.RemoteIpAddress ?? IPAddress.None, out wait);
            return Task.FromResult(program is null ? AuthenticateResult.Fail("the token is wrong") : AuthenticateResult.Success(new(program, SchemeName)));
        }
        if (Request.Cookies[SessionCookie] is { } cookie)
        {
            return Task.FromResult(visitors.OfCookie(cookie) is { } person ? AuthenticateResult.Success(new(person, SchemeName))
                : AuthenticateResult.Fail("the session has ended"));
        }
        return Task.FromResult(AuthenticateResult.NoResult());
    }

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (IsPage(Request))
        {
            Response.Redirect($"/sign-in?from={Uri.EscapeDataString(Request.Path + Request.QueryString)}");
            return;
        }
        if (wait is { } retry)
        {
            Response.Headers.RetryAfter = ((int)Math.Ceiling(retry.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            await new Problem(StatusCodes.Status429TooManyRequests, "Too many wrong tokens came from this address.", []).WriteAsync(Response);
            return;
        }
        Response.Headers.WWWAuthenticate = "Bearer realm=\"provisioner\"";
        var failed = (await HandleAuthenticateOnceSafeAsync()).Failure?.Message;
        await new Problem(StatusCodes.Status401Unauthorized, failed switch
        {
            "the token is wrong" => "The token is not known, was revoked or has ended. Make another with 'provisioner token create'.",
            "the session has ended" => "The session has ended: sign in again.",
            null => "Sign in first, or send a token as 'Authorization: Bearer'.",
            _ => "Send the token as 'Authorization: Bearer TOKEN'.",
        }, []).WriteAsync(Response);
    }

    protected override async Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        var role = Identities.RoleOf(Context.User);
        var needed = Context.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>()?.Policy;
        visitors.Refuse($"{Request.Method} {Resources.Texts.OneLine(Request.Path, 200)} refused", $"{(role is { } has ? Roles.Word(has) : "nobody")} may not; {needed} is needed", Context.User.Actor());
        await new Problem(StatusCodes.Status403Forbidden, $"This needs the role {needed}; yours is {(role is { } yours ? Roles.Word(yours) : "none")}.", []).WriteAsync(Response);
    }

    /// <summary>A browser that goes somewhere, as opposed to a program that asks for data.</summary>
    private static bool IsPage(HttpRequest request) =>
        HttpMethods.IsGet(request.Method) && !request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase) && !request.Path.StartsWithSegments("/openapi", StringComparison.OrdinalIgnoreCase)
        && request.Headers[HeaderNames.Accept].ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);
}
