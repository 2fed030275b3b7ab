using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Storage;

namespace Provisioner.Boot.Dhcp;

public static class DhcpServices
{
    /// <summary>DHCP, proxyDHCP and PXE for the Networks that have it on; silent until one has.</summary>
    /// <param name="services">
    /// Needs CurrentState, BootJournal, IStore, AddressBook, BootDecider, LinkChanges and TimeProvider from elsewhere. Add it after the storage, so that
    /// its last leases still find the store open.
    /// </param>
    /// <param name="settings">Ports.</param>
    public static IServiceCollection AddDhcp(this IServiceCollection services, DhcpSettings settings) =>
        services
            .AddSingleton<LeaseKeeper>()
            .AddSingleton(provider => new LeaseTable(provider.GetRequiredService<LeaseKeeper>().Keep))
            .AddSingleton(provider => new DhcpService(
                settings,
                provider.GetRequiredService<CurrentState>(),
                provider.GetRequiredService<LeaseTable>(),
                provider.GetRequiredService<LeaseKeeper>(),
                provider.GetRequiredService<AddressBook>(),
                provider.GetRequiredService<BootJournal>(),
                provider.GetRequiredService<BootDecider>().Decide,
                provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<DhcpService>>(),
                provider.GetRequiredService<LinkChanges>(),
                provider.GetService<IStore>()))
            .AddHostedService(provider => provider.GetRequiredService<DhcpService>())
            .AddSingleton<OtherServers>()
            .AddHostedService(provider => provider.GetRequiredService<OtherServers>());
}
