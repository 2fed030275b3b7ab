using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Provisioner.Joining;

internal static class JoinServices
{
    /// <summary>Adds what hosts ask and report while they join. Add it after storage; activations need IActivations from elsewhere.</summary>
    public static IServiceCollection AddJoining(this IServiceCollection services)
    {
        services.TryAddSingleton(new JoinOptions());
        return services
            .AddSingleton<JoinAnswers>()
            .AddSingleton<HostActivations>()
            .AddSingleton<JoinEndpoints>()
            .AddHostedService<JoinWatch>();
    }
}
