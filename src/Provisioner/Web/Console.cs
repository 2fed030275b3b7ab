using MudBlazor;
using MudBlazor.Services;
using Provisioner.Web.Live;

namespace Provisioner.Web;

/// <summary>The web console: pages of the secure plane that people use. What they do goes the API's way, by its rules.</summary>
internal static class Console
{
    /// <summary>What the secure plane's own container needs for it.</summary>
    public static void AddConsole(this IServiceCollection services)
    {
        services.AddRazorComponents().AddInteractiveServerComponents(circuits =>
        {
            // A phone that goes behind a rack, a laptop that is closed for a moment.
            circuits.DisconnectedCircuitRetentionPeriod = TimeSpan.FromMinutes(10);
            circuits.DisconnectedCircuitMaxRetained = 200;
        });
        services.AddMudServices(mud =>
        {
            mud.SnackbarConfiguration.PositionClass = Defaults.Classes.Position.BottomRight;
            mud.SnackbarConfiguration.VisibleStateDuration = 6000;
        });
        services.AddHttpContextAccessor();
        services.AddScoped<Visit>().AddScoped<PageActions>();
    }

    /// <summary>Styles and scripts: the same for everybody, and no secret.</summary>
    public static void UseConsoleFiles(this IApplicationBuilder app) => app.UseStaticFiles(new StaticFileOptions
    {
        FileProvider = new ConsoleFiles(),
        OnPrepareResponse = file => file.Context.Response.Headers.CacheControl = file.Context.Request.Query.ContainsKey("v") ? "public, max-age=31536000, immutable" : "no-cache",
    });

    public static void MapConsole(this IEndpointRouteBuilder app) => app.MapRazorComponents<App>().AddInteractiveServerRenderMode(server =>
    {
        server.ContentSecurityFrameAncestorsPolicy = "'none'";
        server.DisableWebSocketCompression = true;
    });
}
