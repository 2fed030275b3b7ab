using Provisioner.Protocols.Tftp;

namespace Provisioner.Protocols.Tests.Tftp;

public sealed class TftpNegotiationTests
{
    /// <summary>Options asked and the OACK as it goes out; "-" is no OACK.</summary>
    [Theory]
    [InlineData("", "-", 512, 1)]
    // Order and spelling of the request (PyPXE#125 for the last NUL, pin/tftp for the order).
    [InlineData("tsize=0 blksize=1468", "00067473697A65003132333400626C6B73697A65003134363800", 1468, 1)]
    [InlineData("BLKSIZE=1024 Tsize=0", "0006424C4B53495A450031303234005473697A6500" + "3132333400", 1024, 1)]
    // Never more than asked, never more than the limit, also below 512.
    [InlineData("blksize=8", "0006626C6B73697A65003800", 8, 1)]
    [InlineData("blksize=65464", "0006626C6B73697A65003134363800", 1468, 1)]
    [InlineData("blksize=99999999999999999999", "0006626C6B73697A65003134363800", 1468, 1)]
    [InlineData("windowsize=4", "000677696E646F7773697A65003400", 512, 4)]
    [InlineData("windowsize=65535 blksize=1468", "000677696E646F7773697A6500363400626C6B73697A65003134363800", 1468, 64)]
    // The time out as asked, or not at all (RFC 2349).
    [InlineData("timeout=6", "000674696D656F75740036" + "00", 512, 1)]
    [InlineData("timeout=0", "-", 512, 1)]
    [InlineData("timeout=256", "-", 512, 1)]
    // Unknown and unreadable ones are left out.
    [InlineData("multicast= blksize=7 windowsize=0", "-", 512, 1)]
    [InlineData("blksize=abc tsize=x windowsize=-1", "-", 512, 1)]
    [InlineData("multicast= tsize=0", "00067473697A65003132333400", 512, 1)]
    // Some clients send the size they know: it is corrected.
    [InlineData("tsize=77", "00067473697A65003132333400", 512, 1)]
    public void Accepts_what_was_asked_within_the_limits(string asked, string hex, int blockSize, int windowSize)
    {
        var parameters = TftpNegotiation.Negotiate(Request(asked), new TftpLimits(), 1234);
        Assert.Equal(blockSize, parameters.BlockSize);
        Assert.Equal(windowSize, parameters.WindowSize);
        var packet = new byte[512];
        var length = TftpPacket.WriteOptionAcknowledgment(packet, parameters.Acknowledged);
        Assert.Equal(hex, parameters.Acknowledged.IsEmpty ? "-" : Convert.ToHexString(packet.AsSpan(0, length)));
    }

    [Fact]
    public void Says_no_size_in_netascii_because_the_translated_text_is_longer()
    {
        var parameters = TftpNegotiation.Negotiate(Request("tsize=0 blksize=600") with { Mode = TftpMode.Netascii }, new TftpLimits(), 1234);
        Assert.Equal([new TftpOption("blksize", "600")], parameters.Acknowledged);
    }

    [Fact]
    public void A_window_never_takes_more_memory_than_allowed()
    {
        var limits = new TftpLimits { BlockSize = 65_464, WindowOctets = 200_000 };
        Assert.Equal(3, TftpNegotiation.Negotiate(Request("windowsize=64 blksize=65464"), limits, 1).WindowSize);
        Assert.Equal(1, TftpNegotiation.Negotiate(Request("windowsize=64 blksize=65464"), limits with { WindowOctets = 10 }, 1).WindowSize);
    }

    [Fact]
    public void The_client_s_time_out_is_known() =>
        Assert.Equal(6, TftpNegotiation.Negotiate(Request("timeout=6"), new TftpLimits(), 1).TimeoutSeconds);

    private static TftpRequest Request(string options) => new()
    {
        FileName = "x",
        Options = [.. options.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(o => new TftpOption(o[..o.IndexOf('=', StringComparison.Ordinal)], o[(o.IndexOf('=', StringComparison.Ordinal) + 1)..]))],
    };
}
