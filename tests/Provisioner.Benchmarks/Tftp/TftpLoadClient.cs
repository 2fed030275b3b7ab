using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Provisioner.Networks.Sockets;
using Provisioner.Protocols.Tftp;

namespace Provisioner.Benchmarks.Tftp;

/// <summary>
/// Many transfers on one thread: each with a socket of its own, as hosts have, all blocks counted and thrown away. Takes up to 64
/// datagrams in a system call, so that the server is what is measured.
/// </summary>
internal sealed unsafe class TftpLoadClient : IDisposable
{
    private const int Batch = 64;
    private const int DatagramSize = 2048;

    private readonly Libc.MultiMessage* messages = (Libc.MultiMessage*)NativeMemory.AllocZeroed(Batch, (nuint)sizeof(Libc.MultiMessage));
    private readonly Libc.IoVector* vectors = (Libc.IoVector*)NativeMemory.AllocZeroed(Batch, (nuint)sizeof(Libc.IoVector));
    private readonly Libc.SocketAddressIn* name = (Libc.SocketAddressIn*)NativeMemory.AllocZeroed(1, (nuint)sizeof(Libc.SocketAddressIn));
    private readonly byte* payloads = (byte*)NativeMemory.Alloc(Batch, DatagramSize);

    public TftpLoadClient()
    {
        for (var i = 0; i < Batch; i++)
        {
            vectors[i] = new Libc.IoVector { Base = payloads + i * DatagramSize, Length = DatagramSize };
            messages[i].Message.Vectors = vectors + i;
            messages[i].Message.VectorCount = 1;
        }
    }

    /// <summary>What the server agreed to in the last run.</summary>
    public string Agreed { get; private set; } = "";

    /// <summary>Windows or acknowledgments that had to be asked for again.</summary>
    public int Repeats { get; private set; }

    /// <summary>Loads the file by all clients at once.</summary>
    /// <returns>Seconds from the first request to the last block.</returns>
    /// <exception cref="InvalidOperationException">A transfer failed.</exception>
    public double Run(IPEndPoint server, string file, long length, int blockSize, int windowSize, int clients)
    {
        Repeats = 0;
        Agreed = "";
        var transfers = Enumerable.Range(0, clients).Select(_ => new Transfer(server, file, blockSize, windowSize)).ToArray();
        try
        {
            var started = Stopwatch.GetTimestamp();
            foreach (var transfer in transfers)
                transfer.Request();
            if (clients == 1)
                RunOne(transfers[0], started);
            else
                RunMany(transfers, started);
            var elapsed = Stopwatch.GetElapsedTime(started).TotalSeconds;
            if (transfers.FirstOrDefault(t => t.Octets != length) is { } wrong)
                throw new InvalidOperationException($"{wrong.Octets} octets came, {length} were expected");
            Agreed = transfers[0].Agreed;
            return elapsed;
        }
        finally
        {
            foreach (var transfer in transfers)
                transfer.Dispose();
        }
    }

    public void Dispose()
    {
        NativeMemory.Free(messages);
        NativeMemory.Free(vectors);
        NativeMemory.Free(name);
        NativeMemory.Free(payloads);
    }

    private void RunOne(Transfer transfer, long started)
    {
        while (!transfer.Done)
        {
            if (!Take(transfer, Libc.MSG_WAITFORONE))
                Silent(transfer, started);
        }
    }

    private void RunMany(Transfer[] transfers, long started)
    {
        var descriptors = stackalloc Libc.PollDescriptor[transfers.Length];
        var open = transfers.Length;
        var polled = new List<Transfer>(transfers);
        while (open > 0)
        {
            for (var i = 0; i < open; i++)
                descriptors[i] = new Libc.PollDescriptor { Descriptor = polled[i].Descriptor, Events = Libc.POLLIN };
            var ready = Libc.poll(descriptors, (nuint)open, 1000);
            for (var i = open - 1; i >= 0; i--)
            {
                var transfer = polled[i];
                if (descriptors[i].Returned != 0)
                    Take(transfer, Libc.MSG_DONTWAIT);
                else if (ready == 0)
                    Silent(transfer, started);
                if (transfer.Done)
                {
                    polled.RemoveAt(i);
                    open--;
                }
            }
        }
    }

    private void Silent(Transfer transfer, long started)
    {
        if (Stopwatch.GetElapsedTime(started).TotalSeconds > 120)
            throw new InvalidOperationException($"nothing comes any more, {transfer.Octets} octets came");
        Repeats++;
        transfer.Repeat();
    }

    private bool Take(Transfer transfer, int flags)
    {
        if (!transfer.Connected)
        {
            messages[0].Message.Name = name;
            messages[0].Message.NameLength = (uint)sizeof(Libc.SocketAddressIn);
        }
        var count = Libc.recvmmsg(transfer.Handle, messages, transfer.Connected ? Batch : 1u, flags, null);
        if (!transfer.Connected)
        {
            messages[0].Message.Name = null;
            messages[0].Message.NameLength = 0;
            if (count > 0)
                transfer.Connect(name);
        }
        for (var i = 0; i < count; i++)
            transfer.Receive(new ReadOnlySpan<byte>(payloads + i * DatagramSize, (int)messages[i].Length));
        return count > 0;
    }

    private sealed class Transfer : IDisposable
    {
        private readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        private readonly IPEndPoint server;
        private readonly byte[] request = new byte[512];
        private readonly int requestLength;
        private readonly byte[] acknowledgment = new byte[4];
        private int blockSize = 512;
        private int windowSize = 1;
        private long block;
        private long acknowledged;
        private long gapSaid = -1;

        public Transfer(IPEndPoint server, string file, int blockSize, int windowSize)
        {
            this.server = server;
            var options = new List<TftpOption>();
            if (blockSize != 512)
                options.Add(new TftpOption(TftpOption.BlockSize, blockSize.ToString()));
            if (windowSize != 1)
                options.Add(new TftpOption(TftpOption.WindowSize, windowSize.ToString()));
            requestLength = new TftpRequest { FileName = file, Options = [.. options] }.Write(request);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            socket.SetRawSocketOption(Libc.SOL_SOCKET, Libc.SO_RCVBUFFORCE, BitConverter.GetBytes(4 << 20));
            socket.ReceiveTimeout = 1000;
            Handle = socket.SafeHandle;
            Descriptor = (int)Handle.DangerousGetHandle();
        }

        public SafeHandle Handle { get; }

        public int Descriptor { get; }

        public bool Connected { get; private set; }

        public bool Done { get; private set; }

        public long Octets { get; private set; }

        public string Agreed => $"blksize {blockSize} windowsize {windowSize}";

        public void Request() => socket.SendTo(request.AsSpan(0, requestLength), server);

        public void Repeat()
        {
            if (Connected)
                Acknowledge();
            else
                Request();
        }

        public void Connect(Libc.SocketAddressIn* from)
        {
            var port = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(from->Port);
            socket.Connect(new IPEndPoint(from->Address, port));
            Connected = true;
        }

        public void Receive(ReadOnlySpan<byte> datagram)
        {
            if (TftpPacket.TryParseData(datagram, out var number, out var data, out _))
            {
                if (number != (ushort)(block + 1))
                {
                    // Once for each gap.
                    if ((ushort)(number - block) < 1000 && gapSaid != block)
                    {
                        gapSaid = block;
                        Acknowledge();
                    }
                    return;
                }
                block++;
                Octets += data.Length;
                Done = data.Length < blockSize;
                if (Done || block - acknowledged >= windowSize)
                    Acknowledge();
            }
            else if (TftpPacket.TryParseOptionAcknowledgment(datagram, out var options, out _))
            {
                foreach (var option in options)
                {
                    if (option.Is(TftpOption.BlockSize))
                        blockSize = int.Parse(option.Value);
                    if (option.Is(TftpOption.WindowSize))
                        windowSize = int.Parse(option.Value);
                }
                if (block == 0)
                    Acknowledge();
            }
            else if (TftpPacket.TryParseError(datagram, out var code, out var message, out _))
            {
                throw new InvalidOperationException($"ERROR {(int)code} {message}");
            }
        }

        public void Dispose() => socket.Dispose();

        private void Acknowledge()
        {
            acknowledged = block;
            TftpPacket.WriteAcknowledgment(acknowledgment, (ushort)block);
            socket.Send(acknowledgment);
        }
    }
}
