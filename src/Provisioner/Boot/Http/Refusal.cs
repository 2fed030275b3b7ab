using System.Text;

namespace Provisioner.Boot.Http;

/// <summary>How every plane that serves hosts refuses: the status, and one line of plain text that says why.</summary>
internal static class Refusal
{
    /// <summary>Answers with the status and the reason (which RFC 7030 §4.2.3 asks for, too); HEAD gets the same fields without the text (RFC 9110 §9.3.2).</summary>
    public static async Task SendAsync(HttpContext context, int status, string reason)
    {
        var body = Encoding.UTF8.GetBytes(reason + "\n");
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }
}
