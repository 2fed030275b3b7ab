using Provisioner.Installing;
using Provisioner.Storage;

namespace Provisioner.Seeds;

internal static class SeedServices
{
    /// <summary>Adds each Installation's seed. Add it after storage and before the boot plane.</summary>
    public static IServiceCollection AddSeeds(this IServiceCollection services, string dataDirectory) => services
        .AddSingleton(_ => SeedKey.Open(dataDirectory))
        .AddSingleton<PlanePorts>()
        .AddSingleton<SeedContexts>()
        .AddSingleton(provider => new SeedFiles(provider.GetRequiredService<CurrentState>(), provider.GetRequiredService<SeedContexts>(), provider.GetRequiredService<AnswerFiles>(), dataDirectory))
        .AddSingleton<SeedEndpoint>();
}
