using System.Collections.Concurrent;
using System.Net.Sockets;
using Provisioner.Events;
using Provisioner.Joining;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Storage;

namespace Provisioner.Boot.Dhcp;

/// <summary>
/// Looks for DHCP and PXE servers that are not this one, on the wires of its Networks, and warns of those that take servers away from it. Often where
/// nobody else may answer, seldom where a site's own DHCP server would write each question into its log.
/// </summary>
internal sealed class OtherServers(CurrentState state, StateWriter writer, TimeProvider time, ILogger<OtherServers> logger) : BackgroundService
{
    public static readonly TimeSpan WhereAlone = TimeSpan.FromSeconds(15), WhereNot = TimeSpan.FromMinutes(5);

    /// <summary>A server that was not heard so often is gone.</summary>
    private const int MissesUntilGone = 3;

    private const string AlertPrefix = "other-server:";

    private readonly ConcurrentDictionary<string, int> misses = [];
    private readonly HostInterfaces interfaces = new();
    private readonly SemaphoreSlim oneAtATime = new(1, 1);

    /// <summary>Asks on all wires now.</summary>
    public async Task<IReadOnlyList<Finding>> LookAsync(CancellationToken ct)
    {
        var snapshot = state.Snapshot;
        var findings = new List<Finding>();
        foreach (var network in snapshot.Networks.Values)
            findings.AddRange(await LookAsync(network, ct));
        return findings;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var next = new Dictionary<string, DateTimeOffset>(StringComparer.Ordinal);
        while (!stoppingToken.IsCancellationRequested)
        {
            var wanted = state.Snapshot.Networks.Values.Where(n => n.Spec is { Dhcp: not DhcpMode.Off, Interface: not null }).ToList();
            foreach (var network in wanted.Where(n => !next.TryGetValue(n.Name, out var at) || at <= time.GetUtcNow()))
            {
                try
                {
                    await LookAsync(network, stoppingToken);
                }
                catch (StoreException e)
                {
                    OtherServersLog.NotRecorded(logger, network.Name, e.Message);
                }
                next[network.Name] = time.GetUtcNow() + (network.Spec.Dhcp == DhcpMode.Reserve ? WhereAlone : WhereNot);
            }
            await Task.Delay(TimeSpan.FromSeconds(5), time, stoppingToken);
        }
    }

    private async Task<IReadOnlyList<Finding>> LookAsync(Network network, CancellationToken ct)
    {
        var code = $"other-servers:{network.Name}";
        if (network.Spec.Interface is not { } name)
            return [new Finding(code, Verdict.Skip, $"Network {network.Name} is behind a relay; only wires of this machine can be asked.", "", "")];
        IReadOnlyList<HeardServer> heard;
        await oneAtATime.WaitAsync(ct);
        try
        {
            interfaces.Refresh();
            heard = await Task.Run(() => ServerProbe.Ask(name, address => interfaces.Owns(address) || network.Spec.Advertise == address, ct), ct);
        }
        catch (Exception e) when (e is SocketException or System.Net.NetworkInformation.NetworkInformationException)
        {
            return [new Finding(code, Verdict.Skip, $"{name} cannot be asked who answers DHCP there: {WhyNot(e)}.", "", "")];
        }
        finally
        {
            oneAtATime.Release();
        }
        await RaiseAsync(network, heard, ct);
        return Findings(network, heard);
    }

    private static string WhyNot(Exception e) => e is SocketException socket ? socket.SocketErrorCode switch
    {
        SocketError.AddressAlreadyInUse => "a DHCP client of this machine has port 68; give the interface a static address",
        SocketError.AccessDenied => "not permitted; run as root, or with CAP_NET_BIND_SERVICE",
        _ => socket.Message,
    }
    : e.Message;

    /// <summary>What the servers on a Network's wire mean for it. Pure.</summary>
    internal static IReadOnlyList<Finding> Findings(Network network, IReadOnlyList<HeardServer> heard)
    {
        var code = $"other-servers:{network.Name}";
        var findings = heard.Where(s => IsRogue(network, s)).Select(s => new Finding(code, network.Spec.Dhcp == DhcpMode.Reserve ? Verdict.Fail : Verdict.Warn, Found(network, s), Breaks(network, s), Remedy(network, s))).ToList();
        if (findings.Count > 0)
            return findings;
        var expected = heard.Where(s => s.GivesAddresses).Select(s => s.Address.ToString()).ToList();
        if (network.Spec.Dhcp == DhcpMode.Proxy && expected.Count == 0)
        {
            return [new Finding(code, Verdict.Warn, $"No DHCP server answers on {network.Spec.Interface}, and Network {network.Name} has dhcp: proxy.", "Servers get no address there, and cannot boot.",
                "Start the site's DHCP server, or let the appliance give addresses: dhcp: reserve, with a range.")];
        }
        return [new Finding(code, Verdict.Pass, expected.Count == 0 ? $"Nobody else answers DHCP or PXE on {network.Spec.Interface}." : $"{string.Join(", ", expected)} gives addresses on {network.Spec.Interface}, as it is to be.", "", "")];
    }

    /// <summary>It gives addresses where we do, or says what to boot where we say it.</summary>
    internal static bool IsRogue(Network network, HeardServer server) => network.Spec.Dhcp switch
    {
        DhcpMode.Reserve => true,
        DhcpMode.Proxy => server.Boots,
        _ => false,
    };

    private static string Found(Network network, HeardServer server) =>
        $"Another {(server.GivesAddresses ? server.Boots ? "DHCP and PXE" : "DHCP" : "PXE")} server, {server.Address}, answers on {network.Spec.Interface} (Network {network.Name})"
        + (server.Offered is { } offered ? $"; it offers {offered}" : "") + (server.BootFile is { } file ? $"; it would have servers boot '{Resources.Texts.OneLine(file, 80)}'" : "") + ".";

    private static string Breaks(Network network, HeardServer server) =>
        network.Spec.Dhcp == DhcpMode.Reserve ? "A server takes whichever answers first: it may get an address that belongs to another, or boot nothing of ours."
        : $"A server may boot from {server.Address} instead of the appliance.";

    private static string Remedy(Network network, HeardServer server) =>
        network.Spec.Dhcp == DhcpMode.Reserve ? $"Find {server.Address} (the switch's table of MAC addresses says its port) and stop it; or, if it is the site's own, give Network {network.Name} dhcp: proxy."
        : $"Take the boot options (next-server, filename, options 43, 60, 66 and 67) out of {server.Address}, or stop it.";

    private async Task RaiseAsync(Network network, IReadOnlyList<HeardServer> heard, CancellationToken ct)
    {
        var rogues = heard.Where(s => IsRogue(network, s)).ToDictionary(s => $"{AlertPrefix}{network.Name}:{s.Address}", StringComparer.Ordinal);
        var gone = state.Snapshot.Alerts.Keys.Where(id => id.StartsWith($"{AlertPrefix}{network.Name}:", StringComparison.Ordinal) && !rogues.ContainsKey(id))
            .Where(id => misses.AddOrUpdate(id, 1, (_, count) => count + 1) >= MissesUntilGone).ToList();
        foreach (var id in rogues.Keys.Concat(gone))
            misses.TryRemove(id, out _);
        var fresh = rogues.Where(r => !state.Snapshot.Alerts.ContainsKey(r.Key)).ToList();
        if (fresh.Count == 0 && gone.Count == 0)
            return;
        await writer.ChangeAsync(editor =>
        {
            foreach (var id in gone)
            {
                Record(editor, EventOutcome.Changed, $"{id[(AlertPrefix.Length + network.Name.Length + 1)..]} answers no more on {network.Spec.Interface}", "it was asked several times");
                editor.Lower(id);
            }
            foreach (var (id, server) in fresh)
            {
                OtherServersLog.Heard(logger, server.Address, network.Spec.Interface!, network.Name);
                Record(editor, EventOutcome.Failed, Found(network, server), Breaks(network, server));
                editor.Raise(new Alert { Id = id, Severity = AlertSeverity.Critical, Message = $"{Found(network, server)} {Breaks(network, server)}", Remedy = Remedy(network, server) });
            }
            return 0;
        }, ct);
    }

    private static void Record(StateEditor editor, EventOutcome outcome, string what, string reason) =>
        editor.Record(new Event { At = editor.Now, Source = EventSource.Dhcp, Outcome = outcome, What = what, Reason = reason });
}

internal static partial class OtherServersLog
{
    [LoggerMessage(6101, LogLevel.Warning, "another DHCP or PXE server, {Address}, answers on {Interface} (Network {Network})")]
    public static partial void Heard(ILogger logger, Ipv4Address address, string @interface, string network);

    [LoggerMessage(6102, LogLevel.Warning, "who answers DHCP on the wire of Network {Network} could not be recorded: {Reason}")]
    public static partial void NotRecorded(ILogger logger, string network, string reason);
}
