using System.Net.Sockets;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Storage;

namespace Provisioner.Boot.Dhcp;

/// <summary>
/// DHCP, proxyDHCP and PXE as a service: opens its ports while some Network has DHCP on, closes them when none has, follows interfaces
/// that come late, and keeps trying when a port is taken. It looks when it is told that something changed, and not otherwise.
/// </summary>
internal sealed class DhcpService : BackgroundService
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan StoreLeases = TimeSpan.FromMilliseconds(100);

    private readonly CurrentState state;
    private readonly TimeProvider time;
    private readonly ILogger<DhcpService> logger;
    private readonly LinkChanges links;
    private readonly IStore? store;
    private readonly LeaseTable leases;
    private readonly LeaseKeeper keeper;
    private readonly DhcpResponder responder;
    private readonly DhcpRecorder recorder;
    private readonly HostInterfaces interfaces = new();
    private readonly SemaphoreSlim changed = new(0, 1);
    private readonly Port server;
    private readonly Port proxy;
    private readonly HashSet<string> missing = [];

    public DhcpService(
        DhcpSettings settings,
        CurrentState state,
        LeaseTable leases,
        LeaseKeeper keeper,
        AddressBook addressBook,
        BootJournal journal,
        Func<BootRequest, Snapshot, DateTimeOffset, BootDecision> decide,
        TimeProvider time,
        ILogger<DhcpService> logger,
        LinkChanges links,
        IStore? store = null)
    {
        this.state = state;
        this.time = time;
        this.logger = logger;
        this.links = links;
        this.store = store;
        this.leases = leases;
        this.keeper = keeper;
        recorder = new DhcpRecorder(journal, time, logger);
        server = new Port(settings.ServerPort, isProxyPort: false);
        proxy = new Port(settings.ProxyPort, isProxyPort: true);
        var probe = new WireProbe(time, logger, address => server.Listener?.Probed(address));
        responder = new DhcpResponder(settings, leases, addressBook, decide, probe.Ask);
    }

    /// <summary>The ports that are open now, with what keeps the others shut.</summary>
    public IEnumerable<(int Port, bool IsOpen, string? Problem)> Status =>
        [(server.Number, server.Listener is not null, server.Problem), (proxy.Number, proxy.Listener is not null, proxy.Problem)];

    /// <summary>Ends when the thread of each open port went round.</summary>
    internal async Task GoRoundAsync(CancellationToken cancellation)
    {
        foreach (var port in new[] { server, proxy })
        {
            if (port.Listener is not { Broken: null } listener)
                continue;
            var before = listener.Rounds;
            while (listener.Rounds == before && listener.Broken is null && port.Listener == listener)
            {
                listener.Wake();
                await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancellation);
            }
        }
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (store is not null)
        {
            var stored = store.LoadLeases();
            leases.Load(stored);
            DhcpLog.LeasesLoaded(logger, stored.Count);
        }
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        state.Changed += OnChanged;
        links.Changed += Signal;
        var keeping = KeepLeasesAsync(stoppingToken);
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                Reconcile(state.Snapshot);
                // Nobody signals that a port was given back.
                await changed.WaitAsync(server.Problem is null && proxy.Problem is null ? Timeout.InfiniteTimeSpan : LookAgain, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping.
        }
        finally
        {
            state.Changed -= OnChanged;
            links.Changed -= Signal;
            server.Close();
            proxy.Close();
            await keeping;
        }
    }

    public override void Dispose()
    {
        server.Dispose();
        proxy.Dispose();
        changed.Dispose();
        base.Dispose();
    }

    private void OnChanged(Snapshot snapshot) => Signal();

    private void Signal()
    {
        try
        {
            changed.Release();
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // A look is due already, or it is over.
        }
    }

    private void Reconcile(Snapshot snapshot)
    {
        var index = responder.IndexOf(snapshot);
        if (!index.AnyActive)
        {
            foreach (var port in (ReadOnlySpan<Port>)[server, proxy])
            {
                if (port.Listener is null)
                    continue;
                port.Close();
                DhcpLog.Closed(logger, port.Number);
            }
            (server.Problem, proxy.Problem) = (null, null);
            missing.Clear();
            return;
        }
        interfaces.Refresh();
        NoteInterfaces(index);
        // 4011 first: once a client was offered it on 67, it answers.
        Open(proxy, index);
        Open(server, index);
    }

    private void NoteInterfaces(NetworkIndex index)
    {
        foreach (var network in index.All)
        {
            if (network.Spec.Dhcp == DhcpMode.Off || network.Spec.Interface is not { } name)
                continue;
            if (interfaces.Has(name))
            {
                if (!missing.Remove(network.Name))
                    continue;
                DhcpLog.InterfaceArrived(logger, network.Name, name);
                recorder.RecordService(EventOutcome.Changed, $"Network {network.Name} is served on {name}", "the interface is here now");
            }
            else if (missing.Add(network.Name))
            {
                DhcpLog.InterfaceMissing(logger, network.Name, name);
                recorder.RecordService(EventOutcome.Failed, $"Network {network.Name} is not served",
                    $"its interface {name} is not on this machine: correct 'interface', or connect it");
            }
        }
    }

    private void Open(Port port, NetworkIndex index)
    {
        if (port.Listener is { Broken: { } problem })
        {
            DhcpLog.ListenerBroke(logger, port.Number, problem);
            port.Close();
        }
        if (port.Listener is not null)
            return;
        try
        {
            port.Open(new DhcpListener.Parts(responder, recorder, interfaces, state, time, logger)
            {
                ProxyPortIsOpen = () => proxy.Listener is { Broken: null },
                OnBroken = Signal,
            });
            var networks = string.Join(", ", index.All.Where(n => n.Spec.Dhcp != DhcpMode.Off)
                .Select(n => $"{n.Name} ({(n.Spec.Dhcp == DhcpMode.Proxy ? "proxy" : "reserve")}, {n.Spec.Interface ?? "behind a relay"})"));
            DhcpLog.Listening(logger, port.Number, networks);
            if (port.Problem is not null)
                recorder.RecordService(EventOutcome.Changed, $"DHCP listens on udp {port.Number}", "the port is free now");
            port.Problem = null;
        }
        catch (SocketException e)
        {
            var why = e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse =>
                    $"another program has the port: find it with 'ss -lnup sport = :{port.Number}', and stop it or turn this Network's DHCP off",
                SocketError.AccessDenied => "not permitted: run as root or give the service CAP_NET_BIND_SERVICE",
                _ => e.Message,
            };
            if (port.Problem == why)
                return;
            port.Problem = why;
            DhcpLog.CannotListen(logger, port.Number, why, LookAgain.TotalSeconds);
            recorder.RecordService(EventOutcome.Failed, $"DHCP cannot listen on udp {port.Number}", why);
        }
    }

    private async Task KeepLeasesAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(StoreLeases, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                keeper.Flush();
        }
        catch (OperationCanceledException)
        {
            // The last ones, as far as the store takes them within two seconds.
            for (var i = 0; i < 40 && keeper.Flush() > 0; i++)
                await Task.Delay(TimeSpan.FromMilliseconds(50), time, CancellationToken.None);
            if (keeper.Flush() is > 0 and var left)
                DhcpLog.LeasesNotStored(logger, left);
        }
    }

    /// <summary>One UDP port, open or not.</summary>
    private sealed class Port(int number, bool isProxyPort) : IDisposable
    {
        private volatile DhcpListener? listener;

        public int Number => number;

        public DhcpListener? Listener => listener;

        public string? Problem { get; set; }

        public void Open(DhcpListener.Parts parts) => listener = new DhcpListener(number, isProxyPort, parts);

        public void Close()
        {
            listener?.Dispose();
            listener = null;
        }

        public void Dispose() => Close();
    }
}
