namespace Provisioner.Tests.Boot.Tftp;

/// <summary>Counts what the whole process allocates, so nothing else may run meanwhile.</summary>
[CollectionDefinition(nameof(TftpAllocationTests), DisableParallelization = true)]
[Collection(nameof(TftpAllocationTests))]
public sealed class TftpAllocationTests
{
    [Fact]
    public void An_acknowledgment_allocates_nothing()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("a", 1468 * 20_000);
        using var client = tftp.Client();
        client.Read("a", "blksize=1468");
        client.ReceiveText();
        client.Acknowledge(0);
        var packet = new byte[2000];
        Exchange(1, 1000);
        var before = GC.GetTotalAllocatedBytes(precise: true);
        Exchange(1001, 11_000);
        var allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        // The socket of the test's client allocates its addresses: measured apart, on this thread alone.
        var own = GC.GetAllocatedBytesForCurrentThread();
        Exchange(11_001, 12_000);
        own = GC.GetAllocatedBytesForCurrentThread() - own;
        Assert.InRange(allocated / 10_000.0 - own / 1000.0, -1000, 8);

        void Exchange(int from, int to)
        {
            for (var block = from; block <= to; block++)
            {
                client.ReceiveInto(packet);
                client.Acknowledge(block);
            }
        }
    }
}
