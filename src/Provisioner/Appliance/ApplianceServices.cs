namespace Provisioner.Appliance;

/// <summary>
/// What the appliance is made of, for a server that has a container of its own: its endpoints get the very same objects. As instances and not by
/// factory, because a container disposes what its factories made, and these are not that container's.
/// </summary>
internal sealed class ApplianceServices(IServiceCollection registered)
{
    public void Share(IServiceProvider from, IServiceCollection to)
    {
        foreach (var type in registered.Where(d => d.Lifetime == ServiceLifetime.Singleton && !d.IsKeyedService && IsOurs(d.ServiceType)).Select(d => d.ServiceType).Distinct())
            to.AddSingleton(type, from.GetRequiredService(type));
    }

    private static bool IsOurs(Type type) => type == typeof(TimeProvider) || !type.IsGenericTypeDefinition && type.Assembly == typeof(ApplianceServices).Assembly;
}
