using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Provisioner.Networks.Sockets;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;
using Provisioner.Storage;

namespace Provisioner.Boot.Dhcp;

/// <summary>
/// Owns one port: receives, asks the responder, sends. One socket on all addresses, because only one can hear relays and broadcasts
/// of every interface; the packet information tells which Network a message belongs to.
/// </summary>
internal sealed class DhcpListener : IDisposable
{
    private const int Batch = 64;

    /// <summary>Messages that wait for a probe; more are dropped, and their clients ask again.</summary>
    private const int MostWaiting = 1_024;

    private readonly DatagramSocket socket;
    private readonly bool isProxyPort;
    private readonly Parts parts;
    private readonly byte[] reply = new byte[DhcpPacket.MaximumLength];
    private readonly ConcurrentDictionary<MacAddress, Waiting> waiting = new();
    private readonly ConcurrentQueue<Ipv4Address> probed = new();
    private readonly Thread thread;
    private RawSender? raw;
    private bool rawRefused;
    private volatile bool stopping;
    private long rounds;

    /// <summary>Opens the port and begins to answer.</summary>
    /// <exception cref="SocketException">The port is taken or not allowed.</exception>
    public DhcpListener(int port, bool isProxyPort, Parts parts)
    {
        socket = DatagramSocket.Bind(Ipv4Address.Any, port);
        this.isProxyPort = isProxyPort;
        this.parts = parts;
        thread = new Thread(Run) { IsBackground = true, Name = isProxyPort ? "pxe" : "dhcp" };
        thread.Start();
    }

    /// <summary>What a listener works with.</summary>
    internal sealed record Parts(
        DhcpResponder Responder, DhcpRecorder Recorder, HostInterfaces Interfaces, CurrentState State, TimeProvider Time, ILogger Logger)
    {
        /// <summary>Whether 4011 is open now.</summary>
        public required Func<bool> ProxyPortIsOpen { get; init; }

        /// <summary>Told when the socket broke. Returns at once.</summary>
        public required Action OnBroken { get; init; }
    }

    public int Port => socket.Port;

    /// <summary>Set when the socket broke; the listener is then to be replaced.</summary>
    public string? Broken { get; private set; }

    /// <summary>How often its thread went round; <see cref="Wake"/> has it go round once more.</summary>
    public long Rounds => Volatile.Read(ref rounds);

    /// <summary>From any thread.</summary>
    public void Wake() => socket.Wake();

    /// <summary>From any thread: a probe has ended, messages that waited for it are answered now.</summary>
    public void Probed(Ipv4Address address)
    {
        if (stopping)
            return;
        probed.Enqueue(address);
        socket.Wake();
    }

    public void Dispose()
    {
        stopping = true;
        socket.Wake();
        thread.Join();
        socket.Dispose();
        raw?.Dispose();
    }

    private void Run()
    {
        using var batch = new DatagramBatch(Batch, 2048);
        while (!stopping)
        {
            try
            {
                var count = socket.Receive(batch, timeoutMilliseconds: 1000);
                for (var i = 0; i < count; i++)
                    Answer(batch.Payload(i), IngressOf(batch.Info(i)));
                while (probed.TryDequeue(out var address))
                    AnswerWaiting(address);
                Volatile.Write(ref rounds, rounds + 1);
            }
            catch (SocketException e)
            {
                Broken = e.Message;
                parts.OnBroken();
                return;
            }
        }
    }

    private DhcpIngress IngressOf(in DatagramInfo info)
    {
        var found = parts.Interfaces.Find(info.InterfaceIndex);
        return new DhcpIngress
        {
            InterfaceIndex = info.InterfaceIndex,
            InterfaceName = found?.Name ?? $"number {info.InterfaceIndex}",
            InterfaceAddresses = found?.Addresses ?? [],
            LocalAddress = info.LocalAddress,
            RemoteAddress = info.RemoteAddress,
            RemotePort = info.RemotePort,
            IsProxyPort = isProxyPort,
            ProxyPortIsOpen = isProxyPort || parts.ProxyPortIsOpen(),
        };
    }

    private void Answer(ReadOnlySpan<byte> datagram, in DhcpIngress ingress)
    {
        if (!DhcpPacket.TryParse(datagram, out var packet, out var reason))
        {
            parts.Recorder.RecordRefusal(ingress, reason!);
            return;
        }
        // Our own question who else answers here.
        if (packet.HasUserClass(ServerProbe.OwnClass))
            return;
        try
        {
            var snapshot = parts.State.Snapshot;
            var response = parts.Responder.Respond(packet, ingress, snapshot, parts.Time.GetUtcNow(), reply);
            switch (response)
            {
                case DhcpResponse.Offer offer:
                    Send(reply.AsSpan(0, offer.Length), offer.Delivery, packet.Chaddr);
                    break;
                case DhcpResponse.Ack ack:
                    Send(reply.AsSpan(0, ack.Length), ack.Delivery, packet.Chaddr);
                    break;
                case DhcpResponse.Nak nak:
                    Send(reply.AsSpan(0, nak.Length), nak.Delivery, packet.Chaddr);
                    break;
                case DhcpResponse.Probing probing when waiting.Count < MostWaiting:
                    // The latest message of a machine counts: its xid is the one it waits for.
                    waiting[packet.Chaddr] = new Waiting(probing.Address, datagram.ToArray(), ingress);
                    break;
            }
            parts.Recorder.Record(packet, ingress, response, snapshot.FindHost(packet.Chaddr));
        }
#pragma warning disable CA1031 // One message must never end the service for everybody.
        catch (Exception e)
#pragma warning restore CA1031
        {
            DhcpLog.Defect(parts.Logger, packet.Chaddr, e);
        }
    }

    private void AnswerWaiting(Ipv4Address address)
    {
        foreach (var (mac, message) in waiting)
        {
            if (message.Address == address && waiting.TryRemove(mac, out var latest))
                Answer(latest.Datagram, latest.Ingress);
        }
    }

    private void Send(ReadOnlySpan<byte> payload, DhcpDelivery delivery, MacAddress mac)
    {
        if (delivery.Kind == DhcpDeliveryKind.Raw)
        {
            if (TrySendRaw(payload, delivery))
                return;
            // RFC 2131 §4.1: broadcast where unicast to an unconfigured client is not possible.
            delivery = delivery with { Kind = DhcpDeliveryKind.Broadcast, To = Ipv4Address.Broadcast };
        }
        // An advertised address may belong to a load balancer or a router in front of us.
        var from = parts.Interfaces.Owns(delivery.From) ? delivery.From : default;
        if (!socket.Send(payload, delivery.To, delivery.Port, from, delivery.InterfaceIndex))
            DhcpLog.SendFailed(parts.Logger, mac, delivery.ToString(), Marshal.GetLastPInvokeErrorMessage());
    }

    private bool TrySendRaw(ReadOnlySpan<byte> payload, in DhcpDelivery delivery)
    {
        if (rawRefused)
            return false;
        try
        {
            raw ??= new RawSender();
            raw.Send(payload, delivery, socket.Port);
            return true;
        }
        catch (SocketException e) when (raw is null)
        {
            rawRefused = true;
            DhcpLog.NoPacketSocket(parts.Logger, e.Message);
            return false;
        }
        catch (SocketException e)
        {
            DhcpLog.SendFailed(parts.Logger, delivery.MacAddress, delivery.ToString(), e.Message);
            return false;
        }
    }

    /// <summary>A message whose offer waits for a probe.</summary>
    private sealed record Waiting(Ipv4Address Address, byte[] Datagram, DhcpIngress Ingress);
}
