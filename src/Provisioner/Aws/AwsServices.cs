using Microsoft.Extensions.DependencyInjection.Extensions;
using Provisioner.Aws.Clients;
using Provisioner.Aws.Credentials;
using Provisioner.Aws.Setup;
using Provisioner.Clusters;
using Provisioner.Joining;
using Provisioner.Kubernetes;

namespace Provisioner.Aws;

internal static class AwsServices
{
    /// <summary>AWS: the appliance's credentials, what carries revocations there, and what clusters and joining hosts need of it. Add it after certificates.</summary>
    public static IServiceCollection AddAws(this IServiceCollection services, AwsOptions options)
    {
        services
            .AddSingleton(options)
            .AddSingleton<AwsEndpoints>()
            .AddSingleton<AwsConnection>()
            .AddSingleton<SessionClient>();
        // Tests put their own in before.
        services.TryAddSingleton<IAwsCredentials>(provider => options.Credentials switch
        {
            AwsCredentialsKind.RolesAnywhere => ActivatorUtilities.CreateInstance<RolesAnywhereCredentials>(provider),
            AwsCredentialsKind.Default => new DefaultCredentials(),
            _ => new NoCredentials(),
        });
        services
            .AddSingleton<AwsApi>()
            .AddSingleton<AwsClients>()
            .AddSingleton<ClusterReader>()
            .AddSingleton<ClusterCheck>()
            .AddSingleton<HostTrial>()
            .AddSingleton<AwsApply>()
            .AddSingleton<SsmActivations>()
            .AddSingleton<RevocationSync>()
            .AddHostedService(provider => provider.GetRequiredService<RevocationSync>())
            .AddHostedService<SubjectWatch>();
        services.TryAddSingleton<IClusterAccess, EksClusterAccess>();
        services.TryAddSingleton<IActivations>(provider => provider.GetRequiredService<SsmActivations>());
        services.TryAddSingleton<INodeDeregistration>(provider => provider.GetRequiredService<SsmActivations>());
        return services;
    }
}
