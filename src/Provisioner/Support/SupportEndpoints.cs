namespace Provisioner.Support;

internal static class SupportEndpoints
{
    public static IServiceCollection AddSupport(this IServiceCollection services) => services.AddSingleton<SupportBundle>();

    /// <summary>The bundle by the API, as a tar.gz.</summary>
    public static void MapSupport(this IEndpointRouteBuilder api) => api.MapGet("/support", async (HttpContext context, SupportBundle bundle) =>
    {
        context.Response.ContentType = "application/gzip";
        await bundle.WriteAsync(context.Response.Body, context.RequestAborted);
    });
}
