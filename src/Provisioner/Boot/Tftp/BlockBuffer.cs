using System.Runtime.InteropServices;
using Provisioner.Protocols.Tftp;

namespace Provisioner.Boot.Tftp;

/// <summary>
/// The part of a transfer that is in memory: ready DATA packets without gaps, read ahead of the client and kept until it has
/// acknowledged them. A window is sent from here in one system call, and again from here when it got lost.
/// </summary>
internal sealed unsafe class BlockBuffer : IDisposable
{
    /// <summary>What a transfer may hold, at most.</summary>
    public const int Capacity = 128 * 1024;

    /// <summary>Read from the file at once when windows are small. More would only push other transfers out of the processor's cache.</summary>
    private const int ReadAhead = 32 * 1024;

    private readonly TftpContent content;
    private readonly int blockSize;
    private readonly int rolloverTo;
    private readonly int slots;
    private readonly byte* memory;
    private long first = 1;
    private int count;
    private int lastLength;

    /// <param name="content">Owned from here on.</param>
    /// <param name="parameters">Block and window size.</param>
    /// <param name="rolloverTo">The block number after 65535.</param>
    public BlockBuffer(TftpContent content, TftpParameters parameters, int rolloverTo)
    {
        this.content = content;
        this.rolloverTo = rolloverTo;
        blockSize = parameters.BlockSize;
        // A whole number of windows: then no block is ever moved, unless some were lost.
        var window = parameters.WindowSize;
        slots = window * Math.Max(1, ReadAhead / (window * PacketSize));
        memory = (byte*)NativeMemory.Alloc((nuint)slots, (nuint)PacketSize);
    }

    /// <summary>Octets of a full DATA packet.</summary>
    public int PacketSize => blockSize + TftpPacket.DataHeaderSize;

    /// <summary>The transfer's last block, shorter than the others and perhaps empty (RFC 1350 §6); -1 until it has been read.</summary>
    public long FinalBlock { get; private set; } = -1;

    /// <summary>Octets of content read until now.</summary>
    public long OctetsRead { get; private set; }

    /// <summary>The packets of blocks <paramref name="from"/> and following, at most <paramref name="most"/>. Earlier blocks are forgotten.</summary>
    /// <returns>The packets, all of <see cref="PacketSize"/> but the transfer's final one.</returns>
    /// <exception cref="IOException">The content cannot be read.</exception>
    public ReadOnlySpan<byte> Take(long from, int most, out int blocks)
    {
        if (FinalBlock < 0 && from + most > first + count)
            Fill(from);
        var skip = (int)(from - first);
        blocks = Math.Min(most, count - skip);
        var length = blocks * PacketSize;
        if (from + blocks - 1 == FinalBlock)
            length += lastLength - PacketSize;
        return new(memory + (long)skip * PacketSize, length);
    }

    public void Dispose()
    {
        content.Dispose();
        NativeMemory.Free(memory);
    }

    private void Fill(long from)
    {
        var keep = (int)(first + count - from);
        if (keep > 0 && from != first)
            Buffer.MemoryCopy(memory + (from - first) * PacketSize, memory, (long)slots * PacketSize, (long)keep * PacketSize);
        first = from;
        count = keep;
        var free = slots - count;
        if (free == 0)
            return;
        var start = memory + (long)count * PacketSize;
        var octets = content.Fill(new BlockSlots(start, blockSize, free));
        OctetsRead += octets;
        var filled = free;
        if (octets < (long)free * blockSize)
        {
            // The end: the last block is the one that is not full.
            filled = (int)(octets / blockSize) + 1;
            lastLength = (int)(octets % blockSize) + TftpPacket.DataHeaderSize;
            FinalBlock = first + count + filled - 1;
        }
        for (var i = 0; i < filled; i++)
            TftpPacket.WriteDataHeader(new(start + (long)i * PacketSize, TftpPacket.DataHeaderSize), TftpBlockNumber.ToWire(first + count + i, rolloverTo));
        count += filled;
    }
}
