using System.Net.Sockets;
using System.Runtime.InteropServices;
using Provisioner.Protocols;
using static Provisioner.Networks.Sockets.Libc;

namespace Provisioner.Networks.Sockets;

/// <summary>Many datagrams for one system call, in both directions.</summary>
internal sealed unsafe partial class DatagramSocket
{
    /// <summary>UDP_MAX_SEGMENTS of kernels before 6.9; later ones allow 128.</summary>
    private const int MaximumSegments = 64;

    /// <summary>The largest UDP payload of an IPv4 packet: 65535 without both headers.</summary>
    private const int MaximumPayload = 65_535 - 20 - 8;

    /// <summary>
    /// Looks at the queue before sleeping. Being put to sleep and woken costs more time than these looks, most of all in a virtual
    /// machine, and with several peers the next datagram is nearly there.
    /// </summary>
    private const int LooksBeforeSleep = 24;

    /// <summary>After this many vain rounds of looks the answers come slowly: sleep at once, and try again <see cref="SleepsBeforeLooks"/> receives later.</summary>
    private const int VainRounds = 4;

    private const int SleepsBeforeLooks = 64;

    private int blockingTimeout;
    private int vainRounds;
    private int sleeps;

    /// <summary>
    /// Whether this kernel cuts one large send into datagrams itself (UDP generic segmentation offload, Linux 4.18). Off, each
    /// datagram is handed over by itself in a sendmmsg.
    /// </summary>
    public bool SegmentationOffload { get; init; }

    /// <summary>Waits for datagrams and takes all that are there, up to the batch's capacity.</summary>
    /// <param name="batch">Holds them until the next receive.</param>
    /// <param name="timeoutMilliseconds">-1 waits without end, 0 not at all.</param>
    /// <returns>How many came; 0 when none came in time or <see cref="Wake"/> was called.</returns>
    /// <exception cref="SocketException">The socket is broken; the interface may be gone.</exception>
    public int Receive(DatagramBatch batch, int timeoutMilliseconds)
    {
        var messages = batch.Prepare();
        return Wait(timeoutMilliseconds) ? Take(batch, messages, MSG_DONTWAIT) : 0;
    }

    /// <summary>
    /// As <see cref="Receive(DatagramBatch, int)"/>, waiting inside recvmmsg: one system call instead of two, which counts when each
    /// datagram answers the one before. <see cref="Wake"/> is heard only when the time is over.
    /// </summary>
    /// <param name="batch">Holds them until the next receive.</param>
    /// <param name="timeoutMilliseconds">1 or more; changing it costs a system call.</param>
    /// <param name="busy">Several peers are expected to send: look a few times before sleeping.</param>
    public int ReceiveBlocking(DatagramBatch batch, int timeoutMilliseconds, bool busy = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(timeoutMilliseconds, 1);
        if (woken)
            return Receive(batch, 0);
        if (blockingTimeout != timeoutMilliseconds)
        {
            // struct timeval: seconds, microseconds.
            ReadOnlySpan<long> time = [timeoutMilliseconds / 1000, timeoutMilliseconds % 1000 * 1000L];
            socket.SetRawSocketOption(SOL_SOCKET, SO_RCVTIMEO, MemoryMarshal.AsBytes(time));
            blockingTimeout = timeoutMilliseconds;
        }
        var messages = batch.Prepare();
        var count = busy ? Look(batch, messages) : 0;
        return count > 0 ? count : Take(batch, messages, MSG_WAITFORONE);
    }

    /// <summary>Sends a run of datagrams to one destination.</summary>
    /// <param name="datagrams">One after the other without gaps.</param>
    /// <param name="size">The length of each, the last may be shorter.</param>
    /// <param name="to">The destination.</param>
    /// <param name="port">The destination's port.</param>
    /// <param name="from">The source address; 0.0.0.0 leaves it to the kernel.</param>
    /// <param name="interfaceIndex">The interface to leave by; 0 leaves it to the routing table.</param>
    /// <param name="offload">
    /// The caller's memory for this destination, true at first: set to false once the kernel refused to segment towards it, as when
    /// the datagrams exceed the path's MTU or the interface lacks checksum offload.
    /// </param>
    /// <returns>False when the kernel refused a datagram; <see cref="Marshal.GetLastPInvokeErrorMessage"/> tells why.</returns>
    public bool SendRun(ReadOnlySpan<byte> datagrams, int size, Ipv4Address to, int port, Ipv4Address from, int interfaceIndex, ref bool offload)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        var name = ToSocketAddress(to, port);
        var control = stackalloc byte[64];
        fixed (byte* start = datagrams)
        {
            var message = new Message { Name = &name, NameLength = (uint)sizeof(SocketAddressIn), VectorCount = 1 };
            AddPacketInformation(&message, control, from, interfaceIndex);
            var position = 0;
            while (position < datagrams.Length)
            {
                var left = datagrams.Length - position;
                if (left > size && offload && SegmentationOffload && size * 2 <= MaximumPayload)
                {
                    var run = Math.Min(left, Math.Min(MaximumSegments, MaximumPayload / size) * size);
                    if (SendSegmented(message, control, start + position, run, (ushort)size))
                    {
                        position += run;
                        continue;
                    }
                    if (Marshal.GetLastPInvokeError() is not (EINVAL or EIO or EMSGSIZE or ENOPROTOOPT or EOPNOTSUPP))
                        return false;
                    offload = false;
                }
                var count = Math.Min(MaximumSegments, (left + size - 1) / size);
                if (!SendEach(message, start + position, left, size, count))
                    return false;
                position += Math.Min(left, count * size);
            }
        }
        return true;
    }

    private bool SendSegmented(Message message, byte* control, byte* start, int length, ushort size)
    {
        var vector = new IoVector { Base = start, Length = (nuint)length };
        message.Vectors = &vector;
        var header = control + message.ControlLength;
        *(ControlHeader*)header = new ControlHeader { Length = ControlHeader.Size + sizeof(ushort), Level = SOL_UDP, Type = UDP_SEGMENT };
        *(ushort*)(header + ControlHeader.Size) = size;
        message.Control = control;
        message.ControlLength += (nuint)ControlHeader.Space(sizeof(ushort));
        return Send(&message);
    }

    private bool SendEach(Message message, byte* start, int length, int size, int count)
    {
        var vectors = stackalloc IoVector[count];
        var messages = stackalloc MultiMessage[count];
        for (var i = 0; i < count; i++)
        {
            vectors[i] = new IoVector { Base = start + i * size, Length = (nuint)Math.Min(size, length - i * size) };
            messages[i].Message = message;
            messages[i].Message.Vectors = vectors + i;
            messages[i].Message.VectorCount = 1;
        }
        for (var sent = 0; sent < count;)
        {
            var now = sendmmsg(handle, messages + sent, (uint)(count - sent), 0);
            if (now > 0)
                sent += now;
            else if (Marshal.GetLastPInvokeError() != EINTR)
                return false;
        }
        return true;
    }

    private int Look(DatagramBatch batch, MultiMessage* messages)
    {
        if (vainRounds >= VainRounds && ++sleeps < SleepsBeforeLooks)
            return 0;
        for (var look = 0; look < LooksBeforeSleep; look++)
        {
            if (Take(batch, messages, MSG_DONTWAIT) is > 0 and var count)
            {
                vainRounds = 0;
                return count;
            }
            Thread.SpinWait(8);
        }
        vainRounds++;
        sleeps = 0;
        return 0;
    }

    private int Take(DatagramBatch batch, MultiMessage* messages, int flags)
    {
        var count = recvmmsg(handle, messages, (uint)batch.Capacity, flags, null);
        if (count < 0)
            return IsTransient(Marshal.GetLastPInvokeError()) ? 0 : throw BrokenSocket();
        batch.Filled(count);
        return count;
    }

    /// <summary>A kernel without it would send the whole run as one datagram: asked once, before the first use.</summary>
    private static bool HasSegmentationOffload(Socket socket)
    {
        Span<byte> value = stackalloc byte[sizeof(int)];
        try
        {
            socket.GetRawSocketOption(SOL_UDP, UDP_SEGMENT, value);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
