using System.Collections.Immutable;
using Provisioner.Kubernetes;
using Provisioner.Progress;
using Provisioner.Storage;

namespace Provisioner.Fleet;

/// <summary>One step of a host's way from power-on to Ready.</summary>
/// <param name="Usual">What it took on other hosts, in the middle; null when none is known.</param>
internal sealed record TimelineStep(string Name, DateTimeOffset At, TimeSpan? Took, TimeSpan? Usual, StageState State, string? Message);

/// <summary>A host's way, as its installer, its join program and its cluster told it.</summary>
internal static class Timeline
{
    /// <summary>Below so many others, what is usual cannot be said.</summary>
    private const int Enough = 3;

    /// <summary>Derives it. Pure.</summary>
    public static IReadOnlyList<TimelineStep> Of(string host, Snapshot snapshot, DateTimeOffset? lastAnswered, DateTimeOffset now)
    {
        var steps = new List<TimelineStep>();
        var installation = snapshot.Installations.GetValueOrDefault(host);
        if (installation is { EnrolOnly: false })
        {
            steps.Add(new("opened", installation.OpenedAt, null, null, StageState.Done, installation.Actor is { } actor ? $"by {actor}, profile {installation.Profile}, image {installation.Image}" : $"profile {installation.Profile}, image {installation.Image}"));
            if (lastAnswered >= installation.OpenedAt)
                steps.Add(new("answered", lastAnswered.Value, null, null, StageState.Done, "its firmware asked and was answered"));
            steps.AddRange(Steps(installation.Stages, snapshot.Installations.Values.Where(i => i.Host != host && i.Profile == installation.Profile).SelectMany(i => i.Stages), now));
        }
        var certificate = snapshot.GoodCertificateOf(host, now);
        if (certificate is not null)
            steps.Add(new("certificate", certificate.IssuedAt, null, null, StageState.Done, $"good until {certificate.NotAfter:u}"));
        if (snapshot.Joins.GetValueOrDefault(host) is { } join)
            steps.AddRange(Steps(join.Stages, snapshot.Joins.Values.Where(j => j.Host != host).SelectMany(j => j.Stages), now));
        if (snapshot.NodeOf(host) is { ReadyAt: { } ready } node)
            steps.Add(new("ready", ready, null, null, node.State == NodeState.Ready ? StageState.Done : StageState.Failed, node.Reason ?? $"node {node.Name} of {node.Cluster}"));
        // What is of the same moment keeps the order it came in.
        return [.. steps.OrderBy(s => s.At)];
    }

    /// <param name="others">Other hosts' stages: of those of one name that ended well, the median is what is usual.</param>
    private static IEnumerable<TimelineStep> Steps(ImmutableArray<InstallationStage> stages, IEnumerable<InstallationStage> others, DateTimeOffset now)
    {
        var times = others.Where(s => s is { State: StageState.Done, EndedAt: not null }).ToLookup(s => s.Name, s => s.EndedAt!.Value - s.StartedAt, StringComparer.Ordinal);
        return stages.Select(s => new TimelineStep(s.Name, s.StartedAt, (s.EndedAt ?? now) - s.StartedAt, Median([.. times[s.Name].Order()]), s.State, s.Message));
    }

    private static TimeSpan? Median(TimeSpan[] sorted) => sorted.Length < Enough ? null : sorted[sorted.Length / 2];
}
