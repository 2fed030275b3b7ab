using Provisioner.Api;
using Provisioner.Resources;

namespace Provisioner.Auth;

/// <summary>
/// Refuses a secret in an address: it is in the history of the browser, in the log of every proxy on the way, and in what is copied into a chat. The
/// record says which token it was, so that it can be revoked, and not what it was.
/// </summary>
internal sealed class SecretInAddress(RequestDelegate next, Visitors visitors)
{
    private static readonly string[] Names = ["token", "access_token", "api_token", "apikey", "api_key", "key", "password", "secret", "authorization", "bearer"];

    public async Task InvokeAsync(HttpContext context)
    {
        foreach (var (key, values) in context.Request.Query)
        {
            var token = values.FirstOrDefault(v => v?.StartsWith(Visitors.TokenPrefix, StringComparison.Ordinal) == true);
            if (token is null && !Names.Contains(key, StringComparer.OrdinalIgnoreCase))
                continue;
            var name = token is null ? null : visitors.NameOfToken(token);
            visitors.Refuse($"{Texts.OneLine(context.Request.Method, 10)} {Texts.OneLine(context.Request.Path, 200)} refused (from {context.Connection.RemoteIpAddress})",
                name is null ? $"it had a secret in its address ('{Texts.OneLine(key, 40)}')" : $"token {name} was in its address: revoke it, others may have read it there",
                name is null ? null : Actors.OfToken(name));
            await new Problem(StatusCodes.Status400BadRequest, "A secret does not belong in an address. Send the token as 'Authorization: Bearer', and make another: this one may be in somebody's log by now.",
                [new Mistake($"the parameter '{Reading.Shorten(key)}' holds a secret") { Path = Reading.Shorten(key), Expected = "no such parameter" }]).WriteAsync(context.Response);
            return;
        }
        await next(context);
    }
}
