using Provisioner.Kubernetes;
using Provisioner.Progress;
using Provisioner.Storage;

namespace Provisioner.Web.Live;

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
            steps.AddRange(installation.Stages.Select(s => Step(s, now, Usual(s.Name, snapshot.Installations.Values.Where(i => i.Host != host && i.Profile == installation.Profile).SelectMany(i => i.Stages)))));
        }
        var certificate = snapshot.GoodCertificateOf(host, now);
        if (certificate is not null)
            steps.Add(new("certificate", certificate.IssuedAt, null, null, StageState.Done, $"good until {certificate.NotAfter:u}"));
        if (snapshot.Joins.GetValueOrDefault(host) is { } join)
            steps.AddRange(join.Stages.Select(s => Step(s, now, Usual(s.Name, snapshot.Joins.Values.Where(j => j.Host != host).SelectMany(j => j.Stages)))));
        if (snapshot.NodeOf(host) is { ReadyAt: { } ready } node)
            steps.Add(new("ready", ready, null, null, node.State == NodeState.Ready ? StageState.Done : StageState.Failed, node.Reason ?? $"node {node.Name} of {node.Cluster}"));
        // What is of the same moment keeps the order it came in.
        return [.. steps.OrderBy(s => s.At)];
    }

    private static TimelineStep Step(InstallationStage stage, DateTimeOffset now, TimeSpan? usual) =>
        new(stage.Name, stage.StartedAt, (stage.EndedAt ?? now) - stage.StartedAt, usual, stage.State, stage.Message);

    /// <summary>The median of the stages of that name that ended well.</summary>
    internal static TimeSpan? Usual(string name, IEnumerable<InstallationStage> others)
    {
        var times = others.Where(s => s.Name == name && s is { State: StageState.Done, EndedAt: not null }).Select(s => s.EndedAt!.Value - s.StartedAt).Order().ToList();
        return times.Count < Enough ? null : times[times.Count / 2];
    }
}
