using Microsoft.Extensions.DependencyInjection.Extensions;
using Provisioner.Audit;
using Provisioner.Events;

namespace Provisioner.Storage;

public static class StorageServices
{
    /// <summary>
    /// Adds <see cref="IStore"/>, <see cref="CurrentState"/> (filled), <see cref="StateWriter"/>, <see cref="BootJournal"/>,
    /// <see cref="EventLog"/> and the service that drains the journal. The database opens when first asked for: a
    /// <see cref="StoreException"/> from there is one line that says what to do. Add it before the services that use it, so that it stops last.
    /// </summary>
    /// <param name="dataDirectory">Made if missing, with access for the service's user alone.</param>
    public static IServiceCollection AddStorage(this IServiceCollection services, string dataDirectory, StoreLimits? limits = null)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(limits ?? new StoreLimits());
        services.AddSingleton<IStore>(provider => LiteDbStore.Open(dataDirectory, provider.GetRequiredService<StoreLimits>()));
        services.AddSingleton(provider =>
        {
            var state = new CurrentState();
            state.Publish(provider.GetRequiredService<IStore>().LoadSnapshot());
            var loaded = state.Snapshot;
            Log.Opened(provider.GetRequiredService<ILogger<StateWriter>>(), dataDirectory, loaded.Hosts.Count, loaded.Profiles.Count, loaded.Images.Count, loaded.Networks.Count);
            return state;
        });
        services.TryAddSingleton<BootJournal>();
        services.AddSingleton<EventLog>();
        services.AddSingleton<StateWriter>();
        services.AddHostedService<JournalWriter>();
        services.AddSingleton(new AuditLog(dataDirectory));
        services.AddHostedService<AuditWatch>();
        return services;
    }
}
