using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Provisioner.Auth;

internal static class AccessServices
{
    /// <summary>Adds people, their sessions and tokens. Add it after storage and certificates.</summary>
    public static IServiceCollection AddAccess(this IServiceCollection services, AccessOptions options)
    {
        services.TryAddSingleton(PasswordCost.Default);
        return services
            .AddSingleton(options)
            .AddSingleton<PasswordHasher>()
            .AddSingleton<SignInGuard>()
            .AddSingleton<SignIn>()
            .AddSingleton<Visitors>()
            .AddSingleton<SetupLink>();
    }
}
