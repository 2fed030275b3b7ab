using Microsoft.Extensions.DependencyInjection.Extensions;
using Provisioner.Certificates;
using Provisioner.Clusters;
using Provisioner.Networks;
using Provisioner.Storage;

namespace Provisioner.Kubernetes;

internal static class KubernetesServices
{
    /// <summary>Adds what follows clusters and changes nodes in them. Where <see cref="IClusterAccess"/> is not registered, none is followed.</summary>
    public static IServiceCollection AddKubernetes(this IServiceCollection services)
    {
        services.TryAddSingleton(new TrackingOptions());
        services
            .AddSingleton(provider => new NodeTracking(
                provider.GetRequiredService<CurrentState>(), provider.GetRequiredService<StateWriter>(), provider.GetRequiredService<AddressBook>(),
                provider.GetRequiredService<TrackingOptions>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<NodeTracking>>(),
                provider.GetService<IClusterAccess>()))
            .AddHostedService(provider => provider.GetRequiredService<NodeTracking>())
            .AddSingleton(provider => new RolloutService(
                provider.GetRequiredService<CurrentState>(), provider.GetRequiredService<StateWriter>(), provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<RolloutService>>(), provider.GetService<IClusterAccess>()))
            .AddHostedService(provider => provider.GetRequiredService<RolloutService>())
            .AddSingleton(provider => new Retirement(
                provider.GetRequiredService<CurrentState>(), provider.GetRequiredService<StateWriter>(), provider.GetRequiredService<RevocationLists>(),
                provider.GetRequiredService<LeaseTable>(), provider.GetRequiredService<TimeProvider>(), provider.GetService<IClusterAccess>(), provider.GetService<INodeDeregistration>()));
        return services;
    }
}
