using System.Globalization;
using System.Text.Json.Nodes;
using Provisioner.Kubernetes;
using Provisioner.Networks;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>The nodes of the clusters that are followed: those of our hosts, and those nobody here knows.</summary>
internal static class NodeEndpoints
{
    private static readonly ScalarKind<TimeSpan> IdleFor = Values.DurationBetween(TimeSpan.FromMinutes(1), TimeSpan.FromDays(365), "a duration", "whole days, hours and minutes such as 7d or 12h, from 1m to 365d");

    public static void MapNodes(this IEndpointRouteBuilder api)
    {
        api.MapGet("/nodes", (HttpContext context, CurrentState state, NodeTracking tracking, AddressBook addresses, TimeProvider time) =>
            Selection.Answer(context, All(state.Snapshot, tracking, addresses, time.GetUtcNow()), n => $"{n["cluster"]}/{n["name"]}"));
        api.MapGet("/nodes/{name}", (string name, CurrentState state, NodeTracking tracking, AddressBook addresses, TimeProvider time) =>
        {
            var found = All(state.Snapshot, tracking, addresses, time.GetUtcNow()).Where(n => n["name"]?.GetValue<string>() == name || n["host"]?.GetValue<string>() == name).ToList();
            return found.Count > 0 ? Json.Answer(found.Count == 1 ? found[0] : Json.List(found))
                : throw new ChangeRefusedException(RefusalKind.NotFound, $"There is no node '{Reading.Shorten(name)}'.");
        });
        api.MapGet("/idle", IdleNodes);
    }

    /// <summary>How a cluster is reached, for its status.</summary>
    public static JsonObject StatusOf(string cluster, Snapshot snapshot, NodeTracking tracking)
    {
        var (watch, stored) = (tracking.Find(cluster), snapshot.Contacts.GetValueOrDefault(cluster));
        var contact = watch?.Contact ?? stored;
        return Json.WithoutNulls(new JsonObject
        {
            ["followed"] = watch is not null,
            ["connected"] = contact?.Connected ?? false,
            ["since"] = Json.At(contact?.Since),
            ["heardAt"] = Json.At(contact?.HeardAt),
            ["reason"] = contact?.Reason,
            ["nodes"] = watch?.Nodes.Count,
            ["pendingServingRequests"] = watch is null ? null : new JsonArray([.. watch.Pending.Select(p => (JsonNode)Json.WithoutNulls(new() { ["name"] = p.Name, ["node"] = p.Node, ["createdAt"] = Json.At(p.CreatedAt) }))]),
            ["pendingServingRequestsUnknown"] = watch?.RequestsProblem,
        });
    }

    public static JsonObject Of(HostNode node, ClusterWatch? watch) => Json.WithoutNulls(new JsonObject
    {
        ["name"] = node.Name,
        ["host"] = node.Host,
        ["known"] = true,
        ["cluster"] = node.Cluster,
        ["state"] = node.State.ToString(),
        ["reason"] = node.Reason,
        ["since"] = Json.At(node.Since),
        ["lastKnownAt"] = Json.At(node.LastKnownAt),
        ["version"] = node.Version,
        ["address"] = node.Address?.ToString(),
        ["providerId"] = node.ProviderId,
        ["credentialProvider"] = node.CredentialProvider,
        ["cpus"] = node.Cpus,
        ["memoryMiB"] = node.MemoryMiB,
        ["software"] = node.Software,
        ["conditions"] = node.Conditions,
        ["cordoned"] = node.Unschedulable ? true : null,
        ["problem"] = node.Problem,
        ["idleSince"] = Json.At(node.IdleSince),
        ["pendingServingRequests"] = Pending(node.Name, watch),
    });

    private static List<JsonObject> All(Snapshot snapshot, NodeTracking tracking, AddressBook addresses, DateTimeOffset now)
    {
        var all = snapshot.Nodes.Keys.Order(StringComparer.Ordinal).Select(host => snapshot.NodeOf(host)!)
            .Where(n => n.State != NodeState.Deleted).Select(n => Of(n, tracking.Find(n.Cluster))).ToList();
        var match = new NodeMatch(snapshot, addresses);
        foreach (var watch in tracking.Watches)
        {
            var contact = watch.Contact;
            foreach (var node in watch.Nodes.Where(n => match.HostOf(n, watch.Cluster.Name) is null).OrderBy(n => n.Name, StringComparer.Ordinal))
            {
                var standing = NodeStanding.Of(node, now);
                all.Add(Json.WithoutNulls(new JsonObject
                {
                    ["name"] = node.Name,
                    ["known"] = false,
                    ["cluster"] = watch.Cluster.Name,
                    ["state"] = standing.State.ToString(),
                    ["reason"] = standing.Reason,
                    ["since"] = Json.At(node.Ready?.ChangedAt ?? node.CreatedAt),
                    ["lastKnownAt"] = contact.Connected ? null : Json.At(contact.HeardAt),
                    ["version"] = node.KubeletVersion,
                    ["address"] = node.Address?.ToString(),
                    ["providerId"] = node.ProviderId,
                    ["credentialProvider"] = node.CredentialProvider,
                    ["cpus"] = node.Cpus,
                    ["memoryMiB"] = node.MemoryMiB,
                    ["software"] = node.Software,
                    ["conditions"] = node.Conditions,
                    ["cordoned"] = node.Unschedulable ? true : null,
                    ["problem"] = snapshot.Hosts.ContainsKey(node.Name) ? $"the profile of host {node.Name} names another cluster" : "no host of this appliance is called so, or has its address",
                    ["idleSince"] = Json.At(watch.IdleSince(node.Name)),
                    ["pendingServingRequests"] = Pending(node.Name, watch),
                }));
            }
        }
        return all;
    }

    private static JsonArray? Pending(string node, ClusterWatch? watch) =>
        watch?.Pending.Where(p => p.Node == node).Select(p => (JsonNode)p.Name).ToArray() is { Length: > 0 } names ? new JsonArray(names) : null;

    private static IResult IdleNodes(HttpContext context, CurrentState state, NodeTracking tracking, AddressBook addresses, TimeProvider time)
    {
        var query = context.Request.Query;
        var mistakes = new List<Mistake>();
        var longer = TimeSpan.FromDays(7);
        if (query["for"].FirstOrDefault() is { } text && (!Values.TryParseDuration(text, out longer) || longer < TimeSpan.FromMinutes(1) || longer > TimeSpan.FromDays(365)))
            mistakes.Add(new Mistake($"'{Reading.Shorten(text)}' is not a duration in bounds") { Path = "for", Value = Reading.Shorten(text), Expected = IdleFor.Expected });
        var price = 0m;
        if (query["price"].FirstOrDefault() is { } amount && (!decimal.TryParse(amount, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out price) || price > 1_000))
            mistakes.Add(new Mistake($"'{Reading.Shorten(amount)}' is not a price") { Path = "price", Value = Reading.Shorten(amount), Expected = "an amount for a vCPU-hour such as 0.02, at most 1000" });
        foreach (var key in query.Keys.Where(k => k is not ("for" or "price")))
            mistakes.Add(new Mistake($"There is no parameter '{Reading.Shorten(key)}'") { Path = key, Expected = "for, price" });
        if (mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, mistakes);
        var (snapshot, now) = (state.Snapshot, time.GetUtcNow());
        var match = new NodeMatch(snapshot, addresses);
        var idle = tracking.Watches.SelectMany(watch => watch.Nodes.Select(node => Idle.Of(node, match.HostOf(node, watch.Cluster.Name), watch.Cluster.Name, watch.IdleSince(node.Name), longer, price, now)))
            .OfType<IdleNode>().OrderBy(n => n.Since).ToList();
        var answer = Json.List(idle.Select(n => Json.WithoutNulls(new JsonObject
        {
            ["name"] = n.Name,
            ["host"] = n.Host,
            ["cluster"] = n.Cluster,
            ["since"] = Json.At(n.Since),
            ["why"] = n.Why,
            ["cpus"] = n.Cpus,
            ["monthlyCost"] = price == 0 ? null : n.MonthlyCost,
        })));
        answer["for"] = Values.Format(longer);
        if (price > 0)
        {
            answer["price"] = price;
            answer["monthlyCost"] = idle.Sum(n => n.MonthlyCost ?? 0);
        }
        answer["unreachable"] = new JsonArray([.. tracking.Watches.Where(w => !w.Contact.Connected).Select(w => (JsonNode)w.Cluster.Name)]);
        return Json.Answer(answer);
    }
}
