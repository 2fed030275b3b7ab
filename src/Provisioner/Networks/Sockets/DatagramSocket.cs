using System.Buffers.Binary;
using System.ComponentModel;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Provisioner.Protocols;
using static Provisioner.Networks.Sockets.Libc;

namespace Provisioner.Networks.Sockets;

/// <summary>
/// A UDP/IPv4 socket that tells on which interface and to which local address a datagram came (IP_PKTINFO), and can send from a
/// chosen local address and interface. recvmsg and sendmsg of libc, because .NET has no send with packet information.
/// </summary>
/// <remarks>
/// <para>ReuseAddress is never set: in .NET it brings SO_REUSEPORT, and another process could steal the port.</para>
/// <para>One thread receives; any thread sends or wakes. Before <see cref="Dispose"/> the receiver is woken and has left.</para>
/// </remarks>
internal sealed unsafe partial class DatagramSocket : IDisposable
{
    /// <summary>Some drops at the network card's queue are better than a service that does not hear: asked for, not insisted on.</summary>
    private const int BufferSize = 4 << 20;

    private static readonly int PacketInformationSpace = ControlHeader.Space(sizeof(PacketInformation));

    private readonly Socket socket;
    private readonly SafeHandle handle;
    private readonly SafeFileHandle wake;
    private volatile bool woken;

    private DatagramSocket(Socket socket, SafeFileHandle wake)
    {
        this.socket = socket;
        this.wake = wake;
        handle = socket.SafeHandle;
        Port = ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>The local port; the one the kernel chose, when bound to 0.</summary>
    public int Port { get; }

    /// <summary>Opens and binds a socket that may broadcast.</summary>
    /// <param name="address">The address to listen at, which may come later; with one other than 0.0.0.0 no broadcast is heard.</param>
    /// <param name="port">0 lets the kernel choose.</param>
    /// <param name="interfaceName">Hear only what comes in by this interface (SO_BINDTODEVICE).</param>
    /// <exception cref="SocketException">The port is taken (AddressAlreadyInUse), not allowed (AccessDenied), or the interface is not here.</exception>
    public static DatagramSocket Bind(Ipv4Address address, int port, string? interfaceName = null)
    {
        var opened = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            opened.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.PacketInformation, true);
            opened.EnableBroadcast = true;
            if (interfaceName is not null)
                opened.SetRawSocketOption(SOL_SOCKET, SO_BINDTODEVICE, Encoding.ASCII.GetBytes(interfaceName));
            LateAddress.Allow(opened);
            EnlargeBuffers(opened);
            opened.Bind(new IPEndPoint(address.ToIPAddress(), port));
            var descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            if (descriptor < 0)
                throw new Win32Exception(Marshal.GetLastPInvokeError());
            return new DatagramSocket(opened, new SafeFileHandle(descriptor, ownsHandle: true)) { SegmentationOffload = HasSegmentationOffload(opened) };
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Waits for one datagram.</summary>
    /// <param name="buffer">What does not fit is cut off, as with any UDP socket.</param>
    /// <param name="info">Where it came from.</param>
    /// <param name="timeoutMilliseconds">-1 waits without end, 0 not at all.</param>
    /// <returns>The number of bytes, or -1 when nothing came in time or <see cref="Wake"/> was called.</returns>
    /// <exception cref="SocketException">The socket is broken; the interface may be gone.</exception>
    public int Receive(Span<byte> buffer, out DatagramInfo info, int timeoutMilliseconds)
    {
        info = default;
        if (!Wait(timeoutMilliseconds))
            return -1;
        SocketAddressIn name;
        var control = stackalloc byte[64];
        fixed (byte* payload = buffer)
        {
            var vector = new IoVector { Base = payload, Length = (nuint)buffer.Length };
            var message = new Message
            {
                Name = &name, NameLength = (uint)sizeof(SocketAddressIn),
                Vectors = &vector, VectorCount = 1,
                Control = control, ControlLength = 64,
            };
            var length = recvmsg(handle, &message, MSG_DONTWAIT);
            if (length < 0)
                return IsTransient(Marshal.GetLastPInvokeError()) ? -1 : throw BrokenSocket();
            info = ReadInfo(&message);
            return (int)length;
        }
    }

    /// <summary>Sends one datagram.</summary>
    /// <param name="payload">What the datagram holds.</param>
    /// <param name="to">The destination; broadcast is allowed.</param>
    /// <param name="port">The destination's port.</param>
    /// <param name="from">The source address; 0.0.0.0 leaves it to the kernel.</param>
    /// <param name="interfaceIndex">The interface to leave by; 0 leaves it to the routing table. Broadcasts need it.</param>
    /// <returns>False when the kernel refused it; <see cref="Marshal.GetLastPInvokeErrorMessage"/> tells why.</returns>
    public bool Send(ReadOnlySpan<byte> payload, Ipv4Address to, int port, Ipv4Address from = default, int interfaceIndex = 0)
    {
        var name = ToSocketAddress(to, port);
        var control = stackalloc byte[64];
        fixed (byte* start = payload)
        {
            var vector = new IoVector { Base = start, Length = (nuint)payload.Length };
            var message = new Message
            {
                Name = &name, NameLength = (uint)sizeof(SocketAddressIn),
                Vectors = &vector, VectorCount = 1,
            };
            AddPacketInformation(&message, control, from, interfaceIndex);
            return Send(&message);
        }
    }

    /// <summary>Ends a waiting receive of another thread; when none waits, the next one returns at once.</summary>
    public void Wake()
    {
        woken = true;
        ulong one = 1;
        _ = write(wake, &one, 8);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        socket.Dispose();
        wake.Dispose();
    }

    private bool Wait(int timeoutMilliseconds)
    {
        var descriptors = stackalloc PollDescriptor[2];
        descriptors[0] = new PollDescriptor { Descriptor = (int)handle.DangerousGetHandle(), Events = POLLIN };
        descriptors[1] = new PollDescriptor { Descriptor = (int)wake.DangerousGetHandle(), Events = POLLIN };
        if (poll(descriptors, 2, timeoutMilliseconds) <= 0)
            return false;
        if (descriptors[1].Returned != 0)
        {
            ulong value;
            _ = read(wake, &value, 8);
            woken = false;
            return false;
        }
        return true;
    }

    private bool Send(Message* message)
    {
        // Blocking: a full send buffer is the network card's own pace.
        while (sendmsg(handle, message, 0) < 0)
        {
            if (Marshal.GetLastPInvokeError() != EINTR)
                return false;
        }
        return true;
    }

    private static SocketAddressIn ToSocketAddress(Ipv4Address address, int port) => new()
    {
        Family = AF_INET,
        Port = BinaryPrimitives.ReverseEndianness((ushort)port),
        Address = BinaryPrimitives.ReverseEndianness(address.Bits),
    };

    private static void AddPacketInformation(Message* message, byte* control, Ipv4Address from, int interfaceIndex)
    {
        if (from.IsAny && interfaceIndex == 0)
            return;
        *(ControlHeader*)control = new ControlHeader
        {
            Length = (nuint)(ControlHeader.Size + sizeof(PacketInformation)),
            Level = SOL_IP,
            Type = IP_PKTINFO,
        };
        *(PacketInformation*)(control + ControlHeader.Size) = new PacketInformation
        {
            InterfaceIndex = interfaceIndex,
            LocalAddress = BinaryPrimitives.ReverseEndianness(from.Bits),
        };
        message->Control = control;
        message->ControlLength = (nuint)PacketInformationSpace;
    }

    internal static DatagramInfo ReadInfo(Message* message)
    {
        var name = message->Name;
        Ipv4Address local = default, destination = default;
        var interfaceIndex = 0;
        var control = (byte*)message->Control;
        var end = control + message->ControlLength;
        while (control + ControlHeader.Size <= end)
        {
            var header = (ControlHeader*)control;
            if (header->Length < ControlHeader.Size)
                break;
            if (header->Level == SOL_IP && header->Type == IP_PKTINFO)
            {
                var information = (PacketInformation*)(control + ControlHeader.Size);
                local = new Ipv4Address(BinaryPrimitives.ReverseEndianness(information->LocalAddress));
                destination = new Ipv4Address(BinaryPrimitives.ReverseEndianness(information->HeaderDestination));
                interfaceIndex = information->InterfaceIndex;
            }
            control += (int)header->Length + 7 & ~7;
        }
        return new DatagramInfo(
            new Ipv4Address(BinaryPrimitives.ReverseEndianness(name->Address)),
            BinaryPrimitives.ReverseEndianness(name->Port),
            local,
            interfaceIndex)
        { Destination = destination };
    }

    /// <summary>A datagram with a bad checksum vanishes between poll and recvmsg; a signal interrupts.</summary>
    private static bool IsTransient(int error) => error is EAGAIN or EINTR;

    private static SocketException BrokenSocket() =>
        new((int)SocketError.SocketError, Marshal.GetLastPInvokeErrorMessage());

    private static void EnlargeBuffers(Socket socket)
    {
        ReadOnlySpan<byte> size = MemoryMarshal.AsBytes(new ReadOnlySpan<int>([BufferSize]));
        try
        {
            socket.SetRawSocketOption(SOL_SOCKET, SO_RCVBUFFORCE, size);
            socket.SetRawSocketOption(SOL_SOCKET, SO_SNDBUFFORCE, size);
        }
        catch (SocketException)
        {
            // Without CAP_NET_ADMIN net.core.rmem_max and wmem_max are the limit; the kernel cuts the wish down to them.
            socket.ReceiveBufferSize = BufferSize;
            socket.SendBufferSize = BufferSize;
        }
    }
}
