using Provisioner.Networks.Sockets;
using Provisioner.Protocols.Tftp;

namespace Provisioner.Boot.Tftp;

/// <summary>One transfer. Driven by the server's thread: an acknowledgment or a time out in, packets out.</summary>
internal sealed class TftpSession : IDisposable
{
    private readonly DatagramSocket socket;
    private readonly BlockBuffer buffer;
    private readonly int rolloverTo;
    private readonly long timeoutTicks;

    /// <summary>The last block the client has; 0 the OACK; -1 while the OACK is not acknowledged.</summary>
    private long acknowledged;

    /// <summary>The last block of the window under way.</summary>
    private long sent;

    /// <summary>The highest block ever sent: below it a window repeats something.</summary>
    private long everSent;

    private bool offload = true;
    private bool optionsSent;
    private bool windowRepeats;
    private bool duplicateMeansLoss;

    /// <param name="socket">Shared by all transfers.</param>
    /// <param name="client">Who asked, and at which of our addresses: answers come from there.</param>
    /// <param name="request">The datagram, to know its repetition.</param>
    /// <param name="asset">What is sent.</param>
    /// <param name="parameters">As agreed.</param>
    /// <param name="content">Owned from here on.</param>
    /// <param name="rolloverTo">The block number after 65535.</param>
    /// <param name="now">The time, in timestamp ticks.</param>
    /// <param name="timeoutTicks">Timestamp ticks until packets are sent again.</param>
    public TftpSession(DatagramSocket socket, DatagramInfo client, byte[] request, BootAsset asset, TftpParameters parameters, TftpContent content, int rolloverTo, long now, long timeoutTicks)
    {
        this.socket = socket;
        this.rolloverTo = rolloverTo;
        this.timeoutTicks = timeoutTicks;
        buffer = new BlockBuffer(content, parameters, rolloverTo);
        Client = client;
        Request = request;
        Asset = asset;
        Parameters = parameters;
        StartedAt = now;
        acknowledged = parameters.Acknowledged.IsEmpty ? 0 : -1;
    }

    public DatagramInfo Client { get; }

    public byte[] Request { get; }

    public BootAsset Asset { get; }

    public TftpParameters Parameters { get; }

    public long StartedAt { get; }

    /// <summary>When packets are sent again, in timestamp ticks.</summary>
    public long Deadline { get; private set; }

    /// <summary>How often the window under way was sent again.</summary>
    public int Repetitions { get; private set; }

    /// <summary>Blocks the client has.</summary>
    public long BlocksAcknowledged => Math.Max(0, acknowledged);

    /// <summary>Blocks of the whole transfer as far as known.</summary>
    public long? Blocks => buffer.FinalBlock < 0 ? null : buffer.FinalBlock;

    /// <summary>Octets sent; not the file's length in netascii.</summary>
    public long Octets => buffer.OctetsRead;

    /// <summary>All is sent, and only the last window not acknowledged.</summary>
    public bool OnlyTheEndIsOpen => buffer.FinalBlock >= 0 && sent == buffer.FinalBlock;

    /// <summary>Why the kernel did not take the last packets; null when it did.</summary>
    public string? SendError { get; private set; }

    /// <summary>Sends the OACK, or the first window when nothing was negotiated; also when the request comes again before the first acknowledgment.</summary>
    /// <exception cref="IOException">The content cannot be read.</exception>
    public void Start(long now) => SendWindow(now);

    /// <summary>The client has this block and all before it.</summary>
    /// <returns>True when it has the whole file.</returns>
    /// <exception cref="IOException">The content cannot be read.</exception>
    public bool Acknowledge(ushort wire, long now)
    {
        var block = TftpBlockNumber.FromWire(wire, Math.Max(0, acknowledged), sent, rolloverTo);
        if (block < 0)
            return false;
        if (block == acknowledged)
        {
            // Answering a duplicate doubles every packet from there on (Sorcerer's Apprentice, RFC 1123 §4.2.3.1). With windows it also
            // says that a window's first block was lost (RFC 7440 §4), unless the window before was sent twice and so acknowledged twice.
            if (duplicateMeansLoss && Parameters.WindowSize > 1)
            {
                duplicateMeansLoss = false;
                SendWindow(now);
            }
            return false;
        }
        // Less than the window: the rest is missing and sent again from there (RFC 7440 §4). More such acknowledgments may follow, one
        // for each packet that came behind the gap.
        duplicateMeansLoss = block == sent && !windowRepeats;
        acknowledged = block;
        Repetitions = 0;
        if (block == buffer.FinalBlock)
            return true;
        SendWindow(now);
        return false;
    }

    /// <summary>Sends the window again.</summary>
    /// <exception cref="IOException">The content cannot be read.</exception>
    public void Repeat(long now)
    {
        Repetitions++;
        duplicateMeansLoss = false;
        SendWindow(now);
    }

    public void Dispose() => buffer.Dispose();

    /// <summary>From the address that was asked; routes decide by which interface.</summary>
    private void SendWindow(long now)
    {
        Deadline = now + timeoutTicks;
        if (acknowledged < 0)
        {
            Span<byte> reply = stackalloc byte[512];
            var length = TftpPacket.WriteOptionAcknowledgment(reply, Parameters.Acknowledged);
            windowRepeats = optionsSent;
            optionsSent = true;
            Sent(socket.Send(reply[..length], Client.RemoteAddress, Client.RemotePort, Client.LocalAddress));
            return;
        }
        var from = acknowledged + 1;
        var packets = buffer.Take(from, Parameters.WindowSize, out var blocks);
        sent = acknowledged + blocks;
        windowRepeats = from <= everSent;
        everSent = Math.Max(everSent, sent);
        Sent(blocks == 1
            ? socket.Send(packets, Client.RemoteAddress, Client.RemotePort, Client.LocalAddress)
            : socket.SendRun(packets, buffer.PacketSize, Client.RemoteAddress, Client.RemotePort, Client.LocalAddress, 0, ref offload));
    }

    private void Sent(bool taken) => SendError = taken ? null : System.Runtime.InteropServices.Marshal.GetLastPInvokeErrorMessage();
}
