using Provisioner.Api;
using Provisioner.Certificates;
using Provisioner.Resources;

namespace Provisioner.Auth;

/// <summary>
/// Answers only to the names in the appliance's certificate. A page that had its own name point here (DNS rebinding) would otherwise be of the same
/// origin as the console in its visitor's browser.
/// </summary>
internal sealed class KnownHosts(RequestDelegate next, ServerIdentity identity, Visitors visitors)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var name = context.Request.Host.Host;
        if (identity.Names.Contains(name, StringComparer.OrdinalIgnoreCase))
        {
            await next(context);
            return;
        }
        visitors.Refuse($"{Texts.OneLine(context.Request.Method, 10)} {Texts.OneLine(context.Request.Path, 200)} refused (from {context.Connection.RemoteIpAddress})",
            $"it asked for the host '{Texts.OneLine(name, 100)}', which this appliance is not", null);
        await new Problem(StatusCodes.Status421MisdirectedRequest,
            "This appliance does not go by the name you asked for. Use a name in its certificate, or add this one to 'secure.names' in the configuration.", []).WriteAsync(context.Response);
    }
}
