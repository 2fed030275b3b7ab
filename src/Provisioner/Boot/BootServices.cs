using System.Collections.Immutable;
using Provisioner.Boot.Http;

namespace Provisioner.Boot;

public static class BootServices
{
    /// <summary>The decision, the scripts, the catalogue of names, and the HTTP boot plane.</summary>
    /// <param name="services">Needs CurrentState, AddressBook, BootJournal, ImageStore, TemplateEngine and TimeProvider from elsewhere.</param>
    /// <param name="http">Where the HTTP boot plane listens.</param>
    /// <param name="loaderDirectories">Looked through in order, before the distribution's own.</param>
    public static IServiceCollection AddBoot(this IServiceCollection services, BootHttpOptions http, ImmutableArray<string> loaderDirectories) =>
        services
            .AddSingleton(http)
            .AddSingleton(_ => LoaderCatalogue.Read([.. loaderDirectories, .. LoaderCatalogue.DistributionDirectories]))
            .AddSingleton<BootDecider>()
            .AddSingleton<BootScripts>()
            .AddSingleton<IBootCatalogue, BootCatalogue>()
            .AddSingleton<BootHttpHandler>()
            .AddSingleton<BootHttpService>()
            .AddHostedService(provider => provider.GetRequiredService<BootHttpService>());
}
