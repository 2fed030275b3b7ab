using Provisioner.Appliance.Bus;
using Provisioner.Certificates;

namespace Provisioner.Appliance.Machine;

/// <summary>
/// Whether the clock is synchronised: the kernel's word, and systemd-timedated's where it is there. Both have to say so; a service that is kept
/// away from the clock (ProtectClock) has timedated's alone. systemd-timesyncd signals each answer of its server, which is when to ask again; and the
/// zone and servers of the configuration are set.
/// </summary>
internal sealed class MachineClock : IClock, IMachineFeature, IDisposable
{
    /// <summary>The key of the clock that says what the kernel says.</summary>
    public const string KernelsWord = "kernel";

    /// <summary>What timedated said is believed unasked for so long.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(10);

    private readonly IBusConnection bus;
    private readonly MachineOptions options;
    private readonly IClock kernel;
    private readonly ILogger<MachineClock> logger;
    private readonly BusObject timedate;
    private readonly BusObject timesync;
    private readonly Refresh settings;
    private (string? Problem, bool Synchronised) last = ("was not asked yet", false);
    private int serversSetFor = -1;
    private volatile string? settingProblem;

    public MachineClock(IBusConnection bus, MachineOptions options, IClock kernel, TimeProvider time, ILogger<MachineClock> logger)
    {
        (this.bus, this.options, this.kernel, this.logger) = (bus, options, kernel, logger);
        timedate = new BusObject(bus, time, "org.freedesktop.timedate1", "/org/freedesktop/timedate1", "org.freedesktop.timedate1", startsWhenAsked: true);
        timesync = new BusObject(bus, time, "org.freedesktop.timesync1", "/org/freedesktop/timesync1", "org.freedesktop.timesync1.Manager");
        settings = new Refresh(SetAsync);
        timedate.Changed += OnTimedate;
        timesync.Changed += OnTimesync;
    }

    public event Action? Changed;

    public ClockStatus Status
    {
        get
        {
            var said = kernel.Status;
            if (timedate.Problem is { } problem)
                return said.IsUnknown ? new(false, $"nobody says whether the clock is synchronised: {problem}; {said.Reason}") : said;
            if (!said.IsSynchronised && !said.IsUnknown)
                return said with { Reason = said.Reason + Hint() };
            var agrees = timedate.Get<bool>("NTPSynchronized");
            // Nothing signals that it changed its mind when another NTP client than timesyncd sets the clock, or loses its server.
            if (!agrees || said.IsUnknown)
                timedate.AskIfOlderThan(Fresh);
            return !agrees ? new(false, $"the clock is not synchronised: systemd-timedated says so{Hint()}")
                : new(true, (said.IsUnknown ? "systemd-timedated says that the clock is synchronised" : said.Reason) + (Server() is { } server ? $", by {server}" : ""));
        }
    }

    public MachineFeature Standing
    {
        get
        {
            var status = Status;
            var says = timedate.Problem is { } problem ? status.Reason.Contains(problem, StringComparison.Ordinal) ? status.Reason : $"{status.Reason}; {problem}"
                : $"{status.Reason}; time zone {timedate.Get<string>("Timezone")}";
            return new("clock", status.IsSynchronised && timedate.Problem is null && settingProblem is null, settingProblem is { } unset ? $"{says}; {unset}" : says);
        }
    }

    public void Start()
    {
        timedate.Start();
        timesync.Start();
    }

    public void Dispose()
    {
        settings.Dispose();
        timedate.Dispose();
        timesync.Dispose();
    }

    private string? Server() => timesync.Problem is null && timesync.Get<string>("ServerName") is { Length: > 0 } server ? server : null;

    private string Hint() =>
        timedate.Problem is not null ? ""
        : !timedate.Get<bool>("NTP") ? "; NTP is off: 'timedatectl set-ntp true' turns it on"
        : Server() is { } server ? $"; systemd-timesyncd asks {server}"
        : "";

    private void OnTimedate()
    {
        settings.Ask();
        var now = (timedate.Problem, timedate.Get<bool>("NTPSynchronized"));
        if (now == last)
            return;
        last = now;
        Changed?.Invoke();
    }

    private void OnTimesync()
    {
        settings.Ask();
        timedate.Ask();
    }

    private async Task SetAsync(CancellationToken cancellation)
    {
        try
        {
            if (options.TimeZone is { } zone && timedate.Problem is null && timedate.Get<string>("Timezone") != zone)
            {
                await bus.CallMethodAsync(new MethodCall(timedate.Service, timedate.Path, timedate.Interface, "SetTimezone")
                {
                    Signature = "sb", Arguments = [zone, false], AutoStart = true,
                }, cancellation);
                MachineLog.Set(logger, "time zone", zone);
                timedate.Ask();
            }
            // Kept by timesyncd until it is started again.
            var generation = timesync.Generation;
            if (!options.TimeServers.IsDefaultOrEmpty && timesync.Problem is null && serversSetFor != generation)
            {
                await bus.CallMethodAsync(new MethodCall(timesync.Service, timesync.Path, timesync.Interface, "SetRuntimeNTPServers")
                {
                    Signature = "as", Arguments = [options.TimeServers.ToArray()],
                }, cancellation);
                serversSetFor = generation;
                MachineLog.Set(logger, "time servers", string.Join(", ", options.TimeServers));
            }
            settingProblem = !options.TimeServers.IsDefaultOrEmpty && timesync.Problem is { } absent ? $"machine.timeServers is not set: {absent}" : null;
        }
        catch (BusException refused)
        {
            if (settingProblem is null)
                MachineLog.NotSet(logger, "clock", refused.Message);
            settingProblem = refused.Message;
        }
    }
}
