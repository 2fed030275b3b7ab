using Provisioner.Appliance.Bus;

namespace Provisioner.Appliance.Machine;

/// <summary>This machine's name, from and to systemd-hostnamed. Hosts may call the appliance by it, so its certificate follows.</summary>
internal sealed class MachineName : IMachineFeature, IDisposable
{
    private readonly IBusConnection bus;
    private readonly MachineOptions options;
    private readonly ILogger<MachineName> logger;
    private readonly BusObject hostname;
    private readonly Refresh setting;
    private volatile string? settingProblem;
    private string? last;

    public MachineName(IBusConnection bus, MachineOptions options, TimeProvider time, ILogger<MachineName> logger)
    {
        (this.bus, this.options, this.logger) = (bus, options, logger);
        hostname = new BusObject(bus, time, "org.freedesktop.hostname1", "/org/freedesktop/hostname1", "org.freedesktop.hostname1", startsWhenAsked: true);
        setting = new Refresh(SetAsync);
        hostname.Changed += OnChanged;
    }

    /// <summary>The name is another.</summary>
    public event Action? Changed;

    public MachineFeature Standing => hostname.Problem is { } problem
        ? new("name", false, $"{Environment.MachineName}; {problem}")
        : new("name", settingProblem is null, string.Join(", ", new[]
        {
            hostname.Get<string>("Hostname"), hostname.Get<string>("OperatingSystemPrettyName"), hostname.Get<string>("Chassis"), settingProblem,
        }.Where(part => !string.IsNullOrEmpty(part))));

    public void Start() => hostname.Start();

    public void Dispose()
    {
        setting.Dispose();
        hostname.Dispose();
    }

    private void OnChanged()
    {
        setting.Ask();
        var name = hostname.Get<string>("Hostname");
        if (Interlocked.Exchange(ref last, name) is { } before && name is not null && name != before)
            Changed?.Invoke();
    }

    private async Task SetAsync(CancellationToken cancellation)
    {
        if (options.HostName is not { } name || hostname.Problem is not null || hostname.Get<string>("StaticHostname") == name)
            return;
        try
        {
            await bus.CallMethodAsync(new MethodCall(hostname.Service, hostname.Path, hostname.Interface, "SetStaticHostname")
            {
                Signature = "sb", Arguments = [name, false], AutoStart = true,
            }, cancellation);
            settingProblem = null;
            MachineLog.Set(logger, "host name", name);
            hostname.Ask();
        }
        catch (BusException refused)
        {
            if (settingProblem is null)
                MachineLog.NotSet(logger, "host name", refused.Message);
            settingProblem = refused.Message;
        }
    }
}
