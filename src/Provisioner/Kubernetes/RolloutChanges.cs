using System.Collections.Immutable;
using System.Security.Cryptography;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Kubernetes;

/// <summary>What somebody wants upgraded.</summary>
internal sealed record UpgradeRequest
{
    /// <summary>Hosts and profiles.</summary>
    public required ImmutableArray<string> Targets { get; init; }

    public required string Version { get; init; }

    public int Wave { get; init; } = 1;

    public TimeSpan Pause { get; init; }

    public bool InPlace { get; init; }

    /// <summary>Hosts of one rack or zone may be away at once.</summary>
    public bool SameRack { get; init; }

    public bool Force { get; init; }

    public TimeSpan DrainTimeout { get; init; } = Retirement.DefaultTimeout;

    public TimeSpan Timeout { get; init; } = HostChanges.DefaultWindow;
}

/// <summary>What people do with rollouts, for <see cref="StateWriter.ChangeAsync{T}"/>. Pure but for the editor.</summary>
internal static class RolloutChanges
{
    /// <summary>Plans and begins one.</summary>
    /// <param name="server">The version of the API server, as it says itself.</param>
    /// <exception cref="ChangeRefusedException">Not these hosts, not this version, or not now; says every reason.</exception>
    public static Rollout Start(StateEditor editor, UpgradeRequest request, string? server, string? actor)
    {
        var snapshot = editor.Snapshot;
        var hosts = Targets(snapshot, request);
        var mistakes = new List<Mistake>();
        var clusters = hosts.Select(h => snapshot.ClusterOf(h.Name)?.Name).Distinct().ToList();
        if (clusters.Count != 1 || clusters[0] is not { } cluster)
        {
            throw new ChangeRefusedException(RefusalKind.Conflict, [new Mistake(clusters.Contains(null)
                ? $"{hosts.First(h => snapshot.ClusterOf(h.Name) is null).Name} is in no cluster" : $"the hosts are in several clusters: {string.Join(", ", clusters)}") { Path = "targets", Expected = "hosts of one cluster" }]);
        }
        if (snapshot.Rollouts.Values.FirstOrDefault(r => r.IsOpen && r.Cluster == cluster) is { } other)
        {
            mistakes.Add(new Mistake($"{other.Id} is {Api.Json.Word(other.State)} in cluster {cluster}") { Expected = $"one at a time: 'provisioner rollout cancel {other.Id}', or wait for its end" });
        }
        if (KubernetesVersions.MinorOf(server) is { } control && KubernetesVersions.MinorOf(request.Version) is { } wanted && (wanted.CompareTo(control) > 0 || control.Major == wanted.Major && control.Minor - wanted.Minor > 3))
        {
            // https://kubernetes.io/releases/version-skew-policy/
            mistakes.Add(new Mistake($"the cluster runs {control.Major}.{control.Minor}") { Path = "to", Value = request.Version, Expected = "not newer than the cluster, and at most three minor versions older" });
        }
        var nodes = new List<(Host Host, HostNode Node)>();
        foreach (var host in hosts)
        {
            if (host.RetiredAt is not null)
                mistakes.Add(new Mistake($"Host {host.Name} is retired") { Path = "targets", Value = host.Name, Expected = "hosts in service" });
            else if (snapshot.Nodes.GetValueOrDefault(host.Name) is not { IsThere: true } node)
                mistakes.Add(new Mistake($"Host {host.Name} has no node in cluster {cluster}") { Path = "targets", Value = host.Name, Expected = "hosts that have joined" });
            else if (request.InPlace && KubernetesVersions.MinorOf(node.Version) is { } runs && KubernetesVersions.MinorOf(request.Version) is { } to && to.CompareTo(runs) < 0)
                mistakes.Add(new Mistake($"Host {host.Name} runs {node.Version}, and a kubelet does not go back in place") { Path = "to", Value = request.Version, Expected = "a newer version, or without --in-place" });
            else if (!request.InPlace && HostChanges.WhyNotInstallable(snapshot, host, out _, out _) is { Count: > 0 } whyNot)
                mistakes.AddRange(whyNot);
            else if (!KubernetesVersions.Matches(node.Version, request.Version))
                nodes.Add((host, node));
        }
        if (mistakes.Count == 0 && nodes.Count == 0)
            mistakes.Add(new Mistake($"all of them run {request.Version} already") { Path = "to", Value = request.Version });
        if (mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Conflict, mistakes);

        var waves = WavePlan.Of(nodes.Select(n => new PlannedHost(n.Host.Name, n.Host.Spec.Location?.Rack is { } rack ? $"{n.Host.Spec.Location.Site}/{rack}" : null, n.Host.Spec.Zone)), request.Wave, request.SameRack);
        var rollout = new Rollout
        {
            Id = $"upgrade-{request.Version.Replace('.', '-')}-{RandomNumberGenerator.GetHexString(6, lowercase: true)}",
            Cluster = cluster,
            Version = request.Version,
            Method = request.InPlace ? RolloutMethod.InPlace : RolloutMethod.Reprovision,
            Pause = request.Pause,
            Force = request.Force,
            DrainTimeout = request.DrainTimeout,
            Timeout = request.Timeout,
            StartedAt = editor.Now,
            Actor = actor,
            Hosts = [.. waves.SelectMany((wave, number) => wave.Select(host => new RolloutHost(host, number)))],
        };
        editor.Put(rollout);
        Record(editor, rollout, null, $"Upgrade {rollout.Id} to {rollout.Version} begun", $"{rollout.Hosts.Length} hosts in {waves.Length} waves, {(request.InPlace ? "in place" : "built anew")}", EventOutcome.Changed, actor);
        return rollout;
    }

    /// <summary>Begins no further host.</summary>
    public static Rollout Pause(StateEditor editor, string id, string? actor) =>
        Move(editor, id, RolloutState.Paused, "paused", r => r.State == RolloutState.Running ? null : $"it is {Api.Json.Word(r.State)}", actor);

    /// <summary>Goes on; hosts that failed are begun again.</summary>
    public static Rollout Resume(StateEditor editor, string id, string? actor) =>
        Move(editor, id, RolloutState.Running, "resumed", r => r.State is RolloutState.Paused or RolloutState.Failed ? null : $"it is {Api.Json.Word(r.State)}", actor);

    /// <summary>Ends it: hosts under way are followed to their end, no other is begun.</summary>
    public static Rollout Cancel(StateEditor editor, string id, string? actor) =>
        Move(editor, id, RolloutState.Cancelled, "cancelled", r => r.IsOpen ? null : $"it is {Api.Json.Word(r.State)}", actor);

    /// <summary>Keeps how far one host is; ends the rollout when it was the last, stops it when it failed.</summary>
    public static void Reached(StateEditor editor, string id, string host, RolloutStage stage, string? message)
    {
        if (!editor.Snapshot.Rollouts.TryGetValue(id, out var rollout) || rollout.Hosts.FirstOrDefault(h => h.Host == host) is not { } before || before.Stage == stage)
            return;
        var ended = stage is RolloutStage.Done or RolloutStage.Failed;
        rollout = rollout.With(before with
        {
            Stage = stage,
            Message = Texts.OneLine(message, 400),
            StartedAt = stage == RolloutStage.Draining ? editor.Now : before.StartedAt,
            EndedAt = ended ? editor.Now : null,
            OldUid = stage == RolloutStage.Draining ? before.OldUid ?? editor.Snapshot.Nodes.GetValueOrDefault(host)?.Uid : before.OldUid,
        });
        if (stage == RolloutStage.Failed && rollout.State is RolloutState.Running or RolloutState.Paused)
            rollout = rollout with { State = RolloutState.Failed, Reason = Texts.OneLine($"{host}: {message}", 400) };
        else if (rollout.State is RolloutState.Running or RolloutState.Paused && rollout.Hosts.All(h => h.Stage == RolloutStage.Done))
            rollout = rollout with { State = RolloutState.Done, EndedAt = editor.Now };
        editor.Put(rollout);
        Record(editor, rollout, host, $"Upgrade to {rollout.Version}: {Api.Json.Word(stage)}", message ?? $"wave {before.Wave + 1} of {rollout.Hosts.Max(h => h.Wave) + 1}",
            stage == RolloutStage.Failed ? EventOutcome.Failed : EventOutcome.Changed, null);
        if (stage == RolloutStage.Failed)
        {
            NodeChanges.Leaving(editor, host, false);
            editor.Raise(new Alert
            {
                Id = $"upgrade:{id}",
                Severity = AlertSeverity.Warning,
                Host = host,
                Message = $"{id} stopped at {host}: {message}.",
                Remedy = $"Its node stays cordoned. 'provisioner rollout resume {id}' begins it again with that host, 'provisioner rollout cancel {id}' ends it.",
            });
        }
        else if (rollout.State == RolloutState.Done)
            Record(editor, rollout, null, $"Upgrade {rollout.Id} done", $"{rollout.Hosts.Length} hosts run {rollout.Version}", EventOutcome.Changed, null);
    }

    public static Rollout Find(Snapshot snapshot, string id)
    {
        if (snapshot.Rollouts.TryGetValue(id, out var rollout))
            return rollout;
        var nearest = Spelling.Nearest(id, snapshot.Rollouts.Keys);
        throw new ChangeRefusedException(RefusalKind.NotFound, $"there is no upgrade '{Reading.Shorten(id)}'" + (nearest is null ? "" : $"; did you mean '{nearest}'?"));
    }

    private static Rollout Move(StateEditor editor, string id, RolloutState to, string word, Func<Rollout, string?> wrongWith, string? actor)
    {
        var rollout = Find(editor.Snapshot, id);
        if (wrongWith(rollout) is { } wrong)
            throw new ChangeRefusedException(RefusalKind.Conflict, $"Upgrade {id} cannot be {word}: {wrong}");
        rollout = rollout with { State = to, Reason = null, EndedAt = to == RolloutState.Cancelled ? editor.Now : null };
        if (to == RolloutState.Running)
            rollout = rollout with { Hosts = [.. rollout.Hosts.Select(h => h.Stage == RolloutStage.Failed ? h with { Stage = RolloutStage.Waiting, Message = null, EndedAt = null } : h)] };
        editor.Put(rollout);
        editor.Lower($"upgrade:{id}");
        Record(editor, rollout, null, $"Upgrade {id} {word}", $"{rollout.Hosts.Count(h => h.Stage == RolloutStage.Done)} of {rollout.Hosts.Length} hosts are done", EventOutcome.Changed, actor);
        return rollout;
    }

    private static List<Host> Targets(Snapshot snapshot, UpgradeRequest request)
    {
        var (found, mistakes) = (new SortedDictionary<string, Host>(StringComparer.Ordinal), new List<Mistake>());
        foreach (var target in request.Targets)
        {
            if (snapshot.Hosts.TryGetValue(target, out var host))
                found[target] = host;
            else if (snapshot.Profiles.ContainsKey(target))
            {
                // Of a profile, those that have something to upgrade.
                foreach (var one in snapshot.Hosts.Values.Where(h => h.Spec.Profile == target && h.RetiredAt is null && snapshot.Nodes.GetValueOrDefault(h.Name) is { IsThere: true }))
                    found[one.Name] = one;
            }
            else
            {
                var nearest = Spelling.Nearest(target, snapshot.Hosts.Keys.Concat(snapshot.Profiles.Keys));
                mistakes.Add(new Mistake($"There is no host and no profile '{Reading.Shorten(target)}'{(nearest is null ? "" : $"; did you mean '{nearest}'?")}") { Path = "targets", Value = Reading.Shorten(target) });
            }
        }
        if (mistakes.Count == 0 && found.Count == 0)
            mistakes.Add(new Mistake("there is no host in a cluster to upgrade") { Path = "targets", Expected = "hosts that have joined, or a profile with such hosts" });
        return mistakes.Count == 0 ? [.. found.Values] : throw new ChangeRefusedException(RefusalKind.NotFound, mistakes);
    }

    private static void Record(StateEditor editor, Rollout rollout, string? host, string what, string reason, EventOutcome outcome, string? actor) => editor.Record(new Event
    {
        At = editor.Now,
        Source = actor is null ? EventSource.Service : EventSource.Api,
        Outcome = outcome,
        Host = host,
        What = Texts.OneLine(what, 400)!,
        Reason = Texts.OneLine(reason, 1_000)!,
        Actor = actor,
        Subject = $"Upgrade/{rollout.Id}",
    });
}
