namespace Provisioner.Auth;

/// <summary>What every answer of the secure plane tells a browser not to do.</summary>
internal static class SecurityHeaders
{
    /// <summary>
    /// Scripts are our own files, never text in a page. Styles may be: MudBlazor sets positions and sizes by style attributes, and a style runs nothing.
    /// </summary>
    public const string ContentSecurityPolicy =
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; " +
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

    /// <summary>The same for an answer whose page holds a script of its own.</summary>
    /// <param name="nonce">Random, and of this answer alone (CSP level 3, section 7.1).</param>
    public static string WithScript(string nonce) => ContentSecurityPolicy.Replace("script-src 'self'", $"script-src 'self' 'nonce-{nonce}'", StringComparison.Ordinal);

    public static Task AddAsync(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = ContentSecurityPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        // The phone page scans bar codes; nothing else of the device is asked for.
        headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=(), payment=(), usb=()";
        headers.StrictTransportSecurity = "max-age=31536000";
        // What is behind a sign-in is nobody's to keep; static files say otherwise for themselves.
        if (context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase))
            headers.CacheControl = "no-store";
        return next(context);
    }
}
