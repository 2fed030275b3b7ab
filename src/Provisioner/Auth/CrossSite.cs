using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Net.Http.Headers;
using Provisioner.Api;

namespace Provisioner.Auth;

/// <summary>
/// Refuses what another site made a browser send. Two locks, because each alone has had its holes: what the browser says of where a request comes
/// from (<c>Sec-Fetch-Site</c>, <c>Origin</c>), and for changes by API a token that only a page of ours can have read.
/// </summary>
internal sealed class CrossSite(RequestDelegate next, Visitors visitors)
{
    /// <summary>The field in which a page sends the token that <c>GET /api/v1/session</c> gave it.</summary>
    public const string TokenHeader = "X-CSRF-Token";

    public async Task InvokeAsync(HttpContext context, IAntiforgery antiforgery)
    {
        if (Applies(context) && WhyForeign(context.Request) is { } foreign)
        {
            await RefuseAsync(context, foreign);
            return;
        }
        // A page's form has the token inside (ASP.NET Core's own antiforgery looks there); the API's requests have it beside.
        if (context.User.CameByCookie() && IsChange(context.Request) && !IsOpen(context) && context.Request.Path.StartsWithSegments("/api/v1", StringComparison.OrdinalIgnoreCase) && !await antiforgery.IsRequestValidAsync(context))
        {
            await RefuseAsync(context, $"the field {TokenHeader} does not hold the token of this session (GET /api/v1/session)");
            return;
        }
        await next(context);
    }

    /// <summary>Whoever signs in anew proves it by a password, and has no token yet.</summary>
    private static bool IsOpen(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null;

    /// <summary>Of interest is what a browser sends by itself: cookies. A token in <c>Authorization</c> no other site can make it send.</summary>
    private static bool Applies(HttpContext context) => context.Request.Headers.Authorization.Count == 0
        && (IsChange(context.Request) || context.WebSockets.IsWebSocketRequest || context.Request.Headers.Upgrade.Count > 0 || HttpMethods.IsConnect(context.Request.Method));

    private static bool IsChange(HttpRequest request) =>
        !HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method) && !HttpMethods.IsOptions(request.Method) && !HttpMethods.IsTrace(request.Method) && !HttpMethods.IsConnect(request.Method);

    /// <summary>Why the request comes from another site; null when it does not, or comes from no browser.</summary>
    internal static string? WhyForeign(HttpRequest request)
    {
        if (request.Headers["Sec-Fetch-Site"] is [{ } site] && site is not ("same-origin" or "none"))
            return $"the browser says that it comes from another site (Sec-Fetch-Site: {Resources.Texts.OneLine(site, 20)})";
        if (request.Headers[HeaderNames.Origin] is [{ } origin] && !(Uri.TryCreate(origin, UriKind.Absolute, out var from) && from.Scheme == Uri.UriSchemeHttps
            && HostString.FromUriComponent(from) is var host && host.Host.Equals(request.Host.Host, StringComparison.OrdinalIgnoreCase) && (host.Port ?? 443) == (request.Host.Port ?? 443)))
            return $"it comes from another site (Origin: {Resources.Texts.OneLine(origin, 100)})";
        return null;
    }

    private async Task RefuseAsync(HttpContext context, string reason)
    {
        visitors.Refuse($"{Resources.Texts.OneLine(context.Request.Method, 10)} {Resources.Texts.OneLine(context.Request.Path, 200)} refused (from {context.Connection.RemoteIpAddress})", reason, context.User.Actor());
        await new Problem(StatusCodes.Status403Forbidden, $"Refused: {reason}.", []).WriteAsync(context.Response);
    }
}
