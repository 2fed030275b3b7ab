namespace Provisioner.Protocols.Tftp;

/// <summary>
/// Blocks are counted from 1 without end; on the wire they have 16 bits. RFC 1350 does not say what follows 65535: nearly all
/// clients go on with 0, a few with 1.
/// </summary>
public static class TftpBlockNumber
{
    /// <summary>The number on the wire.</summary>
    /// <param name="block">Counted from 1; 0 is the OACK.</param>
    /// <param name="rolloverTo">0 or 1: what follows 65535.</param>
    public static ushort ToWire(long block, int rolloverTo) =>
        rolloverTo == 0 || block <= ushort.MaxValue ? (ushort)block : (ushort)((block - 1) % ushort.MaxValue + 1);

    /// <summary>Finds which of the blocks <paramref name="from"/> to <paramref name="to"/>, both included, is meant.</summary>
    /// <returns>The block, or -1 when none is.</returns>
    public static long FromWire(ushort wire, long from, long to, int rolloverTo)
    {
        // The newest first: nearly every acknowledgment names the window's last block.
        for (var block = to; block >= from; block--)
        {
            if (ToWire(block, rolloverTo) == wire)
                return block;
        }
        return -1;
    }
}
