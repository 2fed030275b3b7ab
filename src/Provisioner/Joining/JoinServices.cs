using Microsoft.Extensions.DependencyInjection.Extensions;
using Provisioner.Storage;

namespace Provisioner.Joining;

internal static class JoinServices
{
    /// <summary>Adds what hosts ask and report while they join. Add it after storage; activations need IActivations from elsewhere.</summary>
    public static IServiceCollection AddJoining(this IServiceCollection services)
    {
        services.TryAddSingleton(new JoinOptions());
        return services
            .AddSingleton<JoinAnswers>()
            // Without a way to AWS there are no activations; all else works.
            .AddSingleton(provider => new HostActivations(provider.GetRequiredService<CurrentState>(), provider.GetRequiredService<TimeProvider>(), provider.GetService<IActivations>()))
            .AddSingleton<JoinEndpoints>()
            .AddHostedService<JoinWatch>();
    }
}
