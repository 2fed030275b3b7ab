using Microsoft.Extensions.DependencyInjection.Extensions;
using Provisioner.Appliance;
using Provisioner.Certificates.Est;

namespace Provisioner.Certificates;

internal static class CertificateServices
{
    /// <summary>Adds the authority, issuing, revocation and the secure plane. Add it after storage.</summary>
    public static IServiceCollection AddCertificates(this IServiceCollection services, CertificateOptions options, SecureOptions secure, string dataDirectory)
    {
        services.AddSingleton(options).AddSingleton(secure);
        services.TryAddSingleton<IClock>(_ => options.AllowUnsynchronisedClock ? new TrustedClock() : new KernelClock());
        services.TryAddSingleton(_ => new AuthorityKeys(options.Keys, dataDirectory));
        services
            .AddSingleton<CertificateAuthority>()
            .AddSingleton<ServedRevocationLists>()
            .AddSingleton<RevocationLists>()
            .AddSingleton<PublishedCertificates>()
            .AddSingleton<ServerIdentity>()
            .AddSingleton<TokenGuard>()
            .AddSingleton<Issuer>()
            .AddHostedService(provider => provider.GetRequiredService<Issuer>())
            // Before the server, which shows what the watch has made.
            .AddSingleton<CertificateWatch>()
            .AddHostedService(provider => provider.GetRequiredService<CertificateWatch>())
            .AddSingleton<EstEndpoints>()
            .AddSingleton<SelfEndpoints>()
            .AddSingleton(new ApplianceServices(services))
            .AddSingleton<SecureServer>()
            .AddHostedService(provider => provider.GetRequiredService<SecureServer>());
        return services;
    }
}
