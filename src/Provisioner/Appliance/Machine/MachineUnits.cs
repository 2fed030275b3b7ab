using System.Collections.Immutable;
using Provisioner.Appliance.Bus;
using Provisioner.Events;

namespace Provisioner.Appliance.Machine;

/// <summary>What systemd says of this service's own units, and which units of this machine failed.</summary>
internal sealed class MachineUnits : IMachineFeature, IDisposable
{
    private const string Service = "org.freedesktop.systemd1";
    private const string Root = "/org/freedesktop/systemd1";

    private readonly IBusConnection bus;
    private readonly BootJournal journal;
    private readonly TimeProvider time;
    private readonly BusObject manager;
    private readonly Refresh refresh;
    private IDisposable? signals;
    private int subscribedFor = -1;
    private volatile Seen seen = new([], [], null);

    public MachineUnits(IBusConnection bus, BootJournal journal, TimeProvider time)
    {
        (this.bus, this.journal, this.time) = (bus, journal, time);
        manager = new BusObject(bus, time, Service, Root, "org.freedesktop.systemd1.Manager");
        refresh = new Refresh(LookAsync);
        manager.Changed += refresh.Ask;
    }

    public MachineFeature Standing
    {
        get
        {
            var now = seen;
            if ((manager.Problem ?? now.Problem) is { } problem)
                return new("units", false, problem);
            var ours = now.Ours.IsEmpty ? "this service is not one of systemd's units" : string.Join(", ", now.Ours);
            return now.Failed.IsEmpty ? new("units", true, $"{ours}; no unit has failed")
                : new("units", false, $"{ours}; failed: {string.Join(", ", now.Failed)} ('systemctl status UNIT' says why)");
        }
    }

    public ImmutableArray<string> Failed => seen.Failed;

    public void Start()
    {
        signals = bus.AddMatch(new MatchRule
        {
            Sender = Service, Interface = "org.freedesktop.DBus.Properties", Member = "PropertiesChanged",
            PathNamespace = Root + "/unit", Arg0 = "org.freedesktop.systemd1.Unit",
        }, _ => refresh.Ask());
        manager.Start();
    }

    public void Dispose()
    {
        signals?.Dispose();
        refresh.Dispose();
        manager.Dispose();
    }

    private async Task LookAsync(CancellationToken cancellation)
    {
        if (manager.Problem is not null)
            return;
        try
        {
            // systemd signals nothing of its units until somebody asks it to.
            var generation = manager.Generation;
            if (subscribedFor != generation)
            {
                await CallAsync("Subscribe", "", [], cancellation);
                subscribedFor = generation;
            }
            var failed = (await ListAsync(["failed"], [], cancellation)).Select(u => u.Name).Order(StringComparer.Ordinal).ToImmutableArray();
            var ours = new List<MachineUnit>();
            foreach (var unit in await ListAsync([], ["provisioner*.service"], cancellation))
            {
                var restarts = await bus.CallMethodAsync(new MethodCall(Service, unit.Path, "org.freedesktop.DBus.Properties", "Get")
                {
                    Signature = "ss", Arguments = ["org.freedesktop.systemd1.Service", "NRestarts"],
                }, cancellation);
                ours.Add(unit with { Restarts = restarts is [uint count] ? count : 0 });
            }
            var before = seen;
            seen = new Seen([.. ours], failed, null);
            foreach (var name in failed.Except(before.Failed))
                Record(EventOutcome.Failed, $"Unit {name} of this machine failed", $"'systemctl status {name}' says why");
            foreach (var name in before.Failed.Except(failed))
                Record(EventOutcome.Changed, $"Unit {name} of this machine is no longer failed", "systemd says so");
        }
        catch (BusException e) when (e.ErrorName != "org.freedesktop.DBus.Error.UnknownObject")
        {
            seen = seen with { Problem = e.Message };
        }
        catch (BusException)
        {
            // A unit that went between list and look.
            refresh.Ask();
        }
    }

    private async Task<List<MachineUnit>> ListAsync(string[] states, string[] patterns, CancellationToken cancellation)
    {
        var answer = await CallAsync("ListUnitsByPatterns", "asas", [states, patterns], cancellation);
        return [.. ((object?[])answer[0]!).OfType<object?[]>().Select(unit => new MachineUnit((string)unit[0]!, (string)unit[3]!, (string)unit[4]!, (string)unit[6]!))];
    }

    private Task<IReadOnlyList<object?>> CallAsync(string member, string signature, object[] arguments, CancellationToken cancellation) =>
        bus.CallMethodAsync(new MethodCall(Service, Root, manager.Interface, member) { Signature = signature, Arguments = arguments }, cancellation);

    private void Record(EventOutcome outcome, string what, string reason) =>
        journal.Record(new Event { At = time.GetUtcNow(), Source = EventSource.Service, Outcome = outcome, What = what, Reason = reason });

    private sealed record Seen(ImmutableArray<MachineUnit> Ours, ImmutableArray<string> Failed, string? Problem);
}

/// <summary>A unit, in the words of systemctl(1).</summary>
internal sealed record MachineUnit(string Name, string ActiveState, string SubState, string Path)
{
    /// <summary>How often systemd started it again by itself.</summary>
    public uint Restarts { get; init; }

    public override string ToString() => $"{Name} {ActiveState} ({SubState})" + (Restarts switch { 0 => "", 1 => ", restarted once", var n => $", restarted {n} times" });
}
