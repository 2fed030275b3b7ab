using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Provisioner.Boot;
using Provisioner.Boot.Tftp;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Protocols.Tftp;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Tests.Boot.Tftp;

/// <summary>A TFTP server on a loopback port with a catalogue of its own.</summary>
internal sealed class TftpFixture : IBootCatalogue, IDisposable
{
    private readonly ConcurrentDictionary<string, BootAsset> assets = new(StringComparer.Ordinal);
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("tftp-tests");

    public TftpFixture(TftpOptions? options = null, bool start = true)
    {
        Server = new TftpServer((options ?? new TftpOptions()) with { Port = 0 }, this, State, Addresses, Journal, TimeProvider.System, NullLogger<TftpServer>.Instance);
        if (start)
            Server.Start();
    }

    public TftpServer Server { get; }

    public CurrentState State { get; } = new();

    public AddressBook Addresses { get; } = new();

    public BootJournal Journal { get; } = new();

    public ConcurrentQueue<(string Name, BootClient Client)> Asked { get; } = new();

    public IPEndPoint EndPoint => new(IPAddress.Loopback, Server.Port);

    public BootLookup Find(string name, BootClient client, string? query = null)
    {
        Asked.Enqueue((name, client));
        if (name == "throws")
            throw new InvalidOperationException("a defect");
        return assets.TryGetValue(name, out var asset) ? BootLookup.Found(asset) : BootLookup.Missing($"no {name} here");
    }

    public byte[] AddMemory(string name, int length, byte[]? content = null)
    {
        content ??= Content(length);
        assets[name] = new BootAsset.InMemory(name, content, "application/octet-stream", "because of the test");
        return content;
    }

    public byte[] AddFile(string name, int length, int? registeredLength = null)
    {
        var content = Content(length);
        var path = Path.Combine(directory.FullName, Guid.NewGuid().ToString("n"));
        File.WriteAllBytes(path, content);
        assets[name] = new BootAsset.OnDisk(name, path, registeredLength ?? length, "application/octet-stream", "because of the test");
        return content;
    }

    public string PathOf(string name) => ((BootAsset.OnDisk)assets[name]).Path;

    public void SetNetwork(string subnet, int blockSize) => State.Publish(new Snapshot
    {
        Networks = Snapshot.Empty.Networks.Add("lab", new Network(new Metadata("lab"), new NetworkSpec { Subnet = Ipv4Cidr.Parse(subnet), TftpBlockSize = blockSize })),
    });

    /// <summary>The next event; fails when none comes in time.</summary>
    public async Task<Event> NextEvent(double seconds = 10)
    {
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        while (true)
        {
            if (await Journal.Reader.ReadAsync(end.Token) is Event entry)
                return entry;
        }
    }

    public bool HasEvent() => Journal.Reader.TryPeek(out _);

    public TftpTestClient Client() => new(EndPoint);

    public void Dispose()
    {
        Server.Dispose();
        directory.Delete(recursive: true);
    }

    private static byte[] Content(int length)
    {
        var content = new byte[length];
        new Random(length).NextBytes(content);
        return content;
    }
}

/// <summary>A client that sends what a test tells it, packet by packet.</summary>
internal sealed class TftpTestClient : IDisposable
{
    private readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly byte[] buffer = new byte[70_000];

    public TftpTestClient(IPEndPoint server, IPAddress? local = null)
    {
        Server = server;
        socket.ReceiveBufferSize = 4 << 20;
        socket.Bind(new IPEndPoint(local ?? IPAddress.Loopback, 0));
    }

    public IPEndPoint Server { get; }

    public int Port => ((IPEndPoint)socket.LocalEndPoint!).Port;

    public EndPoint? LastSender { get; private set; }

    public void Send(params ReadOnlySpan<byte> datagram) => socket.SendTo(datagram, Server);

    public void SendHex(string hex) => Send(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)));

    public void Read(string name, string options = "", TftpMode mode = TftpMode.Octet, bool write = false)
    {
        var datagram = new byte[600];
        Send(datagram.AsSpan(0, new TftpRequest { FileName = name, Mode = mode, IsWrite = write, Options = Options(options) }.Write(datagram)));
    }

    public void Acknowledge(int block)
    {
        Span<byte> packet = stackalloc byte[4];
        TftpPacket.WriteAcknowledgment(packet, (ushort)block);
        Send(packet);
    }

    public void Error(TftpErrorCode code, string message)
    {
        var packet = new byte[100];
        Send(packet.AsSpan(0, TftpPacket.WriteError(packet, code, message)));
    }

    /// <summary>The next datagram, or null when none comes in time.</summary>
    public byte[]? Receive(int milliseconds = 3000)
    {
        if (!socket.Poll(milliseconds * 1000, SelectMode.SelectRead))
            return null;
        EndPoint sender = new IPEndPoint(IPAddress.Any, 0);
        var length = socket.ReceiveFrom(buffer, ref sender);
        LastSender = sender;
        return buffer[..length];
    }

    /// <summary>Without an allocation; fails when nothing comes.</summary>
    public void ReceiveInto(Span<byte> destination)
    {
        Assert.True(socket.Poll(3_000_000, SelectMode.SelectRead));
        socket.Receive(destination);
    }

    public string? ReceiveHex(int milliseconds = 3000) => Receive(milliseconds) is { } datagram ? Convert.ToHexString(datagram) : null;

    /// <summary>The number of the next DATA; fails on anything else.</summary>
    public int ReceiveBlock(int milliseconds = 3000)
    {
        var datagram = Receive(milliseconds);
        Assert.NotNull(datagram);
        Assert.True(TftpPacket.TryParseData(datagram, out var block, out _, out var reason), reason);
        return block;
    }

    /// <summary>The next packet as text: <c>ERROR 1 no x here</c>, <c>OACK blksize=8</c>, <c>DATA 1 512</c>.</summary>
    public string ReceiveText(int milliseconds = 3000)
    {
        var datagram = Receive(milliseconds);
        if (datagram is null)
            return "nothing";
        if (TftpPacket.TryParseError(datagram, out var code, out var message, out _))
            return $"ERROR {(int)code} {message}";
        if (TftpPacket.TryParseOptionAcknowledgment(datagram, out var options, out _))
            return "OACK " + string.Join(' ', options.Select(o => $"{o.Name}={o.Value}"));
        return TftpPacket.TryParseData(datagram, out var block, out var data, out _) ? $"DATA {block} {data.Length}" : Convert.ToHexString(datagram);
    }

    /// <summary>
    /// A whole transfer as a careful client does it: repeats its last packet when nothing comes, keeps what it has in order,
    /// acknowledges the end of each window and the last good block when one is missing (RFC 7440).
    /// </summary>
    public byte[] Download(string name, string options = "", TftpMode mode = TftpMode.Octet, int timeout = 200, bool acknowledgeLast = true, int rolloverTo = 0)
    {
        var result = new MemoryStream();
        int blockSize = 512, windowSize = 1;
        long got = 0, lastAcknowledged = 0;
        var started = options.Length == 0;
        var silent = 0;
        Read(name, options, mode);
        while (true)
        {
            var datagram = Receive(timeout);
            if (datagram is null)
            {
                Assert.True(++silent < 100, $"nothing came for {silent * timeout} ms, {got} blocks received");
                if (!started || got == 0 && options.Length == 0)
                    Read(name, options, mode);
                else
                    Acknowledge(TftpBlockNumber.ToWire(lastAcknowledged = got, rolloverTo));
                continue;
            }
            silent = 0;
            Assert.False(TftpPacket.TryParseError(datagram, out var code, out var message, out _), $"ERROR {code} {message}");
            if (TftpPacket.TryParseOptionAcknowledgment(datagram, out var accepted, out _))
            {
                if (got > 0)
                    continue;
                started = true;
                foreach (var option in accepted)
                {
                    if (option.Is("blksize"))
                        blockSize = int.Parse(option.Value);
                    if (option.Is("windowsize"))
                        windowSize = int.Parse(option.Value);
                }
                Acknowledge(0);
                continue;
            }
            Assert.True(TftpPacket.TryParseData(datagram, out var block, out var data, out var reason), reason);
            started = true;
            if (block != TftpBlockNumber.ToWire(got + 1, rolloverTo))
            {
                // A gap: say what is there. The last block again: our acknowledgment got lost. Older ones are echoes.
                if (got > 0 && block == TftpBlockNumber.ToWire(got, rolloverTo) || TftpBlockNumber.FromWire(block, got + 1, got + windowSize, rolloverTo) > 0)
                    Acknowledge(TftpBlockNumber.ToWire(lastAcknowledged = got, rolloverTo));
                continue;
            }
            got++;
            result.Write(data);
            var last = data.Length < blockSize;
            if (last && !acknowledgeLast)
                return result.ToArray();
            if (last || got - lastAcknowledged >= windowSize)
                Acknowledge(TftpBlockNumber.ToWire(lastAcknowledged = got, rolloverTo));
            if (last)
                return result.ToArray();
        }
    }

    public void Dispose() => socket.Dispose();

    private static ImmutableArray<TftpOption> Options(string text) =>
        [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(o => o.Split('=')).Select(o => new TftpOption(o[0], o[1]))];
}
