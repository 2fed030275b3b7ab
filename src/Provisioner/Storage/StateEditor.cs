using System.Collections.Immutable;
using Provisioner.Auth;
using Provisioner.Certificates;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Joining;
using Provisioner.Kubernetes;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Storage;

/// <summary>
/// The working copy of one change: reads see what it has put so far. Nothing is stored until the change returns, and nothing at all when it throws.
/// Used by one thread.
/// </summary>
public sealed class StateEditor
{
    private readonly Snapshot before;
    private readonly Dictionary<RecordKey, object?> writes = [];
    private readonly List<Event> events = [];

    /// <param name="before">What is stored.</param>
    /// <param name="now">The time of the change.</param>
    public StateEditor(Snapshot before, DateTimeOffset now)
    {
        this.before = before;
        Snapshot = before;
        Now = now;
    }

    /// <summary>As it will be if the change ends here; its revision is still the old one.</summary>
    public Snapshot Snapshot { get; private set; }

    /// <summary>The one time of everything in this change.</summary>
    public DateTimeOffset Now { get; }

    /// <summary>What is to be written; a null value is a removal.</summary>
    internal IReadOnlyDictionary<RecordKey, object?> Writes => writes;

    internal IReadOnlyList<Event> Events => events;

    /// <summary>
    /// Puts the host in place; its version grows, its MAC addresses are owned by it from now on and are no longer Discovered.
    /// </summary>
    /// <exception cref="InvalidOperationException">A MAC address has another owner: the change did not check.</exception>
    public Host Put(Host host)
    {
        var old = Snapshot.Hosts.GetValueOrDefault(host.Name);
        host = host with { Metadata = Stamp(host.Metadata, before.Hosts.GetValueOrDefault(host.Name)?.Metadata) };
        var owners = Snapshot.HostByMacAddress;
        foreach (var mac in old?.Spec.MacAddresses ?? [])
        {
            if (owners.GetValueOrDefault(mac) == host.Name)
                owners = owners.Remove(mac);
        }
        foreach (var mac in host.Spec.MacAddresses)
        {
            if (owners.TryGetValue(mac, out var owner) && owner != host.Name)
                throw new InvalidOperationException($"{mac} belongs to {owner}.");
            owners = owners.SetItem(mac, host.Name);
            RemoveDiscovered(mac);
        }
        Snapshot = Snapshot with { Hosts = Snapshot.Hosts.SetItem(host.Name, host), HostByMacAddress = owners };
        writes[new(RecordKind.Host, host.Name)] = host;
        return host;
    }

    public Profile Put(Profile profile)
    {
        profile = profile with { Metadata = Stamp(profile.Metadata, before.Profiles.GetValueOrDefault(profile.Name)?.Metadata) };
        Snapshot = Snapshot with { Profiles = Snapshot.Profiles.SetItem(profile.Name, profile) };
        writes[new(RecordKind.Profile, profile.Name)] = profile;
        return profile;
    }

    public Image Put(Image image)
    {
        image = image with { Metadata = Stamp(image.Metadata, before.Images.GetValueOrDefault(image.Name)?.Metadata) };
        Snapshot = Snapshot with { Images = Snapshot.Images.SetItem(image.Name, image) };
        writes[new(RecordKind.Image, image.Name)] = image;
        return image;
    }

    public Network Put(Network network)
    {
        network = network with { Metadata = Stamp(network.Metadata, before.Networks.GetValueOrDefault(network.Name)?.Metadata) };
        Snapshot = Snapshot with { Networks = Snapshot.Networks.SetItem(network.Name, network) };
        writes[new(RecordKind.Network, network.Name)] = network;
        return network;
    }

    public Cluster Put(Cluster cluster)
    {
        cluster = cluster with { Metadata = Stamp(cluster.Metadata, before.Clusters.GetValueOrDefault(cluster.Name)?.Metadata) };
        Snapshot = Snapshot with { Clusters = Snapshot.Clusters.SetItem(cluster.Name, cluster) };
        writes[new(RecordKind.Cluster, cluster.Name)] = cluster;
        return cluster;
    }

    public void Put(Installation installation)
    {
        // The snapshot holds the latest of each host; the store keeps them all.
        if (!Snapshot.Installations.TryGetValue(installation.Host, out var latest) || latest.Id == installation.Id || installation.OpenedAt >= latest.OpenedAt)
        {
            var byId = Snapshot.HostByInstallation;
            if (latest is not null)
                byId = byId.Remove(latest.Id);
            Snapshot = Snapshot with
            {
                Installations = Snapshot.Installations.SetItem(installation.Host, installation),
                HostByInstallation = byId.SetItem(installation.Id, installation.Host),
            };
        }
        writes[new(RecordKind.Installation, installation.Id)] = installation;
    }

    public void Put(Discovered discovered)
    {
        Snapshot = Snapshot with { Discovered = Snapshot.Discovered.SetItem(discovered.MacAddress, discovered) };
        writes[new(RecordKind.Discovered, discovered.MacAddress.ToString())] = discovered;
    }

    public void Put(Authority authority)
    {
        Snapshot = Snapshot with { Authorities = Snapshot.Authorities.SetItem(authority.Id, authority) };
        writes[new(RecordKind.Authority, authority.Id)] = authority;
    }

    public void Put(Certificate certificate)
    {
        var serials = Snapshot.CertificatesByHost.GetValueOrDefault(certificate.Host) ?? [];
        var all = Snapshot.Certificates.SetItem(certificate.Serial, certificate);
        Snapshot = Snapshot with
        {
            LastIssuedAt = !certificate.IsRevoked ? Snapshot.LastIssuedAt > certificate.IssuedAt ? Snapshot.LastIssuedAt : certificate.IssuedAt
                : Snapshot.LastIssuedAt > certificate.IssuedAt ? Snapshot.LastIssuedAt
                : all.Values.Where(c => !c.IsRevoked).Select(c => (DateTimeOffset?)c.IssuedAt).Max(),
            Certificates = all,
            CertificatesByHost = Snapshot.Certificates.ContainsKey(certificate.Serial) ? Snapshot.CertificatesByHost
                : Snapshot.CertificatesByHost.SetItem(certificate.Host, serials.Add(certificate.Serial)),
            HostByKey = Snapshot.HostByKey.SetItem(certificate.KeyHash, certificate.Host),
            Revoked = certificate.IsRevoked ? Snapshot.Revoked.Add(certificate.Serial) : Snapshot.Revoked,
            CompromisedKeys = certificate.RevokedBecause == RevocationReason.KeyCompromise ? Snapshot.CompromisedKeys.Add(certificate.KeyHash) : Snapshot.CompromisedKeys,
        };
        writes[new(RecordKind.Certificate, certificate.Serial)] = certificate;
    }

    public void Put(HostReport report)
    {
        Snapshot = Snapshot with { HostReports = Snapshot.HostReports.SetItem(report.Host, report) };
        writes[new(RecordKind.HostReport, report.Host)] = report;
    }

    public void Put(HostJoin join)
    {
        Snapshot = Snapshot with { Joins = Snapshot.Joins.SetItem(join.Host, join) };
        writes[new(RecordKind.HostJoin, join.Host)] = join;
    }

    public void Put(HostFindings findings)
    {
        Snapshot = Snapshot with { Findings = Snapshot.Findings.SetItem(findings.Host, findings) };
        writes[new(RecordKind.HostFindings, findings.Host)] = findings;
    }

    public void Put(HostNode node)
    {
        Snapshot = Snapshot with { Nodes = Snapshot.Nodes.SetItem(node.Host, node) };
        writes[new(RecordKind.Node, node.Host)] = node;
    }

    public void Put(ClusterContact contact)
    {
        Snapshot = Snapshot with { Contacts = Snapshot.Contacts.SetItem(contact.Cluster, contact) };
        writes[new(RecordKind.ClusterContact, contact.Cluster)] = contact;
    }

    public void Put(Rollout rollout)
    {
        Snapshot = Snapshot with { Rollouts = Snapshot.Rollouts.SetItem(rollout.Id, rollout) };
        writes[new(RecordKind.Rollout, rollout.Id)] = rollout;
    }

    public void Put(DesiredVersion version)
    {
        Snapshot = Snapshot with { DesiredVersions = Snapshot.DesiredVersions.SetItem(version.Host, version) };
        writes[new(RecordKind.DesiredVersion, version.Host)] = version;
    }

    public void Put(User user)
    {
        Snapshot = Snapshot with { Users = Snapshot.Users.SetItem(user.Name, user) };
        writes[new(RecordKind.User, user.Name)] = user;
    }

    /// <summary>Removes the user, and with it every session.</summary>
    public void RemoveUser(string name)
    {
        Snapshot = Snapshot with { Users = Snapshot.Users.Remove(name) };
        writes[new(RecordKind.User, name)] = null;
        foreach (var session in Snapshot.Sessions.Values.Where(s => s.User == name).ToList())
            RemoveSession(session.Id);
    }

    public void Put(Session session)
    {
        Snapshot = Snapshot with { Sessions = Snapshot.Sessions.SetItem(session.Id, session) };
        writes[new(RecordKind.Session, session.Id)] = session;
    }

    public void RemoveSession(string id)
    {
        Snapshot = Snapshot with { Sessions = Snapshot.Sessions.Remove(id) };
        writes[new(RecordKind.Session, id)] = null;
    }

    public void Put(ApiToken token)
    {
        Snapshot = Snapshot with { ApiTokens = Snapshot.ApiTokens.SetItem(token.Id, token) };
        writes[new(RecordKind.ApiToken, token.Id)] = token;
    }

    public void RemoveApiToken(string id)
    {
        Snapshot = Snapshot with { ApiTokens = Snapshot.ApiTokens.Remove(id) };
        writes[new(RecordKind.ApiToken, id)] = null;
    }

    /// <summary>Raises an alert, or counts it once more when it is raised already.</summary>
    public void Raise(Alert alert)
    {
        alert = Snapshot.Alerts.TryGetValue(alert.Id, out var before)
            ? alert with { FirstAt = before.FirstAt, LastAt = Now, Times = before.Times + 1 }
            : alert with { FirstAt = Now, LastAt = Now };
        Snapshot = Snapshot with { Alerts = Snapshot.Alerts.SetItem(alert.Id, alert) };
        writes[new(RecordKind.Alert, alert.Id)] = alert;
    }

    /// <summary>A person has seen the alert.</summary>
    public Alert Dismiss(Alert alert)
    {
        alert = alert with { DismissedAt = Now };
        Snapshot = Snapshot with { Alerts = Snapshot.Alerts.SetItem(alert.Id, alert) };
        writes[new(RecordKind.Alert, alert.Id)] = alert;
        return alert;
    }

    /// <summary>The alert's cause is gone.</summary>
    public void Lower(string alert)
    {
        if (!Snapshot.Alerts.ContainsKey(alert))
            return;
        Snapshot = Snapshot with { Alerts = Snapshot.Alerts.Remove(alert) };
        writes[new(RecordKind.Alert, alert)] = null;
    }

    /// <summary>Forgets a certificate that is long over; the journal keeps it.</summary>
    public void Forget(Certificate certificate)
    {
        var serials = (Snapshot.CertificatesByHost.GetValueOrDefault(certificate.Host) ?? []).Remove(certificate.Serial);
        Snapshot = Snapshot with
        {
            Certificates = Snapshot.Certificates.Remove(certificate.Serial),
            Revoked = Snapshot.Revoked.Remove(certificate.Serial),
            // A key that was renewed many times is known as long as one of its certificates is.
            HostByKey = serials.Exists(serial => Snapshot.Certificates[serial].KeyHash == certificate.KeyHash) ? Snapshot.HostByKey : Snapshot.HostByKey.Remove(certificate.KeyHash),
            CertificatesByHost = serials.IsEmpty ? Snapshot.CertificatesByHost.Remove(certificate.Host) : Snapshot.CertificatesByHost.SetItem(certificate.Host, serials),
        };
        writes[new(RecordKind.Certificate, certificate.Serial)] = null;
    }

    /// <summary>Keeps a lease; the snapshot does not hold them.</summary>
    internal void Put(Lease lease) => writes[new(RecordKind.Lease, lease.Address.ToString())] = lease;

    /// <summary>Puts several at once, so that a MAC address can move from one of these hosts to another.</summary>
    internal void PutAll(IEnumerable<IResource> resources)
    {
        var all = resources.ToList();
        foreach (var host in all.OfType<Host>())
        {
            if (Snapshot.Hosts.TryGetValue(host.Name, out var old))
                Snapshot = Snapshot with { HostByMacAddress = Snapshot.HostByMacAddress.RemoveRange(old.Spec.MacAddresses) };
        }
        foreach (var resource in all)
        {
            switch (resource)
            {
                case Host host:
                    // That it was retired is the appliance's to say, not a document's.
                    Put(host with { RetiredAt = Snapshot.Hosts.GetValueOrDefault(host.Name)?.RetiredAt });
                    break;
                case Profile profile:
                    Put(profile);
                    break;
                case Image image:
                    // An applied document says what is wanted; what was imported stays.
                    Put(image with { Status = Snapshot.Images.GetValueOrDefault(image.Name)?.Status ?? image.Status });
                    break;
                case Network network:
                    Put(network);
                    break;
                case Cluster cluster:
                    Put(cluster);
                    break;
            }
        }
    }

    /// <summary>Removes the host and forgets its latest Installation; its events stay.</summary>
    public void RemoveHost(string name)
    {
        if (!Snapshot.Hosts.TryGetValue(name, out var host))
            return;
        var installation = Snapshot.Installations.GetValueOrDefault(name);
        Snapshot = Snapshot with
        {
            Hosts = Snapshot.Hosts.Remove(name),
            HostByMacAddress = Snapshot.HostByMacAddress.RemoveRange(host.Spec.MacAddresses),
            Installations = Snapshot.Installations.Remove(name),
            HostByInstallation = installation is null ? Snapshot.HostByInstallation : Snapshot.HostByInstallation.Remove(installation.Id),
            HostReports = Snapshot.HostReports.Remove(name),
            Joins = Snapshot.Joins.Remove(name),
            Findings = Snapshot.Findings.Remove(name),
            Nodes = Snapshot.Nodes.Remove(name),
            DesiredVersions = Snapshot.DesiredVersions.Remove(name),
        };
        foreach (var kind in new[] { RecordKind.Host, RecordKind.HostReport, RecordKind.HostJoin, RecordKind.HostFindings, RecordKind.Node, RecordKind.DesiredVersion })
            writes[new(kind, name)] = null;
        foreach (var alert in Snapshot.Alerts.Values.Where(a => a.Host == name).ToList())
            Lower(alert.Id);
    }

    public void RemoveProfile(string name)
    {
        Snapshot = Snapshot with { Profiles = Snapshot.Profiles.Remove(name) };
        writes[new(RecordKind.Profile, name)] = null;
    }

    public void RemoveImage(string name)
    {
        Snapshot = Snapshot with { Images = Snapshot.Images.Remove(name) };
        writes[new(RecordKind.Image, name)] = null;
    }

    public void RemoveNetwork(string name)
    {
        Snapshot = Snapshot with { Networks = Snapshot.Networks.Remove(name) };
        writes[new(RecordKind.Network, name)] = null;
    }

    /// <summary>Removes the cluster and forgets the nodes in it.</summary>
    public void RemoveCluster(string name)
    {
        var nodes = Snapshot.Nodes.Values.Where(n => n.Cluster == name).Select(n => n.Host).ToList();
        Snapshot = Snapshot with { Clusters = Snapshot.Clusters.Remove(name), Contacts = Snapshot.Contacts.Remove(name), Nodes = Snapshot.Nodes.RemoveRange(nodes) };
        writes[new(RecordKind.Cluster, name)] = null;
        writes[new(RecordKind.ClusterContact, name)] = null;
        foreach (var host in nodes)
        {
            writes[new(RecordKind.Node, host)] = null;
            Lower(NodeChanges.LostAlert(host));
        }
        Lower(NodeChanges.UnreachableAlert(name));
    }

    public void RemoveDiscovered(MacAddress mac)
    {
        if (!Snapshot.Discovered.ContainsKey(mac))
            return;
        Snapshot = Snapshot with { Discovered = Snapshot.Discovered.Remove(mac) };
        writes[new(RecordKind.Discovered, mac.ToString())] = null;
    }

    /// <summary>Appends an event in the same transaction.</summary>
    public void Record(Event entry) => events.Add(entry);

    private Metadata Stamp(Metadata metadata, Metadata? stored) => metadata with
    {
        ResourceVersion = (stored?.ResourceVersion ?? 0) + 1,
        CreatedAt = stored?.CreatedAt ?? Now,
        UpdatedAt = Now,
    };
}

/// <summary>What kinds of record the store keeps.</summary>
internal enum RecordKind
{
    Host,
    Profile,
    Image,
    Network,
    Discovered,
    Installation,
    Lease,
    Authority,
    Certificate,
    HostReport,
    Alert,
    Cluster,
    HostJoin,
    HostFindings,
    Node,
    ClusterContact,
    Rollout,
    DesiredVersion,
    User,
    Session,
    ApiToken,
}

/// <summary>The key of one stored record.</summary>
internal readonly record struct RecordKey(RecordKind Kind, string Id);
