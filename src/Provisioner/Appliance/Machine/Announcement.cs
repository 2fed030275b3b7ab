using System.Text;
using Provisioner.Appliance.Bus;
using Provisioner.Certificates.Est;

namespace Provisioner.Appliance.Machine;

/// <summary>
/// Makes the secure plane known on the network by DNS-SD (RFC 6763), through systemd-resolved, which answers multicast DNS for this machine's
/// name as well: it is found as a web server, and as <c>NAME.local</c>.
/// </summary>
internal sealed class Announcement : IMachineFeature, IDisposable
{
    private const string Id = "provisioner";
    private const string Type = "_https._tcp";

    private readonly IBusConnection bus;
    private readonly MachineOptions options;
    private readonly SecureServer secure;
    private readonly BusObject resolver;
    private readonly Refresh refresh;
    private int registeredFor = -1;
    private volatile string? problem = "was not asked yet";

    public Announcement(IBusConnection bus, MachineOptions options, SecureServer secure, TimeProvider time)
    {
        (this.bus, this.options, this.secure) = (bus, options, secure);
        resolver = new BusObject(bus, time, "org.freedesktop.resolve1", "/org/freedesktop/resolve1", "org.freedesktop.resolve1.Manager");
        refresh = new Refresh(RegisterAsync);
        resolver.Changed += refresh.Ask;
    }

    public MachineFeature Standing =>
        !options.Announce ? new("found", false, "machine.announce is false: it is not made known on the network")
        : (resolver.Problem ?? problem) is { } why ? new("found", false, $"not made known by multicast DNS: {why}")
        : new("found", true, $"made known by multicast DNS as {Type} on port {secure.Port}, and as {Environment.MachineName}.local");

    public void Start()
    {
        if (options.Announce)
            resolver.Start();
    }

    public void Dispose()
    {
        refresh.Dispose();
        resolver.Dispose();
    }

    /// <summary>The service stops: what is not there is not to be found.</summary>
    public async Task WithdrawAsync(CancellationToken cancellation)
    {
        refresh.Dispose();
        if (registeredFor < 0 || resolver.Problem is not null)
            return;
        try
        {
            await UnregisterAsync(cancellation);
        }
        catch (BusException)
        {
            // The resolver stops as well, or the next start takes it over.
        }
    }

    // resolved forgets it when it is started again, and not when we are gone from the bus.
    private async Task RegisterAsync(CancellationToken cancellation)
    {
        var generation = resolver.Generation;
        if (resolver.Problem is not null || registeredFor == generation)
            return;
        try
        {
            try
            {
                await RegisterOnceAsync(cancellation);
            }
            catch (BusException exists) when (exists.ErrorName == "org.freedesktop.resolve1.DnssdServiceExists")
            {
                // Of this service before it was killed; the port may be another.
                await UnregisterAsync(cancellation);
                await RegisterOnceAsync(cancellation);
            }
            (registeredFor, problem) = (generation, null);
        }
        catch (BusException refused)
        {
            problem = refused.ErrorName == "org.freedesktop.DBus.Error.NotSupported"
                ? "MulticastDNS is off in systemd-resolved: 'MulticastDNS=yes' in /etc/systemd/resolved.conf.d/mdns.conf, and on the link, turns it on"
                : refused.Message;
        }
    }

    private async Task RegisterOnceAsync(CancellationToken cancellation) =>
        await bus.CallMethodAsync(new MethodCall(resolver.Service, resolver.Path, resolver.Interface, "RegisterService")
        {
            Signature = "sssqqqaa{say}",
            Arguments =
            [
                Id, "Provisioner on %H", Type, (ushort)secure.Port, (ushort)0, (ushort)0,
                new object[] { new Dictionary<object, object?> { ["path"] = Encoding.ASCII.GetBytes("/"), ["product"] = Encoding.ASCII.GetBytes("provisioner") } },
            ],
        }, cancellation);

    private async Task UnregisterAsync(CancellationToken cancellation) =>
        await bus.CallMethodAsync(new MethodCall(resolver.Service, resolver.Path, resolver.Interface, "UnregisterService")
        {
            Signature = "o", Arguments = [$"{resolver.Path}/dnssd/{Id}"],
        }, cancellation);
}
