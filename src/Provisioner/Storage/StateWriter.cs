namespace Provisioner.Storage;

/// <summary>
/// The one writer lane: changes and the boot journal are written one after another, each change in one transaction, then the
/// snapshot is swapped, then the caller hears of it.
/// </summary>
public sealed class StateWriter
{
    /// <summary>
    /// Runs <paramref name="change"/> against the latest snapshot on the writer's lane, stores all it put, removed and recorded
    /// in one transaction and swaps the snapshot.
    /// </summary>
    /// <param name="change">Pure but for the editor; must not wait.</param>
    /// <param name="ct">Ends the wait. A change that has begun is carried through.</param>
    /// <exception cref="Resources.ChangeRefusedException">Thrown by the change: nothing was written.</exception>
    /// <exception cref="StoreException">The disk is full or broken: nothing was written, the snapshot is as it was.</exception>
    public Task<T> ChangeAsync<T>(Func<StateEditor, T> change, CancellationToken ct = default) => throw new NotSupportedException("Not there yet");
}
