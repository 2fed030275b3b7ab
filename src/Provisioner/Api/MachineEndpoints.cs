using System.Text.Json.Nodes;
using Provisioner.Appliance.Machine;
using Provisioner.Resources;

namespace Provisioner.Api;

/// <summary>Turning the appliance's own machine off and on.</summary>
internal static class MachineEndpoints
{
    private sealed record ShutDownBody
    {
        public bool Force { get; init; }
    }

    private static readonly Shape<ShutDownBody> ShutDownShape = ShutDown();

    public static IReadOnlyList<FieldDescription> ShutDownFields => ShutDownShape.Fields;

    public static void MapMachine(this IEndpointRouteBuilder api)
    {
        Map("reboot", off: false);
        Map("power-off", off: true);

        void Map(string verb, bool off) => api.MapPost($"/machine/{verb}", async (HttpContext context, MachinePower power) =>
        {
            var body = await Bodies.ReadAsync(context, ShutDownShape);
            await power.ShutDownAsync(off, body.Force, Caller.Name(context), context.RequestAborted);
            return Json.Answer(new JsonObject { ["machine"] = Environment.MachineName }, StatusCodes.Status202Accepted);
        });
    }

    private static Shape<ShutDownBody> ShutDown()
    {
        var shape = new Shape<ShutDownBody>("the request", () => new ShutDownBody());
        shape.Default("force", Values.Boolean, b => b.Force, (b, v) => b with { Force = v }, "Also while servers are being installed.");
        return shape;
    }
}
