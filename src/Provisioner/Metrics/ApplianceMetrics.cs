using System.Diagnostics.Metrics;
using Provisioner.Artifacts;
using Provisioner.Certificates;
using Provisioner.Events;
using Provisioner.Fleet;
using Provisioner.Hosts;
using Provisioner.Kubernetes;
using Provisioner.Storage;

namespace Provisioner.Metrics;

/// <summary>
/// What the appliance counts, by .NET's own meters, for whatever reads them. Everything but the events is worked out when somebody asks: it costs
/// nothing while nobody does.
/// </summary>
internal sealed class ApplianceMetrics : IDisposable
{
    /// <summary>The meter's name, and what each metric begins with.</summary>
    public const string Name = "provisioner";

    private readonly Meter meter = new(Name);
    private readonly Counter<long> events;

    public ApplianceMetrics(FleetView fleet, CurrentState state, BootJournal journal, ArtifactCache cache, TimeProvider time)
    {
        events = meter.CreateCounter<long>("provisioner.events", null, "Events, by where they come from and how they ended.");
        meter.CreateObservableGauge("provisioner.hosts", () => Enum.GetValues<HostState>().GroupJoin(fleet.Rows, s => s, row => row.State,
            (s, rows) => new Measurement<int>(rows.Count(), new KeyValuePair<string, object?>("state", s.ToString()))), null, "Hosts, by state.");
        meter.CreateObservableGauge("provisioner.host.state.seconds", () => fleet.Rows.Where(r => r.Since is not null && r.State is not (HostState.Ready or HostState.Registered or HostState.Retired))
            .Select(r => new Measurement<double>(Math.Max(0, (time.GetUtcNow() - r.Since!.Value).TotalSeconds), Tag("host", r.Name), Tag("state", r.State.ToString()))), null, "How long each host that is under way, or in trouble, is in its state.");
        meter.CreateObservableGauge("provisioner.discovered", () => state.Snapshot.Discovered.Values.Count(d => d.IgnoredAt is null), null, "Machines that asked and are not registered.");
        meter.CreateObservableGauge("provisioner.alerts", () => Enum.GetValues<AlertSeverity>().Select(severity =>
            new Measurement<int>(state.Snapshot.Alerts.Values.Count(a => a.DismissedAt is null && a.Severity == severity), Tag("severity", severity.ToString()))), null, "Alerts that nobody has dismissed.");
        meter.CreateObservableGauge("provisioner.certificate.remaining.seconds", () => fleet.Rows.Where(r => r.CertificateEndsAt is not null)
            .Select(r => new Measurement<double>((r.CertificateEndsAt!.Value - time.GetUtcNow()).TotalSeconds, Tag("host", r.Name))), null, "How long each host's certificate is still good.");
        meter.CreateObservableGauge("provisioner.authority.remaining.seconds", () => state.Snapshot.Authorities.Values.Where(a => a.NotAfter != default && a.State != AuthorityState.Retired)
            .Select(a => new Measurement<double>((a.NotAfter - time.GetUtcNow()).TotalSeconds, Tag("authority", a.Id))), null, "How long each authority is still good.");
        meter.CreateObservableGauge("provisioner.nodes", () => Enum.GetValues<NodeState>().SelectMany(s => state.Snapshot.Nodes.Values.Where(n => n.State == s).GroupBy(n => n.Cluster)
            .Select(g => new Measurement<int>(g.Count(), Tag("cluster", g.Key), Tag("state", s.ToString())))), null, "Nodes, by cluster and state.");
        meter.CreateObservableGauge("provisioner.cluster.connected", () => state.Snapshot.Contacts.Values.Select(c => new Measurement<int>(c.Connected ? 1 : 0, Tag("cluster", c.Cluster))), null, "1 while the cluster is followed.");
        meter.CreateObservableGauge("provisioner.artifacts.bytes", () => cache.Store.Size, null, "What the cache of artifacts holds.");
        meter.CreateObservableCounter("provisioner.journal.dropped", () => journal.Dropped, null, "Boot events that were not stored, because too many came at once.");
    }

    /// <summary>Counts events that were stored.</summary>
    public void Count(IReadOnlyList<Event> stored)
    {
        foreach (var entry in stored)
            events.Add(1, Tag("source", entry.Source.ToString()), Tag("outcome", entry.Outcome.ToString()));
    }

    public void Dispose() => meter.Dispose();

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
