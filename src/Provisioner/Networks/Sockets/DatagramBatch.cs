using System.Runtime.InteropServices;
using static Provisioner.Networks.Sockets.Libc;

namespace Provisioner.Networks.Sockets;

/// <summary>Room for the datagrams one recvmmsg brings. Made once, used by one thread, allocates nothing afterwards.</summary>
internal sealed unsafe class DatagramBatch : IDisposable
{
    private const int ControlSize = 64;

    private readonly int datagramSize;
    private readonly MultiMessage* messages;
    private readonly SocketAddressIn* names;
    private readonly IoVector* vectors;
    private readonly byte* controls;
    private readonly byte* payloads;

    /// <param name="capacity">How many datagrams.</param>
    /// <param name="datagramSize">How many bytes of each; the rest is cut off.</param>
    public DatagramBatch(int capacity, int datagramSize)
    {
        Capacity = capacity;
        this.datagramSize = datagramSize;
        var count = (nuint)capacity;
        messages = (MultiMessage*)NativeMemory.AllocZeroed(count, (nuint)sizeof(MultiMessage));
        names = (SocketAddressIn*)NativeMemory.AllocZeroed(count, (nuint)sizeof(SocketAddressIn));
        vectors = (IoVector*)NativeMemory.AllocZeroed(count, (nuint)sizeof(IoVector));
        controls = (byte*)NativeMemory.AllocZeroed(count, ControlSize);
        payloads = (byte*)NativeMemory.Alloc(count, (nuint)datagramSize);
        for (var i = 0; i < capacity; i++)
        {
            vectors[i] = new IoVector { Base = payloads + i * datagramSize, Length = (nuint)datagramSize };
            messages[i].Message.Name = names + i;
            messages[i].Message.Vectors = vectors + i;
            messages[i].Message.VectorCount = 1;
            messages[i].Message.Control = controls + i * ControlSize;
            Reset(&messages[i].Message);
        }
    }

    public int Capacity { get; }

    /// <summary>How many the last receive brought.</summary>
    public int Count { get; private set; }

    public ReadOnlySpan<byte> Payload(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        return new(payloads + index * datagramSize, (int)messages[index].Length);
    }

    public DatagramInfo Info(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        return DatagramSocket.ReadInfo(&messages[index].Message);
    }

    public void Dispose()
    {
        Count = 0;
        NativeMemory.Free(messages);
        NativeMemory.Free(names);
        NativeMemory.Free(vectors);
        NativeMemory.Free(controls);
        NativeMemory.Free(payloads);
    }

    /// <summary>The kernel overwrote the lengths of those that were used: they are put back before the next receive.</summary>
    internal MultiMessage* Prepare()
    {
        for (var i = 0; i < Count; i++)
            Reset(&messages[i].Message);
        Count = 0;
        return messages;
    }

    internal void Filled(int count) => Count = count;

    private static void Reset(Message* message)
    {
        message->NameLength = (uint)sizeof(SocketAddressIn);
        message->ControlLength = ControlSize;
        message->Flags = 0;
    }
}
