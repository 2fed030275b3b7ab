namespace Provisioner.Doctor;

internal static class DoctorServices
{
    /// <summary>Adds the examination of the appliance, and what warns by itself. Add it last: it looks at everything else.</summary>
    public static IServiceCollection AddDoctor(this IServiceCollection services) => services
        .AddSingleton<Examination>()
        .AddHostedService<DiskWatch>();
}
