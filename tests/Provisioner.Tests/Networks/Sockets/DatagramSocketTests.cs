using System.Net.Sockets;
using System.Text;
using Provisioner.Networks.Sockets;
using Provisioner.Protocols;

namespace Provisioner.Tests.Networks.Sockets;

public sealed class DatagramSocketTests : IDisposable
{
    private static readonly Ipv4Address Loopback = Ipv4Address.Parse("127.0.0.1");

    private readonly DatagramSocket a = DatagramSocket.Bind(Ipv4Address.Any, 0);
    private readonly DatagramSocket b = DatagramSocket.Bind(Loopback, 0);

    public void Dispose()
    {
        a.Dispose();
        b.Dispose();
    }

    [Fact]
    public void Tells_where_a_datagram_came_from_and_which_of_our_addresses_it_reached()
    {
        Assert.True(b.Send("hello"u8, Ipv4Address.Parse("127.0.0.9"), a.Port));
        var buffer = new byte[100];
        var length = a.Receive(buffer, out var info, 1000);
        Assert.Equal("hello", Encoding.ASCII.GetString(buffer, 0, length));
        Assert.Equal(Loopback, info.RemoteAddress);
        Assert.Equal(b.Port, info.RemotePort);
        Assert.Equal(Ipv4Address.Parse("127.0.0.9"), info.LocalAddress);
        Assert.Equal(info.LocalAddress, info.Destination);
        Assert.Equal(1, info.InterfaceIndex);
    }

    [Fact]
    public void Sends_from_the_address_and_interface_asked_for()
    {
        var from = Ipv4Address.Parse("127.0.0.7");
        Assert.True(a.Send("x"u8, Loopback, b.Port, from, interfaceIndex: 1));
        Assert.Equal(1, b.Receive(new byte[10], out var info, 1000));
        Assert.Equal(from, info.RemoteAddress);
    }

    [Fact]
    public void Hears_only_the_interface_it_is_bound_to()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "SO_BINDTODEVICE: needs root before Linux 5.7");
        using var bound = DatagramSocket.Bind(Ipv4Address.Any, 0, "lo");
        Assert.True(b.Send("x"u8, Loopback, bound.Port));
        Assert.Equal(1, bound.Receive(new byte[10], out _, 1000));
        Assert.Throws<SocketException>(() => DatagramSocket.Bind(Ipv4Address.Any, 0, "no-such-if"));
    }

    [Fact]
    public void Says_that_a_port_is_taken()
    {
        var error = Assert.Throws<SocketException>(() => DatagramSocket.Bind(Ipv4Address.Any, a.Port));
        Assert.Equal(SocketError.AddressAlreadyInUse, error.SocketErrorCode);
    }

    [Fact]
    public void Returns_after_the_time_out_when_nothing_came()
    {
        var started = TimeProvider.System.GetTimestamp();
        Assert.Equal(-1, a.Receive(new byte[10], out _, 50));
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalMilliseconds, 45, 2000);
        using var batch = new DatagramBatch(4, 100);
        Assert.Equal(0, a.Receive(batch, 0));
        Assert.Equal(0, a.ReceiveBlocking(batch, 10));
    }

    [Fact]
    public void Wake_ends_a_waiting_receive()
    {
        var received = 0;
        var thread = new Thread(() => received = a.Receive(new byte[10], out _, -1));
        thread.Start();
        a.Wake();
        Assert.True(thread.Join(2000));
        Assert.Equal(-1, received);
        Assert.True(b.Send("x"u8, Loopback, a.Port));
        Assert.Equal(1, a.Receive(new byte[10], out _, 1000));
    }

    [Fact]
    public void Wake_before_a_receive_is_not_lost()
    {
        using var batch = new DatagramBatch(4, 100);
        a.Wake();
        Assert.Equal(-1, a.Receive(new byte[10], out _, -1));
        a.Wake();
        Assert.Equal(0, a.ReceiveBlocking(batch, 60_000));
    }

    [Fact]
    public void Takes_all_waiting_datagrams_at_once()
    {
        for (byte i = 0; i < 10; i++)
            Assert.True(a.Send(new byte[] { i, i }.AsSpan(0, 1 + i % 2), Loopback, b.Port));
        using var batch = new DatagramBatch(8, 100);
        Assert.Equal(8, b.Receive(batch, 1000));
        for (var i = 0; i < 8; i++)
        {
            Assert.Equal(1 + i % 2, batch.Payload(i).Length);
            Assert.Equal(i, batch.Payload(i)[0]);
            Assert.Equal(a.Port, batch.Info(i).RemotePort);
            Assert.Equal(Loopback, batch.Info(i).LocalAddress);
        }
        Assert.Equal(2, b.ReceiveBlocking(batch, 1000));
        Assert.Equal(8, batch.Payload(0)[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => batch.Info(2));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_run_arrives_as_single_datagrams_in_order_with_a_shorter_last_one(bool segmentationOffload)
    {
        using var sender = DatagramSocket.Bind(Ipv4Address.Any, 0);
        var run = new byte[1472 * 99 + 5];
        for (var i = 0; i < run.Length; i++)
            run[i] = (byte)(i / 1472);
        var offload = segmentationOffload;
        Assert.True(sender.SendRun(run, 1472, Loopback, b.Port, Ipv4Address.Parse("127.0.0.3"), 0, ref offload));
        Assert.Equal(segmentationOffload && sender.SegmentationOffload, offload);
        var buffer = new byte[2000];
        for (var i = 0; i < 100; i++)
        {
            Assert.Equal(i == 99 ? 5 : 1472, b.Receive(buffer, out var info, 1000));
            Assert.Equal(i, buffer[0]);
            Assert.Equal(Ipv4Address.Parse("127.0.0.3"), info.RemoteAddress);
        }
        Assert.Equal(-1, b.Receive(buffer, out _, 0));
    }

    [Fact]
    public void Never_hands_the_kernel_more_at_once_than_one_IPv4_packet_holds()
    {
        var run = new byte[75_000];
        var offload = true;
        Assert.True(a.SendRun(run, 25_000, Loopback, b.Port, default, 0, ref offload));
        var buffer = new byte[65_536];
        for (var i = 0; i < 3; i++)
            Assert.Equal(25_000, b.Receive(buffer, out _, 1000));
    }

    [Fact]
    public void A_send_the_kernel_refuses_is_false_and_no_exception()
    {
        Assert.False(a.Send(new byte[65_508], Loopback, b.Port));
        Assert.False(a.Send("x"u8, Loopback, b.Port, from: Ipv4Address.Parse("203.0.113.77")));
    }
}
