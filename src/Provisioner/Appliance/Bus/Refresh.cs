namespace Provisioner.Appliance.Bus;

/// <summary>
/// Looks at something each time it is told that it may have changed, one look at a time: what comes during a look is one more look after it, so
/// that a flood of signals is two looks.
/// </summary>
internal sealed class Refresh(Func<CancellationToken, Task> look) : IDisposable
{
    private readonly Lock gate = new();
    private readonly CancellationTokenSource stop = new();
    private bool running;
    private bool again;

    /// <summary>Returns at once.</summary>
    public void Ask()
    {
        lock (gate)
        {
            again = true;
            if (running || stop.IsCancellationRequested)
                return;
            running = true;
        }
        _ = Task.Run(RunAsync);
    }

    public void Dispose()
    {
        lock (gate)
            stop.Cancel();
    }

    private async Task RunAsync()
    {
        while (true)
        {
            lock (gate)
            {
                if (!again || stop.IsCancellationRequested)
                {
                    running = false;
                    return;
                }
                again = false;
            }
            try
            {
                await look(stop.Token);
            }
            catch (OperationCanceledException)
            {
                // Stopping.
            }
        }
    }
}
