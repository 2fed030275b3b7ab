using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Provisioner.Api;
using Provisioner.Storage;

namespace Provisioner.NetBox;

/// <summary>NetBox's devices as Hosts that could be registered.</summary>
internal static class NetBoxEndpoints
{
    public static IServiceCollection AddNetBox(this IServiceCollection services, NetBoxOptions? options)
    {
        services.TryAddSingleton(_ => new NetBoxClient(options));
        return services;
    }

    /// <summary>Writes nothing: what is right can be applied then.</summary>
    public static void MapNetBox(this IEndpointRouteBuilder api) => api.MapGet("/netbox/devices", async (HttpContext context, NetBoxClient netBox, CurrentState state, TimeProvider time, string filter = "", string? profile = null) =>
    {
        var list = NetBoxDevice.ToList(await netBox.FindAsync(filter, context.RequestAborted));
        var given = new Dictionary<string, string>(StringComparer.Ordinal) { ["profile"] = profile ?? "" };
        return Json.Answer(Json.List(list.Check(list.Guess(), given, state.Snapshot, time.GetUtcNow()).Select(row => new JsonObject
        {
            ["name"] = row.Form.Name,
            ["host"] = row.Form.ToDocument(),
            ["mistakes"] = new JsonArray([.. row.Mistakes.Select(m => (JsonNode)m.ToString())]),
        })));
    });
}
