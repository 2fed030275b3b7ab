namespace Provisioner.Storage;

public static class StorageServices
{
    /// <summary>
    /// Adds <see cref="IStore"/>, <see cref="CurrentState"/> (filled), <see cref="StateWriter"/>, <see cref="Events.BootJournal"/>,
    /// <see cref="Events.EventLog"/> and the service that drains the journal. The database opens when first asked for: a
    /// <see cref="StoreException"/> from there is one line that says what to do. Add it before the services that use it, so that it stops last.
    /// </summary>
    /// <param name="dataDirectory">Made if missing, with access for the service's user alone.</param>
    public static IServiceCollection AddStorage(this IServiceCollection services, string dataDirectory) => throw new NotSupportedException("Not there yet");
}
