using Microsoft.Win32.SafeHandles;
using Provisioner.Appliance.Bus;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Appliance.Machine;

/// <summary>
/// Shutting down, by systemd-logind: held while servers are being installed, with their names, since an installer whose appliance goes away in the
/// middle has to be started again; and asked for by the operator.
/// </summary>
internal sealed class MachinePower : IMachineFeature, IDisposable
{
    /// <summary>What time alone changes (an installer that went silent, a window that ended) is seen within this, while a server may be built.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan ReleaseWithin = TimeSpan.FromSeconds(3);

    private readonly IBusConnection bus;
    private readonly CurrentState state;
    private readonly EventLog events;
    private readonly BootJournal journal;
    private readonly TimeProvider time;
    private readonly ILogger<MachinePower> logger;
    private readonly BusObject login;
    private readonly Refresh refresh;
    private readonly ITimer later;
    private readonly SemaphoreSlim oneAtATime = new(1, 1);
    private SafeFileHandle? held;
    private int heldFor = -1;
    private volatile string building = "";
    private volatile string? problem;
    private volatile bool released;

    public MachinePower(IBusConnection bus, CurrentState state, EventLog events, BootJournal journal, TimeProvider time, ILogger<MachinePower> logger)
    {
        (this.bus, this.state, this.events, this.journal, this.time, this.logger) = (bus, state, events, journal, time, logger);
        login = new BusObject(bus, time, "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager");
        refresh = new Refresh(HoldAsync);
        later = time.CreateTimer(_ => refresh.Ask(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        login.Changed += refresh.Ask;
    }

    public MachineFeature Standing =>
        login.Problem is { } absent ? new("power", false, $"shutting down is not held while servers are installed: {absent}")
        : problem is { } refused ? new("power", false, $"shutting down is not held while servers are installed: {refused}")
        : login.Get<bool>("PreparingForShutdown") ? new("power", true, "this machine is shutting down")
        : held is not null ? new("power", true, $"shutting down is held: {building}")
        : new("power", true, "no server is being installed: shutting down is not held");

    public void Start()
    {
        state.Changed += OnState;
        login.Start();
    }

    public void Dispose()
    {
        state.Changed -= OnState;
        later.Dispose();
        refresh.Dispose();
        login.Dispose();
        Interlocked.Exchange(ref held, null)?.Dispose();
        oneAtATime.Dispose();
    }

    /// <summary>Starts this machine again, or turns it off.</summary>
    /// <param name="off">Off, and not started again.</param>
    /// <param name="force">Also while servers are being installed.</param>
    /// <param name="actor">Who asked for it.</param>
    /// <exception cref="ChangeRefusedException">Servers are being installed, or the system refuses.</exception>
    public async Task ShutDownAsync(bool off, bool force, string actor, CancellationToken cancellation)
    {
        var what = off ? "PowerOff" : "Reboot";
        if (!force && Building() is { Length: > 0 } names)
            throw new ChangeRefusedException(RefusalKind.Conflict, $"{names}. Wait for it, or say --force: what is being installed then has to be started again.");
        journal.Record(new Event
        {
            At = time.GetUtcNow(), Source = EventSource.Api, Outcome = EventOutcome.Changed, Actor = actor,
            What = off ? "This machine is turned off" : "This machine is started again", Reason = force ? "asked for, and forced" : "asked for",
        });
        released = true;
        try
        {
            await ReleaseAsync(cancellation);
            await bus.CallMethodAsync(new MethodCall(login.Service, login.Path, login.Interface, what) { Signature = "b", Arguments = [false] }, cancellation);
        }
        catch (BusException refused)
        {
            throw new ChangeRefusedException(RefusalKind.Conflict, $"This machine is not shut down: {refused.Message}.");
        }
        finally
        {
            released = false;
            refresh.Ask();
        }
    }

    private void OnState(Snapshot snapshot) => refresh.Ask();

    /// <summary>A sentence that names the hosts being installed; empty when there is none.</summary>
    private string Building()
    {
        var (snapshot, now) = (state.Snapshot, time.GetUtcNow());
        var names = snapshot.Hosts.Values
            .Where(host => snapshot.Installations.GetValueOrDefault(host.Name) is { EnrolOnly: false } installation
                && HostStanding.Of(host, installation, events.LastAnswered(host), enrolledAt: null, now).State is HostState.Booting or HostState.Installing)
            .Select(host => host.Name).Order(StringComparer.Ordinal).ToList();
        return names.Count == 0 ? ""
            : names.Count <= 10 ? $"{ResourceChanges.Enumerate(names)} {(names.Count == 1 ? "is" : "are")} being installed"
            : $"{string.Join(", ", names.Take(10))} and {names.Count - 10} more are being installed";
    }

    private bool AnyOpen() => state.Snapshot.Installations.Values.Any(i => i.BuildsAt(time.GetUtcNow()));

    private async Task HoldAsync(CancellationToken cancellation)
    {
        await oneAtATime.WaitAsync(cancellation);
        try
        {
            if (released || login.Problem is not null)
                return;
            var (names, generation) = (Building(), login.Generation);
            later.Change(AnyOpen() ? LookAgain : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            if (names == building && heldFor == generation && (held is not null || names.Length == 0))
                return;
            // Taken before the one before it is let go: there is no moment without.
            var next = names.Length == 0 ? null : await InhibitAsync(names, cancellation);
            Interlocked.Exchange(ref held, next)?.Dispose();
            (building, heldFor, problem) = (names, generation, null);
        }
        catch (BusException refused)
        {
            if (problem is null)
                MachineLog.NotHeld(logger, refused.Message);
            problem = refused.Message;
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    private async Task<SafeFileHandle> InhibitAsync(string why, CancellationToken cancellation)
    {
        var answer = await bus.CallMethodAsync(new MethodCall(login.Service, login.Path, login.Interface, "Inhibit")
        {
            Signature = "ssss", Arguments = ["shutdown", "Provisioner", why, "block"],
        }, cancellation);
        MachineLog.Held(logger, why);
        return (SafeFileHandle)answer[0]!;
    }

    // logind hears that the descriptor is closed later than it hears the next call.
    private async Task ReleaseAsync(CancellationToken cancellation)
    {
        await oneAtATime.WaitAsync(cancellation);
        try
        {
            if (Interlocked.Exchange(ref held, null) is not { } ours)
                return;
            var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            void Look()
            {
                if (login.Get<string>("BlockInhibited")?.Split(':').Contains("shutdown") != true)
                    gone.TrySetResult();
            }
            login.Changed += Look;
            try
            {
                ours.Dispose();
                heldFor = -1;
                await gone.Task.WaitAsync(ReleaseWithin, time, cancellation);
            }
            catch (TimeoutException)
            {
                // Somebody else holds it as well: logind says who may overrule that.
            }
            finally
            {
                login.Changed -= Look;
            }
        }
        finally
        {
            oneAtATime.Release();
        }
    }
}
