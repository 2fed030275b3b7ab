namespace Provisioner.Api;

/// <summary>Dry runs: what would be answered, and why. Nothing is recorded.</summary>
internal static class BootEndpoints
{
    public static void MapBoot(this IEndpointRouteBuilder api)
    {
        api.MapGet("/explain/{mac}", (string mac, DryRuns runs, string? client = null, string? network = null) => Json.Answer(runs.Explain(HostEndpoints.MacOf(mac), client, network)));
        api.MapGet("/hosts/{name}/render/{what}", async (string name, string what, DryRuns runs, CancellationToken cancellation, bool last = false) =>
            Results.Text(await runs.RenderAsync(name, what, last, cancellation), "text/plain; charset=utf-8"));
    }
}
