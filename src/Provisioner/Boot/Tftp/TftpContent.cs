using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Provisioner.Networks.Sockets;
using Provisioner.Protocols.Tftp;

namespace Provisioner.Boot.Tftp;

/// <summary>Slots of equal size, one after the other; each has room for a header and a block.</summary>
internal readonly unsafe struct BlockSlots(byte* start, int blockSize, int count)
{
    public int Count => count;

    public int BlockSize => blockSize;

    public byte* Data(int index) => start + (long)index * (blockSize + TftpPacket.DataHeaderSize) + TftpPacket.DataHeaderSize;

    public Span<byte> Block(int index) => new(Data(index), blockSize);
}

/// <summary>What a transfer sends, read from front to end, never twice.</summary>
internal abstract class TftpContent : IDisposable
{
    /// <summary>Fills block after block.</summary>
    /// <returns>Octets filled. Fewer than there is room for: the content ended.</returns>
    /// <exception cref="IOException">The file is not what it was, or cannot be read.</exception>
    public abstract long Fill(BlockSlots slots);

    public abstract void Dispose();
}

/// <summary>A script, rendered for this transfer.</summary>
internal sealed class MemoryContent(ReadOnlyMemory<byte> content) : TftpContent
{
    private int position;

    public override long Fill(BlockSlots slots)
    {
        var began = position;
        for (var i = 0; i < slots.Count && position < content.Length; i++)
        {
            var part = content.Span[position..Math.Min(content.Length, position + slots.BlockSize)];
            part.CopyTo(slots.Block(i));
            position += part.Length;
        }
        return position - began;
    }

    public override void Dispose()
    {
    }
}

/// <summary>
/// A file, read by preadv straight into the packets. Not mapped into memory: a mapped file that is truncated kills the process with
/// SIGBUS, a read one only ends its transfer.
/// </summary>
internal sealed unsafe class FileContent(OpenFiles.Lease file, long length) : TftpContent
{
    private long position;

    public override long Fill(BlockSlots slots)
    {
        var wanted = Math.Min((long)slots.Count * slots.BlockSize, length - position);
        var done = 0L;
        var most = Math.Min(slots.Count, Libc.IOV_MAX);
        var vectors = stackalloc Libc.IoVector[most];
        while (done < wanted)
        {
            // One round takes all, but for tiny blocks or a read cut short by a signal.
            var count = 0;
            for (var at = done; at < wanted && count < most; count++)
            {
                var (index, inside) = Math.DivRem(at, slots.BlockSize);
                var part = Math.Min(slots.BlockSize - inside, wanted - at);
                vectors[count] = new Libc.IoVector { Base = slots.Data((int)index) + inside, Length = (nuint)part };
                at += part;
            }
            var read = Libc.preadv(file.Handle, vectors, count, position + done);
            if (read < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR)
                continue;
            if (read < 0)
                throw new IOException($"the file cannot be read: {Marshal.GetLastPInvokeErrorMessage()}");
            if (read == 0)
                throw new IOException($"the file was cut to {position + done} octets while it was sent, it had {length}");
            done += read;
        }
        position += done;
        return done;
    }

    public override void Dispose() => file.Dispose();
}

/// <summary>Another content, translated to netascii on the way.</summary>
internal sealed unsafe class NetasciiContent(TftpContent inner) : TftpContent
{
    private readonly byte[] chunk = new byte[4096];
    private NetasciiEncoder encoder;
    private int begin;
    private int end;
    private bool ended;

    public override long Fill(BlockSlots slots)
    {
        var total = 0L;
        for (var i = 0; i < slots.Count; i++)
        {
            var filled = FillBlock(slots.Block(i));
            total += filled;
            if (filled < slots.BlockSize)
                break;
        }
        return total;
    }

    private int FillBlock(Span<byte> block)
    {
        var filled = 0;
        while (filled < block.Length)
        {
            if (begin == end && !ended)
                Refill();
            if (begin == end && !encoder.HasPending)
                break;
            filled += encoder.Encode(chunk.AsSpan(begin, end - begin), block[filled..], out var consumed);
            begin += consumed;
        }
        return filled;
    }

    private void Refill()
    {
        var size = chunk.Length - TftpPacket.DataHeaderSize;
        fixed (byte* start = chunk)
            end = TftpPacket.DataHeaderSize + (int)inner.Fill(new BlockSlots(start, size, 1));
        begin = TftpPacket.DataHeaderSize;
        ended = end - begin < size;
    }

    public override void Dispose() => inner.Dispose();
}

/// <summary>The files transfers read from: one descriptor for a file however many hosts load it. For one thread.</summary>
internal sealed class OpenFiles
{
    private readonly Dictionary<string, Shared> files = new(StringComparer.Ordinal);

    /// <summary>Opens the file or joins those who read it already; closed when the last of them is done, so no replaced file is kept.</summary>
    /// <exception cref="IOException">It is not there, or its length is not the one expected.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be read.</exception>
    public Lease Open(string path, long expectedLength)
    {
        if (!files.TryGetValue(path, out var shared))
        {
            var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
            files[path] = shared = new Shared(handle);
        }
        shared.Readers++;
        var lease = new Lease(this, path, shared);
        var length = RandomAccess.GetLength(shared.Handle);
        if (length == expectedLength)
            return lease;
        lease.Dispose();
        throw new IOException($"the file has {length} octets, {expectedLength} were registered");
    }

    internal sealed class Shared(SafeFileHandle handle)
    {
        public SafeFileHandle Handle => handle;

        public int Readers { get; set; }
    }

    /// <summary>One reader's hold on an open file.</summary>
    internal sealed class Lease(OpenFiles owner, string path, Shared shared) : IDisposable
    {
        private bool disposed;

        public SafeFileHandle Handle => shared.Handle;

        public void Dispose()
        {
            if (disposed)
                return;
            disposed = true;
            if (--shared.Readers > 0)
                return;
            owner.files.Remove(path);
            shared.Handle.Dispose();
        }
    }
}
