using Provisioner.Auth;
using Scalar.AspNetCore;

namespace Provisioner.Api.Description;

/// <summary>
/// The API's description as a page to read and to try requests from (Scalar). All of it comes out of the program: no font, script or service of anybody else.
/// </summary>
internal static class ApiReference
{
    public const string Path = "/scalar";

    public static void MapApiReference(this IEndpointRouteBuilder app) => app.MapScalarApiReference(Path, (options, context) =>
    {
        options.WithTitle("Provisioner's API").WithOpenApiRoutePattern($"/openapi/{ApiDescription.DocumentName}.json")
            .DisableDefaultFonts().DisableTelemetry().DisableAgent().DisableMcp().HideDeveloperTools().HideClientButton().WithNonce();
        // Its one script in the page is allowed by this answer's own nonce; the page's policy is else as everywhere.
        context.Response.OnStarting(() =>
        {
            if (context.Items[ScalarOptions.NonceHttpContextItemKey] is string nonce)
                context.Response.Headers.ContentSecurityPolicy = SecurityHeaders.WithScript(nonce);
            return Task.CompletedTask;
        });
    });
}
