using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Provisioner.NetBox;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.NetBox;

/// <summary>Stands in for a NetBox: it takes the token, the filters and the paging of NetBox's own API, and gives the shapes of 3.7 and of 4.2.</summary>
internal sealed class NetBoxDouble : IAsyncDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly List<string> asked = [];
    private readonly WebApplication netBox;

    private NetBoxDouble(WebApplication netBox) => this.netBox = netBox;

    /// <summary>The one it takes.</summary>
    public string Token { get; set; } = "0123456789abcdef0123456789abcdef01234567";

    /// <summary>Where it sends everybody.</summary>
    public string? Elsewhere { get; set; }

    public bool IsOld { get; set; }

    public int Devices { get; set; } = 3;

    public IReadOnlyList<string> Asked
    {
        get
        {
            lock (asked)
                return [.. asked];
        }
    }

    public NetBoxOptions Options => new()
    {
        Url = new Uri(netBox.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/netbox"), TokenFile = directory["token"],
    };

    public static async Task<NetBoxDouble> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var started = new NetBoxDouble(app);
        app.Run(started.AnswerAsync);
        await app.StartAsync();
        started.WriteToken(started.Token);
        return started;
    }

    /// <summary>The one it is asked with.</summary>
    public void WriteToken(string text)
    {
        File.WriteAllText(directory["token"], text + "\n");
        File.SetUnixFileMode(directory["token"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    public Task StopAsync() => netBox.StopAsync();

    public async ValueTask DisposeAsync()
    {
        await netBox.DisposeAsync();
        directory.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        lock (asked)
            asked.Add(context.Request.Path + WebUtility.UrlDecode(context.Request.QueryString.Value));
        if (Elsewhere is not null)
        {
            context.Response.Redirect(Elsewhere);
            return;
        }
        if (context.Request.Headers.Authorization != (Token.StartsWith("nbt_", StringComparison.Ordinal) ? "Bearer " : "Token ") + Token)
        {
            context.Response.StatusCode = 403;
            await context.Response.WriteAsync("""{"detail": "Invalid token"}""");
            return;
        }
        if (context.Request.Query["site"] == "nowhere")
        {
            context.Response.StatusCode = 400;
            await context.Response.WriteAsync("""{"site": ["Select a valid choice. nowhere is not one of the available choices."]}""");
            return;
        }
        var all = context.Request.Path.Value switch
        {
            "/netbox/api/dcim/devices/" => Enumerable.Range(1, Devices).Select(Device),
            "/netbox/api/dcim/interfaces/" => context.Request.Query["device_id"].SelectMany(id => Ports(int.Parse(id!, CultureInfo.InvariantCulture))),
            _ => null,
        };
        if (all is null)
        {
            context.Response.StatusCode = 404;
            return;
        }
        var items = all.ToList();
        int Number(string key) => int.Parse(context.Request.Query[key].ToString(), CultureInfo.InvariantCulture);
        await context.Response.WriteAsync(new JsonObject
        {
            ["count"] = items.Count,
            // Whoever followed it would leave with the token.
            ["next"] = "https://elsewhere.example/",
            ["results"] = new JsonArray([.. items.Skip(Number("offset")).Take(Math.Min(Number("limit"), 1000))]),
        }.ToJsonString());
    }

    private JsonNode Device(int i) => JsonNode.Parse($$"""
        {"id": {{i}}, "name": {{(i == 3 ? "null" : $"\"r7-n{i:00}\"")}}, "serial": "S-{{i}}", "position": {{i}}.0, "{{(IsOld ? "device_role" : "role")}}": {"id": 1, "name": "Worker"},
         "site": {"id": 1, "name": "Madrid"}, "rack": {"id": 1, "name": "r7"}, "primary_ip4": {"id": 1, "address": "10.77.0.{{i % 200}}/24"} }
        """)!;

    private IEnumerable<JsonNode> Ports(int device)
    {
        // Names out of order, as NetBox's own order is by name and not by what boots.
        yield return Port(1, "virtual", "02:00:00:00:00:01", false);
        yield return Port(2, "1000base-t", $"A0:36:9F:00:{device / 256:X2}:{device % 256:X2}", false);
        yield return Port(3, "1000base-t", "02:00:00:00:00:03", true);

        JsonObject Port(int number, string type, string mac, bool management)
        {
            var port = new JsonObject
            {
                ["id"] = (device * 10) + number, ["device"] = new JsonObject { ["id"] = device }, ["name"] = $"eth{number}",
                ["type"] = new JsonObject { ["value"] = type }, ["mgmt_only"] = management, ["mac_address"] = mac,
            };
            if (!IsOld)
            {
                port["primary_mac_address"] = new JsonObject { ["id"] = 1, ["mac_address"] = mac };
                port["mac_addresses"] = new JsonArray(new JsonObject { ["id"] = 2, ["mac_address"] = $"A0:36:9F:0F:{device / 256:X2}:{device % 256:X2}" }, new JsonObject { ["id"] = 1, ["mac_address"] = mac });
            }
            return port;
        }
    }
}
