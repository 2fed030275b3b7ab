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
/// Everything the packet path may ask, as it was after one committed change. Immutable: readers hold it as long as they like
/// and never wait. The one writer swaps in the next.
/// </summary>
public sealed record Snapshot
{
    public static Snapshot Empty { get; } = new();

    /// <summary>Grows by one with each committed change.</summary>
    public long Revision { get; init; }

    public ImmutableSortedDictionary<string, Host> Hosts { get; init; } = ImmutableSortedDictionary.Create<string, Host>(StringComparer.Ordinal);

    /// <summary>The owner of each registered MAC address.</summary>
    public ImmutableDictionary<MacAddress, string> HostByMacAddress { get; init; } = ImmutableDictionary<MacAddress, string>.Empty;

    public ImmutableSortedDictionary<string, Profile> Profiles { get; init; } = ImmutableSortedDictionary.Create<string, Profile>(StringComparer.Ordinal);

    public ImmutableSortedDictionary<string, Image> Images { get; init; } = ImmutableSortedDictionary.Create<string, Image>(StringComparer.Ordinal);

    public ImmutableSortedDictionary<string, Network> Networks { get; init; } = ImmutableSortedDictionary.Create<string, Network>(StringComparer.Ordinal);

    public ImmutableSortedDictionary<string, Cluster> Clusters { get; init; } = ImmutableSortedDictionary.Create<string, Cluster>(StringComparer.Ordinal);

    public ImmutableDictionary<MacAddress, Discovered> Discovered { get; init; } = ImmutableDictionary<MacAddress, Discovered>.Empty;

    /// <summary>The latest Installation of each host, open or not.</summary>
    public ImmutableDictionary<string, Installation> Installations { get; init; } = ImmutableDictionary<string, Installation>.Empty;

    public ImmutableDictionary<string, Authority> Authorities { get; init; } = ImmutableDictionary<string, Authority>.Empty;

    /// <summary>By serial: all that are not long over.</summary>
    public ImmutableDictionary<string, Certificate> Certificates { get; init; } = ImmutableDictionary<string, Certificate>.Empty;

    /// <summary>The serials of each host's certificates, oldest first.</summary>
    public ImmutableDictionary<string, ImmutableList<string>> CertificatesByHost { get; init; } = ImmutableDictionary<string, ImmutableList<string>>.Empty;

    /// <summary>The serials of those that were revoked; another set with each revocation.</summary>
    public ImmutableHashSet<string> Revoked { get; init; } = ImmutableHashSet<string>.Empty;

    /// <summary>The host each key was certified for, by <see cref="Certificate.KeyHash"/>.</summary>
    public ImmutableDictionary<string, string> HostByKey { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Keys whose certificate was revoked for <see cref="RevocationReason.KeyCompromise"/>.</summary>
    public ImmutableHashSet<string> CompromisedKeys { get; init; } = ImmutableHashSet<string>.Empty;

    /// <summary>When the last certificate that is not revoked was issued: a clock that says less was set back. Null before the first.</summary>
    public DateTimeOffset? LastIssuedAt { get; init; }

    /// <summary>Raised and not over, by id; those a person has dismissed among them.</summary>
    public ImmutableSortedDictionary<string, Alert> Alerts { get; init; } = ImmutableSortedDictionary.Create<string, Alert>(StringComparer.Ordinal);

    /// <summary>What each host last said of its certificate.</summary>
    public ImmutableDictionary<string, HostReport> HostReports { get; init; } = ImmutableDictionary<string, HostReport>.Empty;

    /// <summary>How far each host is, or was, on its way into its cluster.</summary>
    public ImmutableDictionary<string, HostJoin> Joins { get; init; } = ImmutableDictionary<string, HostJoin>.Empty;

    /// <summary>What was last found on each host before it joined.</summary>
    public ImmutableDictionary<string, HostFindings> Findings { get; init; } = ImmutableDictionary<string, HostFindings>.Empty;

    /// <summary>The node of each host, as its cluster last showed it; also of those whose node is gone. Read it by <see cref="NodeOf"/>.</summary>
    public ImmutableDictionary<string, HostNode> Nodes { get; init; } = ImmutableDictionary<string, HostNode>.Empty;

    /// <summary>How each cluster that is or was followed was last reached.</summary>
    public ImmutableSortedDictionary<string, ClusterContact> Contacts { get; init; } = ImmutableSortedDictionary.Create<string, ClusterContact>(StringComparer.Ordinal);

    /// <summary>Upgrades, by id; those that ended among them.</summary>
    public ImmutableSortedDictionary<string, Rollout> Rollouts { get; init; } = ImmutableSortedDictionary.Create<string, Rollout>(StringComparer.Ordinal);

    /// <summary>By host: what an upgrade wants it to run. Read it by <see cref="DesiredVersionOf"/>.</summary>
    public ImmutableDictionary<string, DesiredVersion> DesiredVersions { get; init; } = ImmutableDictionary<string, DesiredVersion>.Empty;

    /// <summary>People, by name.</summary>
    public ImmutableSortedDictionary<string, User> Users { get; init; } = ImmutableSortedDictionary.Create<string, User>(StringComparer.Ordinal);

    /// <summary>By id; some may have ended and were not cleared away yet.</summary>
    public ImmutableDictionary<string, Session> Sessions { get; init; } = ImmutableDictionary<string, Session>.Empty;

    /// <summary>By id; those that have ended among them.</summary>
    public ImmutableDictionary<string, ApiToken> ApiTokens { get; init; } = ImmutableDictionary<string, ApiToken>.Empty;

    /// <summary>The host of each Installation in <see cref="Installations"/>, by the Installation's id.</summary>
    public ImmutableDictionary<string, string> HostByInstallation { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>The authority that signs new certificates; null until there is one.</summary>
    public Authority? IssuingAuthority => Authorities.Values.FirstOrDefault(a => a.State == AuthorityState.Issuing);

    /// <summary>The certificates of that host, oldest first.</summary>
    public IEnumerable<Certificate> CertificatesOf(string host) =>
        CertificatesByHost.TryGetValue(host, out var serials) ? serials.Select(serial => Certificates[serial]) : [];

    /// <summary>The host's newest certificate that is good; null when it has none.</summary>
    // The newest is the one issued last: all that were cut to their authority's end do end at once, and a new authority may end before the old one.
    public Certificate? GoodCertificateOf(string host, DateTimeOffset now) =>
        CertificatesOf(host).LastOrDefault(c => c.Purpose == CertificatePurpose.Host && c.IsGoodAt(now));

    /// <summary>The latest Installation of that id, or null.</summary>
    public Installation? FindInstallation(string id) =>
        HostByInstallation.TryGetValue(id, out var host) ? Installations.GetValueOrDefault(host) : null;

    /// <summary>The cluster that the host's profile names, or null.</summary>
    public Cluster? ClusterOf(string host) =>
        Hosts.GetValueOrDefault(host)?.Spec.Profile is { } profile && Profiles.GetValueOrDefault(profile)?.Spec.Cluster is { } cluster ? Clusters.GetValueOrDefault(cluster) : null;

    /// <summary>The version of Kubernetes the host is to run: what its last upgrade wanted, or its cluster's; null without a cluster.</summary>
    public string? DesiredVersionOf(string host) => DesiredVersions.GetValueOrDefault(host)?.Version ?? ClusterOf(host)?.Spec.KubernetesVersion;

    /// <summary>The host's node, with the time it is from when its cluster cannot be reached; null when none was ever seen.</summary>
    public HostNode? NodeOf(string host) =>
        !Nodes.TryGetValue(host, out var node) ? null
        : Contacts.GetValueOrDefault(node.Cluster) is { Connected: true } ? node
        : node with { LastKnownAt = Contacts.GetValueOrDefault(node.Cluster)?.HeardAt is { } heard && heard > node.LastSeenAt ? heard : node.LastSeenAt };

    /// <summary>The host that owns the MAC address, or null.</summary>
    public Host? FindHost(MacAddress mac) =>
        HostByMacAddress.TryGetValue(mac, out var name) ? Hosts.GetValueOrDefault(name) : null;

    /// <summary>The resource of that kind (as in <c>kind</c>) and name, or null.</summary>
    public IResource? Find(string kind, string name) => kind switch
    {
        "Host" => Hosts.GetValueOrDefault(name),
        "Profile" => Profiles.GetValueOrDefault(name),
        "Image" => Images.GetValueOrDefault(name),
        "Network" => Networks.GetValueOrDefault(name),
        "Cluster" => Clusters.GetValueOrDefault(name),
        _ => null,
    };

    /// <summary>All resources of that kind, by name.</summary>
    public IEnumerable<IResource> All(string kind) => kind switch
    {
        "Host" => Hosts.Values,
        "Profile" => Profiles.Values,
        "Image" => Images.Values,
        "Network" => Networks.Values,
        "Cluster" => Clusters.Values,
        _ => [],
    };

    /// <summary>The record of that key, as far as the snapshot holds such records.</summary>
    internal object? FindRecord(RecordKind kind, string id) => kind switch
    {
        RecordKind.Host => Hosts.GetValueOrDefault(id),
        RecordKind.Profile => Profiles.GetValueOrDefault(id),
        RecordKind.Image => Images.GetValueOrDefault(id),
        RecordKind.Network => Networks.GetValueOrDefault(id),
        RecordKind.Cluster => Clusters.GetValueOrDefault(id),
        RecordKind.Installation => FindInstallation(id),
        RecordKind.Authority => Authorities.GetValueOrDefault(id),
        RecordKind.Certificate => Certificates.GetValueOrDefault(id),
        RecordKind.Alert => Alerts.GetValueOrDefault(id),
        RecordKind.Rollout => Rollouts.GetValueOrDefault(id),
        RecordKind.DesiredVersion => DesiredVersions.GetValueOrDefault(id),
        RecordKind.User => Users.GetValueOrDefault(id),
        RecordKind.Session => Sessions.GetValueOrDefault(id),
        RecordKind.ApiToken => ApiTokens.GetValueOrDefault(id),
        _ => null,
    };

    internal IEnumerable<string> NamesOf(string kind) => All(kind).Select(r => r.Metadata.Name);
}
