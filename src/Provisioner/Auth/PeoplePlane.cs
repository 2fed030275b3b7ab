using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.DataProtection;
using Provisioner.Api;
using Provisioner.Api.Description;
using Provisioner.Appliance;
using Provisioner.Auth.Oidc;
using Provisioner.Web;

namespace Provisioner.Auth;

/// <summary>The part of the secure plane that people and programs use: what every request passes, in order, and the API behind it.</summary>
internal static class PeoplePlane
{
    /// <summary>What the secure plane's own container needs besides the appliance's services.</summary>
    public static void AddPeoplePlane(this IServiceCollection services, ApplianceOptions options)
    {
        var authentication = services.AddAuthentication(AccessHandler.SchemeName).AddScheme<AuthenticationSchemeOptions, AccessHandler>(AccessHandler.SchemeName, null);
        if (options.Access.Oidc is { } oidc)
            authentication.AddOidc(oidc);
        services.AddAuthorization(AccessRules.AddPolicies);
        services.AddRateLimiter(limiter => RequestRates.Configure(limiter, options.Access));
        // What antiforgery signs with outlives a restart, so that an open page does, too.
        services.AddDataProtection().SetApplicationName("provisioner").PersistKeysToFileSystem(Directory.CreateDirectory(
            Path.Combine(options.DataDirectory, "console-keys"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
        services.AddOpenApi(ApiDescription.DocumentName, ApiDescription.Configure);
        services.AddAntiforgery(antiforgery =>
        {
            antiforgery.HeaderName = CrossSite.TokenHeader;
            antiforgery.Cookie = new CookieBuilder { Name = "__Host-provisioner-csrf", SecurePolicy = CookieSecurePolicy.Always, HttpOnly = true, SameSite = SameSiteMode.Strict, Path = "/" };
            // SecurityHeaders says more than the one field this would set.
            antiforgery.SuppressXFrameOptionsHeader = true;
        });
    }

    /// <summary>Everything a request passes before its endpoint. Hosts, which prove themselves otherwise, pass by what is for browsers.</summary>
    public static void UsePeoplePlane(this WebApplication app)
    {
        app.UseWhen(context => !IsForHosts(context.Request.Path), people =>
        {
            people.Use(SecurityHeaders.AddAsync);
            people.Use(Problems.AnswerAsync);
            people.UseMiddleware<KnownHosts>();
            people.UseMiddleware<SecretInAddress>();
            people.Use(Problems.NameStatusAsync);
        });
        app.UseConsoleFiles();
        app.UseRouting();
        app.UseAuthentication();
        app.UseWhen(context => !IsForHosts(context.Request.Path), people =>
        {
            people.UseRateLimiter();
            people.UseMiddleware<CrossSite>();
        });
        app.UseAuthorization();
        app.UseAntiforgery();
        app.UseWhen(context => !IsForHosts(context.Request.Path), people =>
            people.Use((context, next) => context.RequestServices.GetRequiredService<Idempotency>().InvokeAsync(context, next)));
    }

    private static bool IsForHosts(PathString path) =>
        path.StartsWithSegments("/.well-known/est", StringComparison.OrdinalIgnoreCase) || path.StartsWithSegments("/api/v1/self", StringComparison.OrdinalIgnoreCase) || path.StartsWithSegments("/healthz", StringComparison.OrdinalIgnoreCase);
}
