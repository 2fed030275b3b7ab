namespace Provisioner.Storage;

/// <summary>The reader's end of the store: the latest snapshot, and a way to hear of the next.</summary>
public sealed class CurrentState
{
    private Snapshot snapshot = Snapshot.Empty;

    /// <summary>Never waits.</summary>
    public Snapshot Snapshot => Volatile.Read(ref snapshot);

    /// <summary>Raised on the writer's thread after each swap; handlers return at once and do their work elsewhere.</summary>
    public event Action<Snapshot>? Changed;

    /// <summary>For the one writer.</summary>
    internal void Publish(Snapshot next)
    {
        Volatile.Write(ref snapshot, next);
        Changed?.Invoke(next);
    }
}
