using System.Net;
using System.Net.Sockets;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Networks.Sockets;
using Provisioner.Protocols;
using Provisioner.Protocols.Tftp;
using Provisioner.Storage;

namespace Provisioner.Boot.Tftp;

/// <summary>
/// The TFTP plane: read only, on one port, on one thread of its own. Transfers are told apart by the client's address and port. An
/// acknowledgment is answered without an allocation, a task or a lock.
/// </summary>
/// <remarks>RFC 1350, 2347, 2348, 2349, 7440. A name only ever reaches <see cref="IBootCatalogue"/>, never the disk.</remarks>
internal sealed class TftpServer : IDisposable
{
    private const int BatchSize = 64;

    /// <summary>RFC 2347 allows 512 octets for a request; more than a frame holds is cut off.</summary>
    private const int DatagramSize = 1500;

    /// <summary>How many datagrams that belong to nothing are recorded in a second: a port scan must not push the boot's own events out.</summary>
    private const int RecordedNoisePerSecond = 10;

    /// <summary>A repeated request this soon after the first, with blocks acknowledged since, was doubled by the network.</summary>
    private static readonly TimeSpan DuplicateRequestAge = TimeSpan.FromSeconds(1);

    private readonly TftpOptions options;
    private readonly IBootCatalogue catalogue;
    private readonly CurrentState state;
    private readonly AddressBook addresses;
    private readonly BootJournal journal;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Dictionary<ulong, TftpSession> sessions = [];
    private readonly OpenFiles files = new();
    private readonly DatagramBatch batch = new(BatchSize, DatagramSize);
    private readonly TaskCompletionSource completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int idleWait;
    private DatagramSocket? socket;
    private Thread? thread;
    private volatile bool stopping;
    private int sessionCount;
    private long rounds;
    private long now;
    private long noiseSecond;
    private int noise;

    public TftpServer(TftpOptions options, IBootCatalogue catalogue, CurrentState state, AddressBook addresses, BootJournal journal, TimeProvider time, ILogger<TftpServer> logger)
    {
        this.options = options;
        this.catalogue = catalogue;
        this.state = state;
        this.addresses = addresses;
        this.journal = journal;
        this.time = time;
        this.logger = logger;
        idleWait = (int)Math.Clamp(options.Timeout.TotalMilliseconds / 8, 5, 100);
    }

    /// <summary>The UDP port it listens at, once started.</summary>
    public int Port => socket?.Port ?? options.Port;

    /// <summary>Transfers under way.</summary>
    public int Sessions => Volatile.Read(ref sessionCount);

    /// <summary>Ends when the thread has ended; fails when its socket broke.</summary>
    public Task Completion => completion.Task;

    /// <summary>Listens, and serves on a thread of its own.</summary>
    /// <exception cref="ListenException">It cannot listen; the message says what to do.</exception>
    public void Start()
    {
        try
        {
            socket = DatagramSocket.Bind(options.Address, options.Port);
        }
        catch (SocketException error)
        {
            throw ListenException.ForUdp("TFTP", "tftp.port", options.Address, options.Port, error);
        }
        logger.Listening(options.Address.ToString(), Port, socket.SegmentationOffload);
        thread = new Thread(() => Run(socket)) { IsBackground = true, Name = "TFTP" };
        thread.Start();
    }

    /// <summary>Ends when the thread went round once more.</summary>
    public async Task GoRoundAsync(CancellationToken cancellation)
    {
        var before = Volatile.Read(ref rounds);
        while (Volatile.Read(ref rounds) == before && !stopping && !completion.Task.IsCompleted)
        {
            socket?.Wake();
            await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancellation);
        }
    }

    /// <summary>Ends all transfers and frees the port.</summary>
    public void Dispose()
    {
        if (stopping)
            return;
        stopping = true;
        socket?.Wake();
        thread?.Join();
        socket?.Dispose();
        batch.Dispose();
    }

    private void Run(DatagramSocket open)
    {
        try
        {
            var nextSweep = 0L;
            var sweepTicks = time.TimestampFrequency * idleWait / 1000;
            while (!stopping)
            {
                // Between acknowledgments wait in the receive itself; with no transfer under way wait where Wake is heard.
                var count = sessions.Count > 0 ? open.ReceiveBlocking(batch, idleWait, busy: sessions.Count > 1) : open.Receive(batch, -1);
                now = time.GetTimestamp();
                for (var i = 0; i < count; i++)
                    HandleSafely(open, batch.Payload(i), batch.Info(i));
                if (now >= nextSweep)
                {
                    nextSweep = now + sweepTicks;
                    Sweep();
                }
                Volatile.Write(ref rounds, rounds + 1);
            }
            completion.TrySetResult();
        }
        catch (SocketException error)
        {
            logger.SocketBroken(error);
            completion.TrySetException(error);
        }
        finally
        {
            foreach (var session in sessions.Values)
            {
                Record(EventOutcome.Failed, session.Client, $"{session.Asset.Name} broken off after block {session.BlocksAcknowledged}", "the service stopped");
                session.Dispose();
            }
            sessions.Clear();
            Volatile.Write(ref sessionCount, 0);
        }
    }

    /// <summary>Whatever one client or one file causes ends at most its own transfer.</summary>
    private void HandleSafely(DatagramSocket open, ReadOnlySpan<byte> datagram, DatagramInfo info)
    {
        try
        {
            Handle(open, datagram, info);
        }
        catch (Exception error) when (error is not SocketException)
        {
            logger.Unexpected(error, EndPoint(info));
            if (sessions.TryGetValue(Key(info), out var session))
                End(session);
            SendError(open, info, TftpErrorCode.NotDefined, "internal error");
            Record(EventOutcome.Failed, info, "request could not be handled", $"internal error: {error.Message}");
        }
    }

    private void Handle(DatagramSocket open, ReadOnlySpan<byte> datagram, DatagramInfo info)
    {
        if (!TftpPacket.TryParseOpcode(datagram, out var opcode, out var reason))
        {
            Ignore(info, $"not TFTP: {reason}");
            return;
        }
        switch (opcode)
        {
            case TftpOpcode.Acknowledgment when sessions.TryGetValue(Key(info), out var session):
                if (TftpPacket.TryParseAcknowledgment(datagram, out var block, out _))
                    Acknowledge(open, session, block);
                break;

            case TftpOpcode.ReadRequest or TftpOpcode.WriteRequest:
                Request(open, datagram, info);
                break;

            case TftpOpcode.Error when sessions.TryGetValue(Key(info), out var session):
                if (TftpPacket.TryParseError(datagram, out var code, out var message, out _))
                    ClientError(session, code, message);
                break;

            case TftpOpcode.Error:
                // Never answered, or two servers could go on for ever. Usually the client gave up what we had given up before.
                logger.Ignored(EndPoint(info), "ERROR for no transfer under way");
                break;

            default:
                // RFC 1350 §4: a packet from an unknown transfer ID gets ERROR 5, and nothing else is disturbed by it.
                SendError(open, info, TftpErrorCode.UnknownTransferId, "no transfer under way from this port");
                Ignore(info, $"{opcode} for no transfer under way, answered with ERROR 5");
                break;
        }
    }

    private void Request(DatagramSocket open, ReadOnlySpan<byte> datagram, DatagramInfo info)
    {
        if (info.RemotePort == 0 || info.RemoteAddress.IsAny || info.RemoteAddress == Ipv4Address.Broadcast)
        {
            Ignore(info, "request from an address that cannot be answered");
            return;
        }
        if (sessions.TryGetValue(Key(info), out var before))
        {
            if (datagram.SequenceEqual(before.Request))
            {
                if (before.BlocksAcknowledged == 0)
                {
                    // Our first answer is late or lost.
                    logger.Ignored(EndPoint(info), "repeated request, first answer sent again");
                    Continue(open, before, () => before.Start(now));
                    return;
                }
                if (time.GetElapsedTime(before.StartedAt, now) < DuplicateRequestAge)
                {
                    logger.Ignored(EndPoint(info), "request doubled by the network");
                    return;
                }
            }
            logger.Ignored(EndPoint(info), $"new request from the port of a transfer, which ends after block {before.BlocksAcknowledged}");
            End(before);
        }
        if (!TftpRequest.TryParse(datagram, out var request, out var reason))
        {
            Refuse(open, info, TftpErrorCode.IllegalOperation, "request", reason);
            return;
        }
        if (logger.IsEnabled(LogLevel.Debug))
            logger.Requested(EndPoint(info), request.ToString());
        if (request.IsWrite)
        {
            Refuse(open, info, TftpErrorCode.AccessViolation, $"write of {request.FileName}", "this server is read only");
            return;
        }
        if (request.Mode == TftpMode.Mail)
        {
            Refuse(open, info, TftpErrorCode.IllegalOperation, request.FileName, "mode mail is obsolete, octet and netascii are served");
            return;
        }
        var lookup = catalogue.Find(request.CatalogueName, new BootClient(info.RemoteAddress, new BootEndpoint(info.LocalAddress, options.HttpPort)) { TftpPort = Port });
        if (lookup.Asset is not { } asset)
        {
            Refuse(open, info, TftpErrorCode.FileNotFound, request.FileName, lookup.Refusal ?? "not in the catalogue");
            return;
        }
        if (sessions.Count >= options.MaxSessions)
        {
            Refuse(open, info, TftpErrorCode.NotDefined, request.FileName, $"busy: {sessions.Count} transfers are under way, the most allowed");
            return;
        }
        Begin(open, datagram, info, request, asset);
    }

    private void Begin(DatagramSocket open, ReadOnlySpan<byte> datagram, DatagramInfo info, TftpRequest request, BootAsset asset)
    {
        TftpContent content;
        try
        {
            content = asset switch
            {
                BootAsset.InMemory memory => new MemoryContent(memory.Content),
                BootAsset.OnDisk disk => new FileContent(files.Open(disk.Path, disk.Length), disk.Length),
                _ => throw new NotSupportedException($"{asset.GetType().Name} cannot be sent by TFTP"),
            };
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            var missing = error is FileNotFoundException or DirectoryNotFoundException;
            Refuse(open, info, missing ? TftpErrorCode.FileNotFound : TftpErrorCode.NotDefined, request.FileName, missing ? "the file is registered and not on disk" : error.Message);
            return;
        }
        if (request.Mode == TftpMode.Netascii)
            content = new NetasciiContent(content);
        var parameters = TftpNegotiation.Negotiate(request, Limits(info.RemoteAddress), asset.Length);
        var timeout = parameters.TimeoutSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : options.Timeout;
        var session = new TftpSession(open, info, datagram.ToArray(), asset, parameters, content, options.BlockRollover, now, (long)(timeout.TotalSeconds * time.TimestampFrequency));
        sessions.Add(Key(info), session);
        Volatile.Write(ref sessionCount, sessions.Count);
        Continue(open, session, () => session.Start(now));
    }

    private TftpLimits Limits(Ipv4Address client)
    {
        var blockSize = options.MaxBlockSize;
        var prefix = -1;
        foreach (var (_, network) in state.Snapshot.Networks)
        {
            var subnet = network.Spec.Subnet;
            if (subnet.PrefixLength <= prefix || !subnet.Contains(client))
                continue;
            prefix = subnet.PrefixLength;
            blockSize = Math.Min(options.MaxBlockSize, network.Spec.TftpBlockSize);
        }
        return new TftpLimits { BlockSize = blockSize, WindowSize = options.MaxWindowSize, WindowOctets = BlockBuffer.Capacity };
    }

    private void Acknowledge(DatagramSocket open, TftpSession session, ushort block)
    {
        try
        {
            if (!session.Acknowledge(block, now))
                return;
        }
        catch (IOException error)
        {
            Break(open, session, error);
            return;
        }
        Finish(session, session.Asset.Reason);
    }

    private void Continue(DatagramSocket open, TftpSession session, Action send)
    {
        try
        {
            send();
        }
        catch (IOException error)
        {
            Break(open, session, error);
        }
    }

    private void Break(DatagramSocket open, TftpSession session, IOException error)
    {
        SendError(open, session.Client, TftpErrorCode.NotDefined, error.Message);
        Broken(session, error.Message);
    }

    private void ClientError(TftpSession session, TftpErrorCode code, string message)
    {
        var said = message.Length == 0 ? $"ERROR {(ushort)code}" : $"ERROR {(ushort)code} '{message}'";
        if (session.BlocksAcknowledged == 0 && !session.Parameters.Acknowledged.IsEmpty && code != TftpErrorCode.DiskFull)
        {
            // EDK2 asks for the size, ends the transfer with ERROR 8 and asks again for the file: no failure (pin/tftp#125).
            logger.Ignored(EndPoint(session.Client), $"{said} to the OACK of {session.Asset.Name}: it only asked for its options");
            End(session);
            return;
        }
        Broken(session, $"the client ended it with {said}");
    }

    private void Sweep()
    {
        foreach (var session in sessions.Values)
        {
            if (now < session.Deadline)
                continue;
            if (session.Repetitions < options.Retries)
            {
                Continue(socket!, session, () => session.Repeat(now));
                continue;
            }
            if (session.OnlyTheEndIsOpen)
            {
                // Some clients have what they wanted and never acknowledge the last block.
                Finish(session, $"{session.Asset.Reason}; the client did not acknowledge the end");
                continue;
            }
            SendError(socket!, session.Client, TftpErrorCode.NotDefined, "no acknowledgment came");
            Broken(session, session.SendError is { } sendError
                ? $"the packets could not be sent: {sendError}"
                : $"no acknowledgment came, though the packets were sent {session.Repetitions + 1} times");
        }
    }

    private void Finish(TftpSession session, string reason)
    {
        var elapsed = time.GetElapsedTime(session.StartedAt, now);
        var what = $"sent {session.Asset.Name}, {Size(session.Octets)} in {elapsed.TotalSeconds:0.0##} s, blksize {session.Parameters.BlockSize} windowsize {session.Parameters.WindowSize}";
        logger.Sent(EndPoint(session.Client), what, reason);
        Record(EventOutcome.Answered, session.Client, what, reason);
        End(session);
    }

    private void Broken(TftpSession session, string reason)
    {
        var of = session.Blocks is { } blocks ? $" of {blocks}" : "";
        var what = $"{session.Asset.Name} broken off after block {session.BlocksAcknowledged}{of}";
        logger.Broken(EndPoint(session.Client), what, reason);
        Record(EventOutcome.Failed, session.Client, what, reason);
        End(session);
    }

    private void End(TftpSession session)
    {
        sessions.Remove(Key(session.Client));
        Volatile.Write(ref sessionCount, sessions.Count);
        session.Dispose();
    }

    private void Refuse(DatagramSocket open, DatagramInfo info, TftpErrorCode code, string what, string reason)
    {
        SendError(open, info, code, reason);
        logger.Refused(EndPoint(info), $"{what} refused", reason);
        Record(EventOutcome.Refused, info, $"{what} refused with ERROR {(ushort)code}", reason);
    }

    private void Ignore(DatagramInfo info, string reason)
    {
        logger.Ignored(EndPoint(info), reason);
        var second = now / time.TimestampFrequency;
        if (second != noiseSecond)
        {
            noiseSecond = second;
            noise = 0;
        }
        if (++noise <= RecordedNoisePerSecond)
            Record(EventOutcome.Silent, info, $"datagram from {info.RemoteAddress}:{info.RemotePort}", reason);
    }

    private void Record(EventOutcome outcome, DatagramInfo info, string what, string reason)
    {
        var mac = addresses.Find(info.RemoteAddress);
        journal.Record(new Event
        {
            At = time.GetUtcNow(),
            Source = EventSource.Tftp,
            Outcome = outcome,
            MacAddress = mac,
            Host = mac is { } known ? state.Snapshot.FindHost(known)?.Name : null,
            What = what,
            Reason = reason,
        });
    }

    private static void SendError(DatagramSocket open, DatagramInfo info, TftpErrorCode code, string message)
    {
        Span<byte> reply = stackalloc byte[512];
        var length = TftpPacket.WriteError(reply, code, message);
        open.Send(reply[..length], info.RemoteAddress, info.RemotePort, info.LocalAddress);
    }

    private static ulong Key(DatagramInfo info) => (ulong)info.RemoteAddress.Bits << 16 | (uint)info.RemotePort;

    private static IPEndPoint EndPoint(DatagramInfo info) => new(info.RemoteAddress.ToIPAddress(), info.RemotePort);

    private static string Size(long octets) => octets switch
    {
        < 1000 => $"{octets} B",
        < 1_000_000 => $"{octets / 1e3:0.#} kB",
        _ => $"{octets / 1e6:0.0} MB",
    };
}
