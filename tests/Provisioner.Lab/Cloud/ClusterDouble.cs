using System.Globalization;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Provisioner.AwsDoubles;

namespace Provisioner.Lab.Cloud;

/// <summary>
/// The nodes of a cluster's API, for a show that is not to wait for a real one to be built: listed and watched, created and kept up by their
/// kubelets. A node may touch itself alone, the group <c>provisioner</c> may do what docs/nodes.md says, and the rest is nobody's.
/// </summary>
/// <param name="identify">Whose token it is.</param>
internal sealed class ClusterDouble(Func<string, DoubleIdentity> identify)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, JsonObject> nodes = new(StringComparer.Ordinal);
    private readonly List<Channel<string>> watchers = [];
    private int version = 1;

    public async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        DoubleIdentity who;
        try
        {
            who = identify(request.Headers.Authorization.ToString()["Bearer ".Length..]);
        }
        catch (Exception e) when (e is AwsRefusal or ArgumentOutOfRangeException)
        {
            await SayAsync(context, 401, Status(401, "Unauthorized"));
            return;
        }
        var parts = request.Path.Value!.Trim('/').Split('/');
        var name = parts.Length > 3 ? parts[3] : null;
        var mayAct = who.Groups.Contains("provisioner") || (name ?? "") == who.Username["system:node:".Length..] || (request.Method == "POST" && who.Groups.Contains("system:nodes"));
        switch (parts)
        {
            case ["api", "v1", "nodes", ..] when !mayAct:
                await SayAsync(context, 403, Status(403, $"{who.Username} may not do that"));
                return;
            case ["api", "v1", "nodes"] when request.Method == "GET" && request.Query.ContainsKey("watch"):
                await WatchAsync(context);
                return;
            case ["api", "v1", "nodes"] when request.Method == "GET":
                await SayAsync(context, 200, List("NodeList", [.. Nodes()]));
                return;
            case ["api", "v1", "nodes"] when request.Method == "POST":
                var made = (await JsonNode.ParseAsync(request.Body))!.AsObject();
                made["metadata"]!["uid"] = Guid.NewGuid().ToString();
                Put("ADDED", made["metadata"]!["name"]!.GetValue<string>(), made);
                await SayAsync(context, 201, made.DeepClone().AsObject());
                return;
            case ["api", "v1", "nodes", _, ..]:
                await ActAsync(context, name!);
                return;
            // Nothing else is in this cluster.
            case ["api", "v1", "pods"] or ["apis", "certificates.k8s.io", "v1", _]:
                await SayAsync(context, 200, List("List", []));
                return;
            default:
                await SayAsync(context, 404, Status(404, $"{request.Path} is not here"));
                return;
        }
    }

    private async Task ActAsync(HttpContext context, string name)
    {
        JsonObject? node;
        lock (gate)
            node = nodes.GetValueOrDefault(name)?.DeepClone().AsObject();
        if (node is null)
        {
            await SayAsync(context, 404, Status(404, $"nodes \"{name}\" not found"));
            return;
        }
        switch (context.Request.Method)
        {
            case "PATCH":
                foreach (var (part, change) in (await JsonNode.ParseAsync(context.Request.Body))!.AsObject())
                {
                    foreach (var (field, value) in change!.AsObject())
                        (node[part] ??= new JsonObject())[field] = value?.DeepClone();
                }
                Put("MODIFIED", name, node);
                break;
            case "DELETE":
                Put("DELETED", name, node);
                break;
        }
        await SayAsync(context, 200, node);
    }

    private void Put(string type, string name, JsonObject node)
    {
        lock (gate)
        {
            node["metadata"]!["resourceVersion"] = (++version).ToString(CultureInfo.InvariantCulture);
            if (type == "DELETED")
                nodes.Remove(name);
            else
                nodes[name] = node.DeepClone().AsObject();
            var line = new JsonObject { ["type"] = type, ["object"] = node.DeepClone() }.ToJsonString() + "\n";
            foreach (var watcher in watchers)
                watcher.Writer.TryWrite(line);
        }
    }

    private async Task WatchAsync(HttpContext context)
    {
        var since = int.Parse(context.Request.Query["resourceVersion"].ToString(), CultureInfo.InvariantCulture);
        var channel = Channel.CreateUnbounded<string>();
        lock (gate)
        {
            // What is newer than the list it goes on from.
            foreach (var node in nodes.Values.Where(n => int.Parse(n["metadata"]!["resourceVersion"]!.GetValue<string>(), CultureInfo.InvariantCulture) > since))
                channel.Writer.TryWrite(new JsonObject { ["type"] = "MODIFIED", ["object"] = node.DeepClone() }.ToJsonString() + "\n");
            watchers.Add(channel);
        }
        context.Response.ContentType = "application/json";
        await context.Response.StartAsync();
        try
        {
            await foreach (var line in channel.Reader.ReadAllAsync(context.RequestAborted))
            {
                await context.Response.WriteAsync(line);
                await context.Response.Body.FlushAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // Its client has gone.
        }
        finally
        {
            lock (gate)
                watchers.Remove(channel);
        }
    }

    private IEnumerable<JsonNode> Nodes()
    {
        lock (gate)
            return [.. nodes.Values.Select(node => node.DeepClone())];
    }

    private JsonObject List(string kind, JsonNode[] items) => new()
    {
        ["kind"] = kind,
        ["apiVersion"] = "v1",
        ["metadata"] = new JsonObject { ["resourceVersion"] = Volatile.Read(ref version).ToString(CultureInfo.InvariantCulture) },
        ["items"] = new JsonArray(items),
    };

    private static JsonObject Status(int code, string message) => new() { ["kind"] = "Status", ["apiVersion"] = "v1", ["status"] = "Failure", ["message"] = message, ["code"] = code };

    private static Task SayAsync(HttpContext context, int status, JsonObject body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(body.ToJsonString());
    }
}
