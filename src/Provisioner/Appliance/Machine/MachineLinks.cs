using System.Collections.Immutable;
using Provisioner.Appliance.Bus;
using Provisioner.Networks;

namespace Provisioner.Appliance.Machine;

/// <summary>
/// This machine's links as systemd-networkd sees them: it knows of a cable that is out, and of an address that does not come. That something
/// changed is passed on to who listens on them.
/// </summary>
internal sealed class MachineLinks : IMachineFeature, IDisposable
{
    private const string Service = "org.freedesktop.network1";
    private const string Root = "/org/freedesktop/network1";

    private readonly IBusConnection bus;
    private readonly LinkChanges changes;
    private readonly BusObject manager;
    private readonly Refresh refresh;
    private IDisposable? signals;
    private volatile Seen seen = new([], null);

    public MachineLinks(IBusConnection bus, LinkChanges changes, TimeProvider time)
    {
        (this.bus, this.changes) = (bus, changes);
        manager = new BusObject(bus, time, Service, Root, "org.freedesktop.network1.Manager");
        refresh = new Refresh(LookAsync);
        manager.Changed += refresh.Ask;
    }

    public ImmutableArray<MachineLink> Links => seen.Links;

    public MachineFeature Standing =>
        manager.Problem is { } problem ? new("links", false, $"followed by the kernel's word alone; {problem}")
        : seen.Problem is { } unread ? new("links", false, $"followed by the kernel's word alone; {unread}")
        : new("links", true, seen.Links.IsEmpty ? "there is none" : string.Join(", ", seen.Links));

    public void Start()
    {
        signals = bus.AddMatch(new MatchRule { Sender = Service, Interface = "org.freedesktop.DBus.Properties", Member = "PropertiesChanged", PathNamespace = Root }, _ => refresh.Ask());
        // What networkd does not run, it still sees; it does not signal that one came or went.
        changes.Changed += refresh.Ask;
        manager.Start();
    }

    public void Dispose()
    {
        changes.Changed -= refresh.Ask;
        signals?.Dispose();
        refresh.Dispose();
        manager.Dispose();
    }

    private async Task LookAsync(CancellationToken cancellation)
    {
        if (manager.Problem is not null)
        {
            seen = new Seen([], null);
            return;
        }
        try
        {
            var listed = await bus.CallMethodAsync(new MethodCall(Service, Root, manager.Interface, "ListLinks"), cancellation);
            var links = new List<MachineLink>();
            foreach (var item in ((object?[])listed[0]!).OfType<object?[]>())
            {
                if (item is not [int index, string name, string path] || name == "lo")
                    continue;
                var answer = await bus.CallMethodAsync(new MethodCall(Service, path, "org.freedesktop.DBus.Properties", "GetAll")
                {
                    Signature = "s", Arguments = ["org.freedesktop.network1.Link"],
                }, cancellation);
                var values = (Dictionary<object, object?>)answer[0]!;
                links.Add(new MachineLink(index, name, Text(values, "OperationalState"), Text(values, "CarrierState"), Text(values, "AddressState"), Text(values, "AdministrativeState")));
            }
            var next = new Seen([.. links.OrderBy(l => l.Index)], null);
            var differs = !next.Links.SequenceEqual(seen.Links);
            seen = next;
            if (differs)
                changes.Raise(refresh);
        }
        catch (BusException e)
        {
            // One that went between list and look is seen by the next signal.
            seen = new Seen([], e.Message);
        }
    }

    private static string Text(Dictionary<object, object?> values, string name) => values.GetValueOrDefault(name) as string ?? "";

    private sealed record Seen(ImmutableArray<MachineLink> Links, string? Problem);
}

/// <summary>A link, in the words of networkctl(1).</summary>
internal sealed record MachineLink(int Index, string Name, string OperationalState, string CarrierState, string AddressState, string AdministrativeState)
{
    public override string ToString() =>
        $"{Name} {OperationalState}" + AdministrativeState switch { "configuring" or "pending" => " (being configured)", "failed" => " (its configuration failed)", _ => "" };
}
