using Provisioner.Joining;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>Reads the records the appliance makes itself: Discovered, Installation, findings, Lease.</summary>
internal static class RecordEndpoints
{
    public static void MapRecords(this IEndpointRouteBuilder api)
    {
        api.MapGet("/discovered", (HttpContext context, CurrentState state) =>
            Selection.Answer(context, state.Snapshot.Discovered.Values.OrderByDescending(d => d.LastSeen).Select(Json.Of), d => d["macAddress"]!.ToString()));
        api.MapGet("/discovered/{mac}", (string mac, CurrentState state) =>
        {
            var address = HostEndpoints.MacOf(mac);
            if (state.Snapshot.FindHost(address) is { } host)
                throw new ChangeRefusedException(RefusalKind.NotFound, $"{address} is registered: it belongs to host '{host.Name}'.");
            return state.Snapshot.Discovered.TryGetValue(address, out var discovered)
                ? Json.Answer(Json.Of(discovered))
                : throw new ChangeRefusedException(RefusalKind.NotFound, $"{address} has not asked for anything yet.");
        });
        api.MapGet("/installations", (HttpContext context, CurrentState state, TimeProvider time) =>
            Selection.Answer(context, state.Snapshot.Installations.Values.OrderByDescending(i => i.OpenedAt).Select(i => Json.Of(i, time.GetUtcNow())), i => i["id"]!.ToString()));
        api.MapGet("/installations/{host}", (string host, IStore store, CurrentState state, TimeProvider time) =>
        {
            var found = store.LoadInstallations(host);
            if (found.Count == 0)
                _ = ResourceEndpoints.Find(ResourceKind.Host, host, state.Snapshot);
            return Json.Answer(Json.List(found.Select(i => Json.Of(i, time.GetUtcNow()))));
        });
        // Of all hosts, what needs somebody; of one, everything.
        api.MapGet("/findings", (HttpContext context, CurrentState state) => Selection.Answer(context,
            from findings in state.Snapshot.Findings.Values.OrderBy(f => f.Host, StringComparer.Ordinal)
            from finding in findings.Findings
            where finding.Verdict is Verdict.Fail or Verdict.Warn
            select Json.Of(finding, findings), finding => $"{finding["host"]}/{finding["code"]}"));
        api.MapGet("/findings/{host}", (string host, CurrentState state) =>
        {
            _ = ResourceEndpoints.Find(ResourceKind.Host, host, state.Snapshot);
            // The worst first, and within that in the host's order.
            return Json.Answer(Json.List(state.Snapshot.Findings.GetValueOrDefault(host) is { } findings
                ? findings.Findings.OrderBy(f => f.Verdict switch { Verdict.Fail => 0, Verdict.Warn => 1, Verdict.Pass => 2, _ => 3 }).Select(f => Json.Of(f, findings)) : []));
        });
        api.MapGet("/leases", (HttpContext context, IStore store) => Selection.Answer(context, store.LoadLeases().OrderBy(l => l.Address).Select(Json.Of), l => l["address"]!.ToString()));
        api.MapGet("/leases/{address}", (string address, IStore store) =>
            Ipv4Address.TryParse(address, out var wanted) && store.LoadLeases().FirstOrDefault(l => l.Address == wanted) is { } lease
                ? Json.Answer(Json.Of(lease))
                : throw new ChangeRefusedException(RefusalKind.NotFound, $"There is no lease of '{Reading.Shorten(address)}'."));
    }
}
