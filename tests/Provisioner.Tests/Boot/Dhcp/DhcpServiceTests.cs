using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Provisioner.Boot;
using Provisioner.Boot.Dhcp;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Tests.Boot.Dhcp;

/// <summary>The service on real sockets, on loopback and free ports.</summary>
public sealed class DhcpServiceTests : IAsyncLifetime
{
    private readonly CurrentState state = new();
    private readonly BootJournal journal = new();
    private readonly LeaseKeeper keeper;
    private readonly AddressBook addressBook = new();
    private readonly LinkChanges links = new();
    private readonly DhcpSettings settings = new() { ServerPort = FreePort(), ProxyPort = FreePort() };
    private readonly DhcpService service;

    public DhcpServiceTests()
    {
        keeper = new LeaseKeeper(journal);
        service = new DhcpService(settings, state, new LeaseTable(keeper.Keep), keeper, addressBook, journal,
            (request, _, _) => new BootDecision.BootFile("snponly.efi", "the test says so"), TimeProvider.System, NullLogger<DhcpService>.Instance, links);
    }

    public async ValueTask InitializeAsync() => await service.StartAsync(CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await service.StopAsync(CancellationToken.None);
        service.Dispose();
        links.Dispose();
    }

    [Fact]
    public async Task Opens_its_ports_only_while_a_Network_has_DHCP_on()
    {
        await Task.Delay(100);
        Assert.All(service.Status, port => Assert.False(port.IsOpen));
        Publish(DhcpMode.Off);
        await Task.Delay(100);
        Assert.All(service.Status, port => Assert.False(port.IsOpen));
        Publish(DhcpMode.Proxy);
        await Until(() => service.Status.All(port => port.IsOpen));
        Publish(DhcpMode.Off);
        await Until(() => service.Status.All(port => !port.IsOpen));
    }

    [Fact]
    public async Task Answers_on_the_wire_and_records_it()
    {
        Publish(DhcpMode.Proxy);
        await Until(() => service.Status.All(port => port.IsOpen));
        using var client = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var message = new Message(DhcpMessageType.Request).Ciaddr("127.0.0.1").Pxe(7);
        await client.SendAsync(message.ToBytes(), new IPEndPoint(IPAddress.Loopback, settings.ProxyPort));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var answer = await client.ReceiveAsync(limit.Token);

        Assert.Equal(new IPEndPoint(IPAddress.Loopback, settings.ProxyPort), answer.RemoteEndPoint);
        Assert.True(DhcpPacket.TryParse(answer.Buffer, out var reply, out var reason), reason);
        Assert.Equal(DhcpMessageType.Ack, reply.MessageType);
        Assert.Equal("snponly.efi", DhcpPacket.Printable(reply.File));
        var recorded = await Recorded<Event>();
        Assert.Equal(
            (EventSource.ProxyDhcp, EventOutcome.Answered, "REQUEST from UEFI x64 (PXE) → ACK 127.0.0.1, file snponly.efi", "the test says so"),
            (recorded.Source, recorded.Outcome, recorded.What, recorded.Reason));
        var seen = await Recorded<Sighting>();
        Assert.Equal(("UEFI x64", "lan"), (seen.Architecture, seen.Network));
        Assert.Equal(MacAddress.Parse("52:54:00:77:00:01"), addressBook.Find(Ipv4Address.Parse("127.0.0.1")));
    }

    [Fact]
    public async Task Goes_on_after_bytes_that_are_no_message_and_records_why()
    {
        Publish(DhcpMode.Proxy);
        await Until(() => service.Status.All(port => port.IsOpen));
        using var client = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        await client.SendAsync(new byte[100], new IPEndPoint(IPAddress.Loopback, settings.ServerPort));
        var recorded = await Recorded<Event>();
        Assert.Equal(EventOutcome.Silent, recorded.Outcome);
        Assert.Contains("too short for DHCP", recorded.Reason, StringComparison.Ordinal);
        Assert.All(service.Status, port => Assert.True(port.IsOpen));
    }

    [Fact]
    public async Task A_port_that_is_taken_is_said_and_taken_up_when_it_is_free()
    {
        var other = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        other.Bind(new IPEndPoint(IPAddress.Any, settings.ServerPort));
        Publish(DhcpMode.Proxy);
        await Until(() => service.Status.Any(port => port.Problem is not null));
        var (_, isOpen, problem) = service.Status.First();
        Assert.False(isOpen);
        Assert.Contains("another program has the port", problem, StringComparison.Ordinal);
        var recorded = await Recorded<Event>();
        Assert.Equal((EventOutcome.Failed, $"DHCP cannot listen on udp {settings.ServerPort}"), (recorded.Outcome, recorded.What));
        other.Dispose();
        Publish(DhcpMode.Proxy);
        await Until(() => service.Status.All(port => port.IsOpen));
    }

    [Fact]
    public async Task An_interface_that_is_not_here_is_said_and_the_rest_goes_on()
    {
        Publish(DhcpMode.Proxy, "nosuch0");
        await Until(() => service.Status.All(port => port.IsOpen));
        var recorded = await Recorded<Event>();
        Assert.Equal(EventOutcome.Failed, recorded.Outcome);
        Assert.Contains("nosuch0 is not on this machine", recorded.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_flood_is_answered_whole_and_recorded_in_part()
    {
        Publish(DhcpMode.Proxy);
        await Until(() => service.Status.All(port => port.IsOpen));
        using var client = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var message = new Message(DhcpMessageType.Request).Ciaddr("127.0.0.1").Pxe(7).ToBytes();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        for (var i = 0; i < 200; i++)
        {
            await client.SendAsync(message, new IPEndPoint(IPAddress.Loopback, settings.ProxyPort), limit.Token);
            await client.ReceiveAsync(limit.Token);
        }
        await Task.Delay(200, limit.Token);
        var events = 0;
        while (journal.Reader.TryRead(out var entry))
            events += entry is Event ? 1 : 0;
        Assert.InRange(events, 40, 60);
    }

    [Fact]
    public void Leases_wait_for_the_journal_and_the_latest_of_an_address_counts()
    {
        var full = new BootJournal();
        var keeping = new LeaseKeeper(full);
        var address = Ipv4Address.Parse("10.0.0.1");
        for (var i = 1; i <= 5_000; i++)
        {
            keeping.Keep(new Lease(new Ipv4Address(address.Bits + (uint)i), new MacAddress((ulong)i), "lan", Site.Noon));
            keeping.Keep(new Lease(new Ipv4Address(address.Bits + (uint)i), new MacAddress((ulong)i), "lan", Site.Noon.AddHours(1)));
        }
        Assert.Equal(5_000 - 4_096, keeping.Flush());
        var kept = 0;
        do
        {
            while (full.Reader.TryRead(out var entry))
            {
                Assert.Equal(Site.Noon.AddHours(1), Assert.IsType<Lease>(entry).EndsAt);
                kept++;
            }
        }
        while (keeping.Flush() > 0 || full.Reader.Count > 0);
        Assert.Equal(5_000, kept);
        Assert.Equal(0, full.Dropped);
    }

    private void Publish(DhcpMode mode, string @interface = "lo") => state.Publish(Snapshot.Empty with
    {
        Networks = Snapshot.Empty.Networks.Add("lan", new Network(new Metadata("lan"), new NetworkSpec
        {
            Subnet = Ipv4Cidr.Parse("127.0.0.0/8"), Interface = @interface, Dhcp = mode,
        })),
    });

    private async Task<T> Recorded<T>()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (true)
        {
            if (await journal.Reader.ReadAsync(limit.Token) is T found)
                return found;
        }
    }

    private static async Task Until(Func<bool> condition)
    {
        for (var i = 0; i < 400 && !condition(); i++)
            await Task.Delay(25);
        Assert.True(condition(), "it did not come to that within ten seconds");
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Any, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
