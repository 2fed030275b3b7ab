using Provisioner.Boot.Tftp;
using Provisioner.Events;

namespace Provisioner.Tests.Boot.Tftp;

/// <summary>Files arrive whole over a network that loses, doubles and reorders.</summary>
public sealed class TftpLossTests
{
    private static readonly TftpOptions Fast = new() { Timeout = TimeSpan.FromMilliseconds(60), Retries = 20 };

    [Theory]
    [InlineData("", 60_000, 10, 0, 0)]
    [InlineData("", 60_000, 0, 30, 0)]
    [InlineData("", 60_000, 5, 10, 20)]
    [InlineData("blksize=1468", 200_000, 10, 10, 10)]
    [InlineData("blksize=1468 windowsize=16", 1_000_000, 5, 0, 0)]
    [InlineData("blksize=1468 windowsize=16", 1_000_000, 0, 20, 0)]
    [InlineData("blksize=1468 windowsize=16", 500_000, 0, 0, 10)]
    [InlineData("blksize=512 windowsize=64", 500_000, 3, 5, 5)]
    [InlineData("tsize=0 blksize=1024 windowsize=4", 300_000, 10, 10, 10)]
    public async Task Files_arrive_whole(string options, int length, int lost, int doubled, int delayed)
    {
        using var tftp = new TftpFixture(Fast);
        var content = tftp.AddFile("a", length);
        using var relay = new LossyRelay(tftp.EndPoint, seed: 7) { Lost = lost, Doubled = doubled, Delayed = delayed };
        relay.Start();
        using var client = new TftpTestClient(relay.EndPoint);
        Assert.Equal(content, client.Download("a", options, timeout: 90));
        Assert.True(lost == 0 || relay.Dropped > 0);
        var entry = await tftp.NextEvent();
        Assert.Equal(EventOutcome.Answered, entry.Outcome);
    }

    [Fact]
    public void Many_clients_at_once_each_get_their_file()
    {
        using var tftp = new TftpFixture(Fast with { Timeout = TimeSpan.FromMilliseconds(500) });
        var contents = Enumerable.Range(0, 10).Select(i => tftp.AddFile($"f{i}", 100_000 + i)).ToArray();
        var script = tftp.AddMemory("script", 3000);
        Parallel.For(0, 60, new ParallelOptions { MaxDegreeOfParallelism = 60 }, i =>
        {
            using var client = tftp.Client();
            if (i % 6 == 5)
                Assert.Equal(script, client.Download("script", i % 2 == 0 ? "" : "blksize=1000", timeout: 1000));
            else
                Assert.Equal(contents[i % 10], client.Download($"f{i % 10}", i % 2 == 0 ? "blksize=1468 windowsize=16" : "blksize=1200", timeout: 1000));
        });
    }

    [Fact]
    public void A_slow_client_is_waited_for_and_hinders_nobody()
    {
        using var tftp = new TftpFixture(Fast with { Timeout = TimeSpan.FromMilliseconds(150) });
        tftp.AddFile("slow", 512 * 6);
        var content = tftp.AddFile("fast", 1_000_000);
        using var slow = tftp.Client();
        using var fast = tftp.Client();
        slow.Read("slow");
        for (var block = 1; block <= 7; block++)
        {
            // Repeats of the block come meanwhile: the client takes only the next.
            while (slow.ReceiveBlock() != block)
            {
            }
            if (block == 3)
                Assert.Equal(content, fast.Download("fast", "blksize=1468 windowsize=8"));
            Assert.Equal(block, LastWithin(slow, 350, block));
            slow.Acknowledge(block);
        }
    }

    private static int LastWithin(TftpTestClient client, int milliseconds, int block)
    {
        var started = Environment.TickCount64;
        while (Environment.TickCount64 - started < milliseconds)
        {
            if (client.Receive(50) is not null)
                continue;
        }
        return block;
    }
}
