using Provisioner.Hosts;
using Provisioner.Networks;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Events;

/// <summary>Takes what the packet path recorded and stores it in batches, on the writer's lane.</summary>
internal sealed class JournalWriter(BootJournal journal, StateWriter writer, StoreLimits limits, TimeProvider time, ILogger<JournalWriter> logger) : BackgroundService
{
    public const int BatchSize = 500;

    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(2);

    /// <summary>Makes up what a full store may still lose at the stop.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(5);

    private long droppedBefore;

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        // The listeners have stopped: what they recorded last is stored before the lane closes.
        var batch = new List<object>(BatchSize);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StopLimit);
        try
        {
            while (Fill(batch) > 0)
            {
                await StoreAsync(batch, limit.Token);
                batch.Clear();
            }
        }
        catch (Exception e) when (e is StoreException or OperationCanceledException)
        {
            Log.LostAtStop(logger, batch.Count + journal.Reader.Count, e.Message);
        }
        await writer.DisposeAsync();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var batch = new List<object>(BatchSize);
        try
        {
            while (await journal.Reader.WaitToReadAsync(stoppingToken))
            {
                Fill(batch);
                if (batch.Count < BatchSize)
                {
                    await Task.Delay(Linger, time, stoppingToken);
                    Fill(batch);
                }
                await StoreUntilDoneAsync(batch, stoppingToken);
                batch.Clear();
                TellDropped();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // A batch in hand goes with the rest, in StopAsync.
            if (batch.Count > 0)
                await LastTryAsync(batch);
        }
    }

    private async Task LastTryAsync(List<object> batch)
    {
        try
        {
            await StoreAsync(batch, CancellationToken.None);
        }
        catch (StoreException e)
        {
            Log.LostAtStop(logger, batch.Count, e.Message);
        }
    }

    // The queue behind is bounded and counts what it drops: waiting here for a full disk costs no memory.
    private async Task StoreUntilDoneAsync(List<object> batch, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                await StoreAsync(batch, CancellationToken.None);
                return;
            }
            catch (StoreException)
            {
                await Task.Delay(RetryPause, time, ct);
            }
        }
    }

    private Task<int> StoreAsync(List<object> batch, CancellationToken ct) => writer.NoteAsync(editor => Apply(editor, batch, limits.Discovered), ct);

    private int Fill(List<object> batch)
    {
        while (batch.Count < BatchSize && journal.Reader.TryRead(out var entry))
            batch.Add(entry);
        return batch.Count;
    }

    private void TellDropped()
    {
        var dropped = journal.Dropped;
        if (dropped == droppedBefore)
            return;
        Log.Dropped(logger, dropped - droppedBefore);
        droppedBefore = dropped;
    }

    /// <summary>Events as they are, sightings merged into what is known of the machine, the last of each lease.</summary>
    internal static int Apply(StateEditor editor, IReadOnlyList<object> batch, int maximumDiscovered)
    {
        foreach (var entry in batch)
        {
            switch (entry)
            {
                case Event happened:
                    editor.Record(happened with { What = Texts.OneLine(happened.What, 1_000), Reason = Texts.OneLine(happened.Reason, 1_000) });
                    break;
                case Sighting sighting:
                    // Registered in the meantime, it is no longer unknown.
                    if (editor.Snapshot.FindHost(sighting.MacAddress) is null)
                        editor.Put(Clean(sighting).Merge(editor.Snapshot.Discovered.GetValueOrDefault(sighting.MacAddress), OuiRegistry.Find(sighting.MacAddress)));
                    break;
                case Lease lease:
                    editor.Put(lease);
                    break;
            }
        }
        ForgetOldest(editor, maximumDiscovered);
        return batch.Count;
    }

    private static void ForgetOldest(StateEditor editor, int maximum)
    {
        var tooMany = editor.Snapshot.Discovered.Count - maximum;
        if (tooMany <= 0)
            return;
        // A few more than needed, so that a flood of made-up addresses is not sorted again with every batch.
        foreach (var oldest in editor.Snapshot.Discovered.Values.OrderBy(d => d.LastSeen).Take(tooMany + maximum / 20).ToList())
            editor.RemoveDiscovered(oldest.MacAddress);
    }

    // What a machine says of itself is anybody's text.
    private static Sighting Clean(Sighting sighting) => sighting with
    {
        Architecture = Texts.OneLine(sighting.Architecture, 64),
        Uuid = Texts.OneLine(sighting.Uuid, 64),
        VendorClass = Texts.OneLine(sighting.VendorClass, 255),
        Serial = Texts.OneLine(sighting.Serial, 128),
        Product = Texts.OneLine(sighting.Product, 128),
        Manufacturer = Texts.OneLine(sighting.Manufacturer, 128),
    };
}

internal static partial class Log
{
    [LoggerMessage(5001, LogLevel.Warning, "{Count} entries of the boot journal were dropped: the store does not keep up")]
    public static partial void Dropped(ILogger logger, long count);

    [LoggerMessage(5002, LogLevel.Warning, "{Count} entries of the boot journal were lost at the stop: {Reason}")]
    public static partial void LostAtStop(ILogger logger, int count, string reason);
}
