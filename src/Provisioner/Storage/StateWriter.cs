using System.Threading.Channels;
using Provisioner.Audit;
using Provisioner.Events;

namespace Provisioner.Storage;

/// <summary>
/// The one writer lane: changes and the boot journal are written one after another, each change in one transaction, then the
/// snapshot is swapped, then the caller hears of it.
/// </summary>
public sealed class StateWriter : IAsyncDisposable, IDisposable
{
    private readonly IStore store;
    private readonly CurrentState state;
    private readonly EventLog events;
    private readonly TimeProvider time;
    private readonly ILogger<StateWriter> logger;
    private readonly Channel<Action> lane = Channel.CreateUnbounded<Action>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Task consumer;

    public StateWriter(IStore store, CurrentState state, EventLog events, TimeProvider time, ILogger<StateWriter> logger)
    {
        this.store = store;
        this.state = state;
        this.events = events;
        this.time = time;
        this.logger = logger;
        consumer = Task.Run(RunAsync);
    }

    /// <summary>
    /// Runs <paramref name="change"/> against the latest snapshot on the writer's lane, stores all it put, removed and recorded
    /// in one transaction and swaps the snapshot.
    /// </summary>
    /// <param name="change">Pure but for the editor; must not wait.</param>
    /// <param name="ct">Ends the wait. A change that has begun is carried through.</param>
    /// <exception cref="Resources.ChangeRefusedException">Thrown by the change: nothing was written.</exception>
    /// <exception cref="StoreException">The disk is full or broken: nothing was written, the snapshot is as it was.</exception>
    public Task<T> ChangeAsync<T>(Func<StateEditor, T> change, CancellationToken ct = default) => EnqueueAsync(change, durable: true, ct);

    /// <summary>As <see cref="ChangeAsync{T}"/>, for what nobody waits for: it does not ask the disk to finish, so that a power failure may undo it.</summary>
    internal Task<T> NoteAsync<T>(Func<StateEditor, T> change, CancellationToken ct) => EnqueueAsync(change, durable: false, ct);

    /// <summary>Runs something while no change is under way: a copy of the store, say. Changes wait meanwhile, readers and the packet path do not.</summary>
    /// <exception cref="StoreException">The service is stopping.</exception>
    internal Task<T> BetweenChangesAsync<T>(Func<T> action, CancellationToken ct)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        void Run()
        {
            try
            {
                ct.ThrowIfCancellationRequested();
                done.SetResult(action());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        }

        if (!lane.Writer.TryWrite(Run))
            done.SetException(new StoreException("the service is stopping"));
        return done.Task;
    }

    private Task<T> EnqueueAsync<T>(Func<StateEditor, T> change, bool durable, CancellationToken ct)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!lane.Writer.TryWrite(() => Carry(change, durable, done, ct)))
            done.SetException(new StoreException("the service is stopping: the change was not stored"));
        return done.Task.WaitAsync(ct);
    }

    /// <summary>Carries out what is queued and takes nothing more.</summary>
    public async ValueTask DisposeAsync()
    {
        lane.Writer.TryComplete();
        await consumer;
    }

    /// <summary>Takes nothing more; what is queued is still carried out.</summary>
    public void Dispose() => lane.Writer.TryComplete();

    private async Task RunAsync()
    {
        await foreach (var work in lane.Reader.ReadAllAsync())
            work();
    }

    private void Carry<T>(Func<StateEditor, T> change, bool durable, TaskCompletionSource<T> done, CancellationToken ct)
    {
        if (ct.IsCancellationRequested)
        {
            done.SetCanceled(ct);
            return;
        }
        try
        {
            if (store.HasMoreThanAcknowledged())
                Publish(store.LoadSnapshot());
            var before = state.Snapshot;
            var editor = new StateEditor(before, time.GetUtcNow());
            var result = change(editor);
            if (editor.Writes.Count > 0 || editor.Events.Count > 0)
            {
                // Leases and events are not part of the snapshot: with nothing else to tell, readers keep the one they have.
                var next = ReferenceEquals(editor.Snapshot, before) ? before : editor.Snapshot with { Revision = before.Revision + 1 };
                var committed = store.Commit(new Commit(next.Revision, editor.Writes, editor.Events, AuditedRecords.Of(before, editor), durable));
                if (!ReferenceEquals(next, before))
                    Publish(next);
                events.Committed(committed);
            }
            done.SetResult(result);
        }
        catch (StoreException e)
        {
            Log.NotStored(logger, e);
            done.SetException(e);
        }
        catch (Exception e)
        {
            done.SetException(e);
        }
    }

    private void Publish(Snapshot next)
    {
        try
        {
            state.Publish(next);
        }
        catch (Exception e)
        {
            // The change is stored and visible; a listener's mistake is not the caller's.
            Log.ListenerFailed(logger, e);
        }
    }
}
