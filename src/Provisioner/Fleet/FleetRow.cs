using Provisioner.Hosts;
using Provisioner.Storage;

namespace Provisioner.Fleet;

/// <summary>A host as the fleet's pages show it.</summary>
/// <param name="Since">When it came into its stage or state, as far as is known.</param>
/// <param name="CertificateEndsAt">The end of its good certificate; null without one.</param>
internal sealed record FleetRow(Host Host, HostStanding Standing, DateTimeOffset? Since, DateTimeOffset? CertificateEndsAt)
{
    public string Name => Host.Name;

    public HostState State => Standing.State;

    public string Rack => Host.Spec.Location?.Rack ?? "";

    public string Zone => Host.Spec.Zone ?? "";

    public string Profile => Host.Spec.Profile ?? "";

    /// <summary>Derives it. Pure.</summary>
    public static FleetRow Of(Host host, Snapshot snapshot, DateTimeOffset? lastAnswered, DateTimeOffset now)
    {
        var installation = snapshot.Installations.GetValueOrDefault(host.Name);
        var certificate = snapshot.GoodCertificateOf(host.Name, now);
        var join = snapshot.Joins.GetValueOrDefault(host.Name);
        var node = snapshot.NodeOf(host.Name);
        var standing = HostStanding.Of(host, snapshot, lastAnswered, now);
        return new(host, standing, SinceOf(standing.State), certificate?.NotAfter);

        DateTimeOffset? SinceOf(HostState state) => state switch
        {
            HostState.Retired => host.RetiredAt,
            HostState.Ready or HostState.NotReady or HostState.Lost or HostState.Joined => node?.Since,
            HostState.Joining => join is { Stages: [.., var step] } ? step.StartedAt : join?.StartedAt,
            HostState.Enrolled => certificate?.IssuedAt,
            HostState.Installed => installation?.InstalledAt,
            HostState.Registered => null,
            _ => installation is { Stages: [.., var stage] } ? stage.StartedAt : installation?.OpenedAt,
        };
    }

    /// <summary>Whether it matches what somebody typed: each word is somewhere in it.</summary>
    public bool Matches(string search)
    {
        foreach (var word in search.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!Has(Name, word) && !Has(Profile, word) && !Has(Rack, word) && !Has(Zone, word) && !Has(State.ToString(), word) && !Has(Host.Spec.Serial, word) && !Has(Standing.Stage, word)
                && !Host.Spec.MacAddresses.Any(mac => Has(mac.ToString(), word)) && !Host.Metadata.Labels.Any(label => Has($"{label.Key}={label.Value}", word)))
                return false;
        }
        return true;

        static bool Has(string? text, string word) => text is not null && text.Contains(word, StringComparison.OrdinalIgnoreCase);
    }
}
