using System.Collections.Concurrent;
using Provisioner.Clusters;
using Provisioner.Storage;

namespace Provisioner.Joining;

/// <summary>
/// The activations that hosts were given: one for a host, made when it asks, and the same until it is over, so that an answer that was lost costs
/// nothing. Their codes are here, in memory, and nowhere else: after a restart a host that asks again gets another.
/// </summary>
internal sealed class HostActivations(CurrentState state, TimeProvider time, IActivations source)
{
    /// <summary>One that ends sooner is not given out: nodeadm has to get to use it.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, Held> held = new(StringComparer.Ordinal);

    /// <summary>The host's activation, made now if it has none.</summary>
    /// <exception cref="ClusterAccessException">AWS does not give one now; says why and what to do.</exception>
    public async Task<Activation> GiveAsync(Host host, Cluster cluster, CancellationToken cancellation)
    {
        // Another cluster, or another build of the host, takes another.
        var purpose = $"{cluster.Name}/{state.Snapshot.Installations.GetValueOrDefault(host.Name)?.Id}";
        while (true)
        {
            var present = held.GetOrAdd(host.Name, _ => new Held(purpose, new Lazy<Task<Activation>>(() => MakeAsync(source, host, cluster))));
            try
            {
                var activation = present.Made = await present.Making.Value.WaitAsync(cancellation);
                if (present.Purpose == purpose && activation.ExpiresAt - time.GetUtcNow() > Least)
                    return activation;
            }
            catch (Exception e) when (e is not OperationCanceledException || !cancellation.IsCancellationRequested)
            {
                held.TryRemove(KeyValuePair.Create(host.Name, present));
                throw e as ClusterAccessException ?? new ClusterAccessException(e is OperationCanceledException ? $"AWS did not give an activation within {LongestWait.TotalSeconds:0} s" : $"AWS gave no activation: {e.Message}", e);
            }
            held.TryRemove(KeyValuePair.Create(host.Name, present));
        }
    }

    /// <summary>The host has used it, or will not any more.</summary>
    public void Forget(string host) => held.TryRemove(host, out _);

    /// <summary>The text without the code that the host holds.</summary>
    public string Redact(string host, string text) =>
        held.TryGetValue(host, out var present) && present.Made is { } made ? text.Replace(made.Code, "REDACTED", StringComparison.Ordinal) : text;

    // Not ended by the one request that began it: others may wait for the same.
    private async Task<Activation> MakeAsync(IActivations from, Host host, Cluster cluster)
    {
        using var limit = new CancellationTokenSource(LongestWait, time);
        return await from.CreateAsync(host, cluster, limit.Token);
    }

    private sealed class Held(string purpose, Lazy<Task<Activation>> making)
    {
        public string Purpose => purpose;

        public Lazy<Task<Activation>> Making => making;

        /// <summary>Set once it is made.</summary>
        public Activation? Made { get; set; }
    }
}
