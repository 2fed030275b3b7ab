using Microsoft.Extensions.DependencyInjection.Extensions;
using Provisioner.Appliance.Bus;
using Provisioner.Certificates;
using Provisioner.Networks;

namespace Provisioner.Appliance.Machine;

internal static class MachineServices
{
    /// <summary>
    /// What the system does for this service. Add it before the certificates, whose clock it is. Needs CurrentState, EventLog, BootJournal,
    /// SecureServer and TimeProvider from elsewhere.
    /// </summary>
    public static IServiceCollection AddMachine(this IServiceCollection services, MachineOptions options, BusOptions bus, bool allowUnsynchronisedClock)
    {
        services.TryAddSingleton<IBusConnection>(provider => new SystemBus(bus, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<SystemBus>>()));
        services.TryAddSingleton<LinkChanges>();
        services.TryAddKeyedSingleton<IClock>(MachineClock.KernelsWord, (_, _) => new KernelClock());
        services.AddSingleton(options).AddSingleton(provider => new MachineClock(
            provider.GetRequiredService<IBusConnection>(), options, provider.GetRequiredKeyedService<IClock>(MachineClock.KernelsWord), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<MachineClock>>()));
        if (!allowUnsynchronisedClock)
            services.TryAddSingleton<IClock>(provider => provider.GetRequiredService<MachineClock>());
        return services
            .AddSingleton<MachineLinks>()
            .AddSingleton<MachineName>()
            .AddSingleton<Announcement>()
            .AddSingleton<MachinePower>()
            .AddSingleton<MachineUnits>()
            .AddSingleton<IMachineFeature>(provider => provider.GetRequiredService<MachineClock>())
            .AddSingleton<IMachineFeature>(provider => provider.GetRequiredService<MachineName>())
            .AddSingleton<IMachineFeature>(provider => provider.GetRequiredService<MachineLinks>())
            .AddSingleton<IMachineFeature>(provider => provider.GetRequiredService<Announcement>())
            .AddSingleton<IMachineFeature>(provider => provider.GetRequiredService<MachinePower>())
            .AddSingleton<IMachineFeature>(provider => provider.GetRequiredService<MachineUnits>());
    }

    /// <summary>Starts them. Add it last, when what they tell of listens.</summary>
    public static IServiceCollection StartMachine(this IServiceCollection services) => services.AddHostedService<MachineService>();

    private sealed class MachineService(IEnumerable<IMachineFeature> features, MachineName name, MachineClock clock, LinkChanges links, Announcement announcement, CertificateWatch certificates) : IHostedService
    {
        private static readonly TimeSpan WithdrawWithin = TimeSpan.FromSeconds(1);

        public Task StartAsync(CancellationToken cancellationToken)
        {
            // What hosts may call the appliance stands in its certificate.
            name.Changed += certificates.LookSoon;
            links.Changed += certificates.LookSoon;
            clock.Changed += certificates.LookSoon;
            foreach (var feature in features)
                feature.Start();
            return Task.CompletedTask;
        }

        public async Task StopAsync(CancellationToken cancellationToken)
        {
            name.Changed -= certificates.LookSoon;
            links.Changed -= certificates.LookSoon;
            clock.Changed -= certificates.LookSoon;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(WithdrawWithin);
            try
            {
                await announcement.WithdrawAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                // Stopping does not wait for it.
            }
        }
    }
}
