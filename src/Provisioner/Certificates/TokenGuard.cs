using System.Collections.Concurrent;
using System.Net;

namespace Provisioner.Certificates;

/// <summary>What to do with one more wrong token.</summary>
/// <param name="Record">It is worth an event: not one of thousands.</param>
/// <param name="RetryAfter">Not null when there were too many: how long to wait.</param>
internal readonly record struct TokenVerdict(bool Record, TimeSpan? RetryAfter);

/// <summary>
/// Limits wrong tokens for each address and for each Installation. A right token always passes, whatever others tried before it: the
/// comparison costs a microsecond and 256 bits cannot be guessed, so that the limit protects the log and the processor, not the secret;
/// a limit that also held up right tokens would let anybody keep a host out.
/// </summary>
internal sealed class TokenGuard(TimeProvider time)
{
    /// <summary>Wrong tokens in a row from one address before it has to wait.</summary>
    public const int AddressBurst = 10;

    /// <summary>Wrong tokens in a row for one Installation.</summary>
    public const int InstallationBurst = 30;

    /// <summary>Anybody can make up Installations, and a network has only so many addresses.</summary>
    private const int Capacity = 8192;

    /// <summary>One more is allowed after so long.</summary>
    private static readonly TimeSpan Refill = TimeSpan.FromSeconds(6);

    private readonly ConcurrentDictionary<IPAddress, Bucket> addresses = [];
    private readonly ConcurrentDictionary<string, Bucket> installations = new(StringComparer.Ordinal);

    /// <summary>Counts one wrong token.</summary>
    public TokenVerdict Wrong(IPAddress address, string? installation)
    {
        var wait = Take(addresses, address, AddressBurst);
        // A made-up Installation is counted for its address alone.
        if (installation is not null && Take(installations, installation, InstallationBurst) is { } other && (wait is null || other > wait))
            wait = other;
        return new(wait is null, wait);
    }

    private TimeSpan? Take<TKey>(ConcurrentDictionary<TKey, Bucket> buckets, TKey key, int burst) where TKey : notnull
    {
        if (buckets.Count >= Capacity)
            Forget(buckets);
        return buckets.GetOrAdd(key, static (_, made) => new Bucket(made.burst, made.now), (burst, now: time.GetTimestamp())).Take(time, burst);
    }

    // Those that have been quiet long enough to be full again; under a flood from everywhere, all.
    private void Forget<TKey>(ConcurrentDictionary<TKey, Bucket> buckets) where TKey : notnull
    {
        foreach (var (key, bucket) in buckets)
        {
            if (time.GetElapsedTime(bucket.LastTaken) > Refill * InstallationBurst)
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

        public TimeSpan? Take(TimeProvider time, int burst)
        {
            lock (gate)
            {
                tokens = Math.Min(burst, tokens + time.GetElapsedTime(LastTaken) / Refill);
                LastTaken = time.GetTimestamp();
                if (tokens < 1)
                    return Refill * (1 - tokens);
                tokens--;
                return null;
            }
        }
    }
}
