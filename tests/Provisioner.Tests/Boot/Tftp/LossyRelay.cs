using System.Net;
using System.Net.Sockets;

namespace Provisioner.Tests.Boot.Tftp;

/// <summary>
/// A UDP relay that loses, doubles, delays and so reorders datagrams, in both directions. What happens to the n-th datagram of a
/// direction depends on the seed alone.
/// </summary>
internal sealed class LossyRelay : IDisposable
{
    private readonly Socket front = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly Dictionary<int, Socket> back = [];
    private readonly PriorityQueue<(Socket From, EndPoint? To, byte[] Datagram), long> delayed = new();
    private readonly Random toServer;
    private readonly Random toClient;
    private readonly IPEndPoint server;
    private readonly Thread thread;
    private volatile bool stopping;

    public LossyRelay(IPEndPoint server, int seed)
    {
        this.server = server;
        toServer = new Random(seed);
        toClient = new Random(seed + 1);
        front.ReceiveBufferSize = 4 << 20;
        front.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        thread = new Thread(Run) { IsBackground = true };
    }

    /// <summary>Of a hundred datagrams.</summary>
    public int Lost { get; init; }

    public int Doubled { get; init; }

    public int Delayed { get; init; }

    public int DelayMilliseconds { get; init; } = 20;

    public int Dropped { get; private set; }

    public IPEndPoint EndPoint => (IPEndPoint)front.LocalEndPoint!;

    public void Start() => thread.Start();

    public void Dispose()
    {
        stopping = true;
        thread.Join();
        front.Dispose();
        foreach (var socket in back.Values)
            socket.Dispose();
    }

    private void Run()
    {
        var buffer = new byte[70_000];
        var clients = new Dictionary<Socket, EndPoint>();
        while (!stopping)
        {
            var ready = new List<Socket>(back.Values) { front };
            Socket.Select(ready, null, null, 1000);
            foreach (var socket in ready)
            {
                EndPoint sender = new IPEndPoint(IPAddress.Any, 0);
                var datagram = buffer[..socket.ReceiveFrom(buffer, ref sender)];
                if (socket == front)
                {
                    var port = ((IPEndPoint)sender).Port;
                    if (!back.TryGetValue(port, out var own))
                    {
                        back[port] = own = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20 };
                        own.Bind(new IPEndPoint(IPAddress.Loopback, 0));
                        clients[own] = sender;
                    }
                    Pass(toServer, own, server, datagram);
                }
                else
                {
                    Pass(toClient, front, clients[socket], datagram);
                }
            }
            while (delayed.TryPeek(out var item, out var due) && due <= Environment.TickCount64)
            {
                delayed.Dequeue();
                item.From.SendTo(item.Datagram, item.To!);
            }
        }
    }

    private void Pass(Random dice, Socket from, EndPoint to, byte[] datagram)
    {
        if (dice.Next(100) < Lost)
        {
            Dropped++;
            return;
        }
        var copies = dice.Next(100) < Doubled ? 2 : 1;
        for (var i = 0; i < copies; i++)
        {
            if (dice.Next(100) < Delayed)
                delayed.Enqueue((from, to, datagram), Environment.TickCount64 + dice.Next(1, DelayMilliseconds));
            else
                from.SendTo(datagram, to);
        }
    }
}
