using System.Collections.Concurrent;

namespace Provisioner.Auth;

/// <summary>
/// So many tries in a row for each key, and one more after each <paramref name="refill"/>. Bounded in memory, because anybody can make up keys.
/// </summary>
internal sealed class Throttle<TKey>(TimeProvider time, int burst, TimeSpan refill) where TKey : notnull
{
    private const int Capacity = 8192;

    private readonly ConcurrentDictionary<TKey, Bucket> buckets = [];

    /// <summary>Takes one try; not null when there is none: how long to wait.</summary>
    public TimeSpan? Take(TKey key)
    {
        if (buckets.Count >= Capacity)
            Forget();
        return buckets.GetOrAdd(key, static (_, made) => new Bucket(made.burst, made.now), (burst, now: time.GetTimestamp())).Take(time, burst, refill);
    }

    /// <summary>Gives one back: the try was a right one.</summary>
    public void Return(TKey key)
    {
        if (buckets.TryGetValue(key, out var bucket))
            bucket.Return(burst);
    }

    // Those that have been quiet long enough to be full again; under a flood from everywhere, all.
    private void Forget()
    {
        foreach (var (key, bucket) in buckets)
        {
            if (time.GetElapsedTime(bucket.LastTaken) > refill * burst)
                buckets.TryRemove(key, out _);
        }
        if (buckets.Count >= Capacity)
            buckets.Clear();
    }

    private sealed class Bucket(double tokens, long now)
    {
        private readonly Lock gate = new();
        private double tokens = tokens;

        public long LastTaken { get; private set; } = now;

        public TimeSpan? Take(TimeProvider time, int burst, TimeSpan refill)
        {
            lock (gate)
            {
                tokens = Math.Min(burst, tokens + time.GetElapsedTime(LastTaken) / refill);
                LastTaken = time.GetTimestamp();
                if (tokens < 1)
                    return refill * (1 - tokens);
                tokens--;
                return null;
            }
        }

        public void Return(int burst)
        {
            lock (gate)
                tokens = Math.Min(burst, tokens + 1);
        }
    }
}
