using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Provisioner.Networks.Sockets;

/// <summary>The few libc calls .NET has no equal for. Layouts are those of 64-bit Linux, the same on x86-64 and arm64.</summary>
internal static unsafe partial class Libc
{
    public const int SOL_IP = 0;
    public const int SOL_SOCKET = 1;
    public const int SOL_UDP = 17;
    public const int SO_RCVTIMEO = 20;
    public const int SO_BINDTODEVICE = 25;
    public const int SO_SNDBUFFORCE = 32;
    public const int SO_RCVBUFFORCE = 33;
    public const int IP_PKTINFO = 8;
    public const int IP_FREEBIND = 15;
    public const int UDP_SEGMENT = 103;
    public const int MSG_DONTWAIT = 0x40;
    public const int MSG_WAITFORONE = 0x10000;
    public const int EFD_CLOEXEC = 0x80000;
    public const int EFD_NONBLOCK = 0x800;
    public const short POLLIN = 1;
    public const int IOV_MAX = 1024;
    public const int EINTR = 4;
    public const int EIO = 5;
    public const int EAGAIN = 11;
    public const int EINVAL = 22;
    public const int EMSGSIZE = 90;
    public const int ENOPROTOOPT = 92;
    public const int EOPNOTSUPP = 95;
    public const ushort AF_INET = 2;

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint recvmsg(SafeHandle socket, Message* message, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint sendmsg(SafeHandle socket, Message* message, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int recvmmsg(SafeHandle socket, MultiMessage* messages, uint count, int flags, void* timeout);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int sendmmsg(SafeHandle socket, MultiMessage* messages, uint count, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int poll(PollDescriptor* descriptors, nuint count, int timeoutMilliseconds);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint read(SafeHandle descriptor, void* buffer, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint write(SafeHandle descriptor, void* buffer, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint preadv(SafeHandle descriptor, IoVector* vectors, int count, long offset);

    /// <summary>Another descriptor of the same file, closed in programs that are started.</summary>
    /// <exception cref="SocketException">The kernel refuses.</exception>
    public static SafeFileHandle Duplicate(SafeHandle descriptor)
    {
        const int DuplicateCloseOnExec = 1030; // F_DUPFD_CLOEXEC
        var copy = fcntl(descriptor, DuplicateCloseOnExec, 0);
        return copy >= 0 ? new SafeFileHandle(copy, ownsHandle: true) : throw new SocketException(Marshal.GetLastPInvokeError());
    }

    // Variadic in C, and called with its third argument where a variadic function looks for it on both architectures: the first few go in registers.
    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(SafeHandle descriptor, int command, int argument);

    /// <summary><c>struct sockaddr_in</c>: port and address in network order.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct SocketAddressIn
    {
        public ushort Family;
        public ushort Port;
        public uint Address;
        public ulong Zero;
    }

    /// <summary><c>struct iovec</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct IoVector
    {
        public void* Base;
        public nuint Length;
    }

    /// <summary><c>struct msghdr</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Message
    {
        public SocketAddressIn* Name;
        public uint NameLength;
        public IoVector* Vectors;
        public nuint VectorCount;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }

    /// <summary><c>struct mmsghdr</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct MultiMessage
    {
        public Message Message;
        public uint Length;
    }

    /// <summary><c>struct cmsghdr</c>; its data follow, padded to eight bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ControlHeader
    {
        public nuint Length;
        public int Level;
        public int Type;

        public const int Size = 16;

        /// <summary><c>CMSG_SPACE</c>.</summary>
        public static int Space(int dataLength) => Size + (dataLength + 7 & ~7);
    }

    /// <summary><c>struct in_pktinfo</c>; addresses in network order.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct PacketInformation
    {
        public int InterfaceIndex;

        /// <summary>On receive the local address to answer from, also when the datagram was a broadcast; on send the source address.</summary>
        public uint LocalAddress;

        /// <summary>The destination in the IP header.</summary>
        public uint HeaderDestination;
    }

    /// <summary><c>struct pollfd</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }
}
