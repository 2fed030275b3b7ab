using Provisioner.Appliance.Systemd;

namespace Provisioner.Metrics;

/// <summary>Whether the service does its work, as last found out. Anybody may ask, as often as he likes: it is looked at once in a while.</summary>
internal sealed class Readiness(Health health, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim one = new(1, 1);
    private (DateTimeOffset At, bool IsReady)? last;

    public async Task<bool> IsReadyAsync(CancellationToken cancellation)
    {
        await one.WaitAsync(cancellation);
        try
        {
            var now = time.GetUtcNow();
            if (last is { } known && now - known.At < Fresh && now >= known.At)
                return known.IsReady;
            var isReady = (await health.ProblemsAsync(cancellation)).Count == 0;
            last = (now, isReady);
            return isReady;
        }
        finally
        {
            one.Release();
        }
    }

    public void Dispose() => one.Dispose();
}
