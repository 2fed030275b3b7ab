using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting.Systemd;
using Provisioner.Api;
using Provisioner.Appliance.Machine;
using Provisioner.Appliance.Systemd;
using Provisioner.Artifacts;
using Provisioner.Auth;
using Provisioner.Aws;
using Provisioner.Backup;
using Provisioner.Boot;
using Provisioner.Boot.Dhcp;
using Provisioner.Boot.Http;
using Provisioner.Boot.Tftp;
using Provisioner.Certificates;
using Provisioner.Doctor;
using Provisioner.Fleet;
using Provisioner.Images;
using Provisioner.Installing;
using Provisioner.Joining;
using Provisioner.Kubernetes;
using Provisioner.Metrics;
using Provisioner.NetBox;
using Provisioner.Networks;
using Provisioner.Progress;
using Provisioner.Seeds;
using Provisioner.Storage;
using Provisioner.Support;
using Provisioner.Templates;
using Provisioner.Traces;
using Provisioner.Webhooks;

namespace Provisioner.Appliance;

/// <summary>The service put together: what it is made of, in the order it starts in. It stops in the other.</summary>
internal static class ApplianceHost
{
    /// <summary>Long enough for answers under way, short enough for systemctl restart.</summary>
    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(5);

    /// <param name="services">What stands in for the machine's own: clock and time, in tests.</param>
    /// <exception cref="StartRefusedException">It cannot run here; says what to do.</exception>
    public static WebApplication Build(ApplianceOptions options, Action<ILoggingBuilder>? logging = null, Action<IServiceCollection>? services = null)
    {
        DataDirectory.Prepare(options);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        (logging ?? ConsoleLogging.Configure)(builder.Logging);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = StopWithin);
        // AddSystemd looks for a parent called systemd; whoever gives a NOTIFY_SOCKET (sd_notify(3)) wants to hear from us.
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is { Length: > 0 })
        {
            builder.Services.AddSingleton<ISystemdNotifier, SystemdNotifier>().AddSingleton<IHostLifetime, SystemdLifetime>()
                .AddHostedService<Watchdog>();
        }
        services?.Invoke(builder.Services);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services
            .AddSingleton(options)
            .AddSingleton<ApplianceStatus>()
            .AddSingleton<Health>()
            .AddSingleton<AddressBook>()
            .AddStorage(options.DataDirectory, new StoreLimits { Events = options.Events.Retention })
            .AddMachine(options.Machine, options.Bus, options.Ca.AllowUnsynchronisedClock)
            .AddCertificates(options.Ca, options.Secure, options.DataDirectory)
            .AddAccess(options.Access)
            .AddAws(options.Aws)
            .AddSeeds(options.DataDirectory)
            .AddProgress(options.Syslog, options.DataDirectory)
            .AddJoining()
            .AddImages(options.DataDirectory)
            .AddArtifacts(options.Artifacts, options.DataDirectory)
            .AddDhcp(new DhcpSettings { ServerPort = options.Dhcp.Port, ProxyPort = options.Dhcp.ProxyPort, HttpPort = options.Http.Port })
            .AddTftp(new TftpOptions
            {
                Address = options.Tftp.Address,
                Port = options.Tftp.Port,
                MaxBlockSize = options.Tftp.MaxBlockSize,
                MaxWindowSize = options.Tftp.MaxWindowSize,
                MaxSessions = options.Tftp.MaxSessions,
                HttpPort = options.Http.Port,
            })
            .AddBoot(new BootHttpOptions { Address = options.Http.Address.ToIPAddress(), Port = options.Http.Port }, options.Loaders)
            .AddTemplates(options.DataDirectory)
            .AddInstalling()
            .AddKubernetes()
            .AddBackup()
            .AddDoctor()
            .AddSupport()
            .AddSingleton<FleetView>()
            .AddApplianceMetrics()
            .AddTraces(options.Traces)
            .AddNetBox(options.NetBox)
            .AddWebhooks(options.Webhooks, options.DataDirectory)
            .AddHostedService<Retention>()
            .StartMachine();
        builder.AddApi(options.SocketPath);
        var app = builder.Build();
        app.UseApi();
        return app;
    }
}
