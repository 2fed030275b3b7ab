using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Provisioner.Resources;

namespace Provisioner.Kubernetes;

/// <summary>What is done with a pod when its node is emptied.</summary>
internal enum PodFate
{
    /// <summary>It belongs to the node: a DaemonSet's, or a static pod's mirror.</summary>
    Stay,

    /// <summary>By the eviction API, which respects PodDisruptionBudgets.</summary>
    Evict,

    /// <summary>Nobody would make it again elsewhere: only when that is wanted.</summary>
    Orphan,
}

/// <summary>A node could not be emptied; the message says what is in the way and what to do.</summary>
internal sealed class DrainException(string message) : Exception(message);

/// <summary>Empties a node as <c>kubectl drain --ignore-daemonsets --delete-emptydir-data</c> does, and takes it out of the cluster. Each step can be repeated.</summary>
internal sealed class Drain(IKubernetes client, TimeProvider time)
{
    /// <summary>What the static pods' mirrors carry. https://kubernetes.io/docs/reference/labels-annotations-taints/</summary>
    private const string MirrorAnnotation = "kubernetes.io/config.mirror";

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan BudgetPause = TimeSpan.FromSeconds(5);

    /// <summary>Decides. Pure.</summary>
    public static PodFate FateOf(V1Pod pod)
    {
        var owner = pod.Metadata.OwnerReferences?.FirstOrDefault(o => o.Controller == true);
        if (owner?.Kind is "DaemonSet" or "Node" || pod.Metadata.Annotations?.ContainsKey(MirrorAnnotation) == true)
            return PodFate.Stay;
        // One that has ended does no work that could be lost.
        return owner is null && pod.Status?.Phase is not ("Succeeded" or "Failed") ? PodFate.Orphan : PodFate.Evict;
    }

    /// <summary>No new pods on it. False when there is no such node.</summary>
    public Task<bool> CordonAsync(string node, CancellationToken ct) => SetUnschedulableAsync(node, true, ct);

    public Task<bool> UncordonAsync(string node, CancellationToken ct) => SetUnschedulableAsync(node, false, ct);

    /// <summary>Evicts what runs on the node and waits until it is gone.</summary>
    /// <param name="force">Pods that no controller would make again are deleted, too.</param>
    /// <param name="isSilent">The node's kubelet does not report: nobody will confirm that a pod has ended, so that is not waited for.</param>
    /// <param name="limit">For all of it.</param>
    /// <param name="say">Hears of each thing that happens.</param>
    /// <exception cref="DrainException">Not emptied within the limit, or not without <paramref name="force"/>.</exception>
    public async Task EmptyAsync(string node, bool force, bool isSilent, TimeSpan limit, Func<string, Task> say, CancellationToken ct)
    {
        var end = time.GetUtcNow() + limit;
        var pods = (await PodsAsync(node, ct)).Where(p => FateOf(p) != PodFate.Stay).ToList();
        var orphans = pods.Where(p => FateOf(p) == PodFate.Orphan).Select(NameOf).ToList();
        if (orphans.Count > 0 && !force)
            throw new DrainException($"no controller would make {Some(orphans)} again elsewhere; with --force {(orphans.Count == 1 ? "it is" : "they are")} deleted");
        await say(pods.Count == 0 ? "nothing runs on it that has to go" : $"{pods.Count} {(pods.Count == 1 ? "pod" : "pods")} to evict");
        var version = pods.Count == 0 ? "" : await EvictionVersionAsync(ct);
        var evicted = new HashSet<string>(StringComparer.Ordinal);
        var held = new Dictionary<string, string>(StringComparer.Ordinal);
        while (pods.Count > 0)
        {
            TimeSpan? asked = null;
            foreach (var pod in pods.Where(p => !evicted.Contains(p.Metadata.Uid)))
            {
                if (pod.Metadata.DeletionTimestamp is not null)
                {
                    evicted.Add(pod.Metadata.Uid);
                    continue;
                }
                var (done, why, after) = FateOf(pod) == PodFate.Orphan ? (await DeleteAsync(pod, isSilent, ct), "", null) : await EvictAsync(pod, version, ct);
                if (done)
                {
                    evicted.Add(pod.Metadata.Uid);
                    held.Remove(pod.Metadata.Uid);
                    await say($"{NameOf(pod)} {(FateOf(pod) == PodFate.Orphan ? "deleted" : "evicted")}");
                }
                else
                {
                    if (held.TryAdd(pod.Metadata.Uid, why))
                        await say($"{NameOf(pod)} waits: {why}");
                    asked = after > (asked ?? default) ? after : asked;
                }
            }
            pods = [.. (await PodsAsync(node, ct)).Where(p => FateOf(p) != PodFate.Stay && !(isSilent && evicted.Contains(p.Metadata.Uid)))];
            if (pods.Count == 0)
                break;
            if (time.GetUtcNow() >= end)
            {
                var reasons = held.Values.Distinct().ToList();
                throw new DrainException($"{Some([.. pods.Select(NameOf)])} {(pods.Count == 1 ? "is" : "are")} still on it after {Values.Format(limit)}"
                    + (reasons.Count > 0 ? $": {reasons[0]}" : ": evicted, and not ended yet") + "; try again with a longer --timeout");
            }
            var pause = held.Count == 0 ? Pause : asked is { } wanted && wanted < BudgetPause ? wanted > Pause ? wanted : Pause : BudgetPause;
            await Task.Delay(pause < end - time.GetUtcNow() ? pause : Max(end - time.GetUtcNow(), TimeSpan.FromMilliseconds(50)), time, ct);
        }
    }

    /// <summary>Deletes the Node object; charging ends with it. False when there was none.</summary>
    public async Task<bool> DeleteNodeAsync(string node, CancellationToken ct)
    {
        try
        {
            await client.CoreV1.DeleteNodeAsync(node, cancellationToken: ct);
            return true;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    /// <summary>The node, or null.</summary>
    public async Task<V1Node?> FindAsync(string node, CancellationToken ct)
    {
        try
        {
            return await client.CoreV1.ReadNodeAsync(node, cancellationToken: ct);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>What the API server said, for people.</summary>
    public static string Say(HttpOperationException e)
    {
        string? message = null;
        try
        {
            message = KubernetesJson.Deserialize<V1Status>(e.Response.Content)?.Message;
        }
        catch (Exception unread) when (unread is System.Text.Json.JsonException or ArgumentException or InvalidOperationException)
        {
            // Not a Status: a proxy's page, or nothing.
        }
        return $"the API server answered {(int)e.Response.StatusCode}{(message is { Length: > 0 } ? $": {Texts.OneLine(message, 300)}" : "")}";
    }

    private async Task<bool> SetUnschedulableAsync(string node, bool unschedulable, CancellationToken ct)
    {
        try
        {
            await client.CoreV1.PatchNodeAsync(new V1Patch($$"""{"spec":{"unschedulable":{{(unschedulable ? "true" : "null")}} } }""", V1Patch.PatchType.MergePatch), node, cancellationToken: ct);
            return true;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    private async Task<List<V1Pod>> PodsAsync(string node, CancellationToken ct)
    {
        var found = new List<V1Pod>();
        string? next = null;
        do
        {
            var page = await client.CoreV1.ListPodForAllNamespacesAsync(fieldSelector: $"spec.nodeName={node}", limit: 200, continueParameter: next, cancellationToken: ct);
            found.AddRange(page.Items);
            next = page.Metadata.ContinueProperty;
        }
        while (!string.IsNullOrEmpty(next));
        return found;
    }

    // policy/v1 since Kubernetes 1.22, v1beta1 before: the server says which it takes.
    private async Task<string> EvictionVersionAsync(CancellationToken ct)
    {
        var offered = await client.CoreV1.GetAPIResourcesAsync(ct);
        var eviction = offered.Resources.FirstOrDefault(r => r is { Name: "pods/eviction", Kind: "Eviction" })
            ?? throw new DrainException("the API server has no eviction of pods");
        return $"{eviction.Group ?? "policy"}/{eviction.Version ?? "v1"}";
    }

    private async Task<(bool Done, string Why, TimeSpan? After)> EvictAsync(V1Pod pod, string version, CancellationToken ct)
    {
        var eviction = new V1Eviction
        {
            ApiVersion = version,
            Kind = "Eviction",
            Metadata = new V1ObjectMeta { Name = pod.Metadata.Name, NamespaceProperty = pod.Metadata.NamespaceProperty },
            // Not another pod that has taken its name meanwhile.
            DeleteOptions = new V1DeleteOptions { Preconditions = new V1Preconditions { Uid = pod.Metadata.Uid } },
        };
        try
        {
            await client.CoreV1.CreateNamespacedPodEvictionAsync(eviction, pod.Metadata.Name, pod.Metadata.NamespaceProperty, cancellationToken: ct);
            return (true, "", null);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return (true, "", null);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.InternalServerError or HttpStatusCode.Conflict)
        {
            // 429: a PodDisruptionBudget does not allow it now. 500: several budgets select the pod. 409: it is another pod by now.
            TimeSpan? after = e.Response.Headers is { } headers && headers.TryGetValue("Retry-After", out var values)
                && int.TryParse(values.FirstOrDefault(), out var seconds) ? TimeSpan.FromSeconds(seconds) : null;
            return (false, Say(e), after);
        }
    }

    private async Task<bool> DeleteAsync(V1Pod pod, bool isSilent, CancellationToken ct)
    {
        try
        {
            // A kubelet that is gone confirms nothing: only with a grace period of zero does the object go (Pod termination, forced).
            await client.CoreV1.DeleteNamespacedPodAsync(pod.Metadata.Name, pod.Metadata.NamespaceProperty,
                new V1DeleteOptions { GracePeriodSeconds = isSilent ? 0 : null, Preconditions = new V1Preconditions { Uid = pod.Metadata.Uid } }, cancellationToken: ct);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Conflict)
        {
            // It is gone already.
        }
        return true;
    }

    private static string NameOf(V1Pod pod) => $"{pod.Metadata.NamespaceProperty}/{pod.Metadata.Name}";

    private static string Some(List<string> names) => names.Count <= 3 ? string.Join(", ", names) : $"{string.Join(", ", names.Take(3))} and {names.Count - 3} more pods";

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;
}
