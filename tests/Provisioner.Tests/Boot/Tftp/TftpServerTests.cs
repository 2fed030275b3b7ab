using System.Net;
using Provisioner.Boot.Tftp;
using Provisioner.Events;
using Provisioner.Networks.Sockets;
using Provisioner.Protocols;
using Provisioner.Protocols.Tftp;

namespace Provisioner.Tests.Boot.Tftp;

public sealed class TftpServerTests
{
    private static readonly TftpOptions Fast = new() { Timeout = TimeSpan.FromMilliseconds(100) };

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(513)]
    [InlineData(1468 * 3)]
    [InlineData(200_000)]
    public void Sends_files_and_scripts_whole_with_any_options(int length)
    {
        using var tftp = new TftpFixture();
        using var client = tftp.Client();
        var file = tftp.AddFile("file", length);
        var script = tftp.AddMemory("script", length);
        foreach (var options in (string[])["", "blksize=1468", "blksize=8 windowsize=64", "windowsize=3", "tsize=0 blksize=1468 windowsize=16", "blksize=1000 windowsize=64"])
        {
            if (length > 10_000 && options.StartsWith("blksize=8 ", StringComparison.Ordinal))
                continue;
            Assert.Equal(file, client.Download("file", options));
            Assert.Equal(script, client.Download("script", options));
        }
    }

    [Fact]
    public void Answers_with_golden_octets()
    {
        using var tftp = new TftpFixture();
        tftp.AddMemory("a", 0, "hello"u8.ToArray());
        using var client = tftp.Client();
        client.SendHex("0001 6100 6f6374657400");
        Assert.Equal("0003000168656C6C6F", client.ReceiveHex());
        client.SendHex("0004 0001");
        client.SendHex("0001 6100 6f6374657400 7473697a6500 3000 626c6b73697a6500 3800");
        Assert.Equal("00067473697A65003500626C6B73697A65003800", client.ReceiveHex());
        client.SendHex("0004 0000");
        Assert.Equal("0003000168656C6C6F", client.ReceiveHex());
        client.SendHex("0004 0001");
        client.SendHex("0001 6200 6f6374657400");
        Assert.Equal("000500016E6F2062206865726500", client.ReceiveHex());
    }

    [Fact]
    public async Task Records_what_was_sent_to_whom_and_why()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("snponly.efi", 254_321);
        var mac = MacAddress.Parse("52:54:00:00:00:01");
        tftp.Addresses.Learn(Ipv4Address.Parse("127.0.0.1"), mac);
        using var client = tftp.Client();
        client.Download("snponly.efi", "blksize=1468");
        var entry = await tftp.NextEvent();
        Assert.Equal(EventOutcome.Answered, entry.Outcome);
        Assert.Equal(EventSource.Tftp, entry.Source);
        Assert.Matches(@"^sent snponly\.efi, 254\.3 kB in \d+(\.\d+)? s, blksize 1468 windowsize 1$", entry.What);
        Assert.Equal("because of the test", entry.Reason);
        Assert.Equal(mac, entry.MacAddress);
        Assert.Equal(0, tftp.Server.Sessions);
    }

    [Fact]
    public async Task Refuses_by_name_code_and_reason_and_records_it()
    {
        using var tftp = new TftpFixture();
        tftp.AddMemory("a", 10);
        using var client = tftp.Client();
        client.Read("nothing.lst");
        Assert.Equal("ERROR 1 no nothing.lst here", client.ReceiveText());
        var entry = await tftp.NextEvent();
        Assert.Equal((EventOutcome.Refused, "nothing.lst refused with ERROR 1", "no nothing.lst here"), (entry.Outcome, entry.What, entry.Reason));
        client.Read("a", write: true);
        Assert.Equal("ERROR 2 this server is read only", client.ReceiveText());
        Assert.Equal("write of a refused with ERROR 2", (await tftp.NextEvent()).What);
        client.Read("a", mode: TftpMode.Mail);
        Assert.Equal("ERROR 4 mode mail is obsolete, octet and netascii are served", client.ReceiveText());
        await tftp.NextEvent();
        client.SendHex("0001 6100 6f6374");
        Assert.Equal("ERROR 4 the mode does not end in NUL", client.ReceiveText());
        Assert.Equal("request refused with ERROR 4", (await tftp.NextEvent()).What);
    }

    [Theory]
    [InlineData("\\EFI\\BOOT\\a", "EFI/BOOT/a")]
    [InlineData("//a", "a")]
    [InlineData("../../etc/passwd", "../../etc/passwd")]
    [InlineData("/etc/passwd", "etc/passwd")]
    public void Names_reach_only_the_catalogue(string asked, string name)
    {
        using var tftp = new TftpFixture();
        using var client = tftp.Client();
        client.Read(asked);
        Assert.Equal($"ERROR 1 no {name} here", client.ReceiveText());
        Assert.True(tftp.Asked.TryDequeue(out var question));
        Assert.Equal(name, question.Name);
        Assert.Equal(Ipv4Address.Parse("127.0.0.1"), question.Client.Address);
        Assert.Equal("http://127.0.0.1:8080", question.Client.Endpoint.HttpRoot);
    }

    [Fact]
    public void Answers_from_the_address_and_port_that_were_asked()
    {
        using var tftp = new TftpFixture();
        tftp.AddMemory("a", 1000);
        var server = new IPEndPoint(IPAddress.Parse("127.0.0.77"), tftp.Server.Port);
        using var client = new TftpTestClient(server);
        client.Read("a", "windowsize=2");
        Assert.Equal("OACK windowsize=2", client.ReceiveText());
        Assert.Equal(server, client.LastSender);
        client.Acknowledge(0);
        Assert.Equal(1, client.ReceiveBlock());
        Assert.Equal(server, client.LastSender);
    }

    [Fact]
    public async Task EDK2_asks_for_the_size_aborts_with_error_8_and_asks_again()
    {
        using var tftp = new TftpFixture();
        var content = tftp.AddFile("snponly.efi", 5000);
        using (var probe = tftp.Client())
        {
            probe.Read("snponly.efi", "tsize=0 blksize=1468");
            Assert.Equal("OACK tsize=5000 blksize=1468", probe.ReceiveText());
            probe.Error(TftpErrorCode.OptionNegotiation, "User aborted the transfer");
        }
        using var client = tftp.Client();
        Assert.Equal(content, client.Download("snponly.efi", "blksize=1468"));
        // The first event is of the second transfer: the probe is no failure.
        Assert.StartsWith("sent snponly.efi", (await tftp.NextEvent()).What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_without_room_is_recorded_as_a_failure()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("big", 5000);
        using var client = tftp.Client();
        client.Read("big", "tsize=0");
        client.ReceiveText();
        client.Error(TftpErrorCode.DiskFull, "too large");
        var entry = await tftp.NextEvent();
        Assert.Equal(EventOutcome.Failed, entry.Outcome);
        Assert.Equal("the client ended it with ERROR 3 'too large'", entry.Reason);
    }

    [Fact]
    public async Task A_client_that_gives_up_on_the_way_is_recorded_with_the_last_block_it_had()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("big", 512 * 9);
        using var client = tftp.Client();
        client.Read("big");
        Assert.Equal(1, client.ReceiveBlock());
        client.Acknowledge(1);
        Assert.Equal(2, client.ReceiveBlock());
        client.Error(TftpErrorCode.NotDefined, "");
        var entry = await tftp.NextEvent();
        Assert.Equal(("big broken off after block 1 of 10", "the client ended it with ERROR 0"), (entry.What, entry.Reason));
        Assert.Equal(0, tftp.Server.Sessions);
    }

    [Fact]
    public async Task A_client_that_never_acknowledges_the_last_block_got_its_file()
    {
        using var tftp = new TftpFixture(Fast with { Retries = 1 });
        var content = tftp.AddFile("a", 1000);
        using var client = tftp.Client();
        Assert.Equal(content, client.Download("a", acknowledgeLast: false));
        var entry = await tftp.NextEvent();
        Assert.Equal(EventOutcome.Answered, entry.Outcome);
        Assert.EndsWith("the client did not acknowledge the end", entry.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_duplicate_acknowledgment_sends_nothing()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("a", 512 * 9);
        using var client = tftp.Client();
        client.Read("a");
        Assert.Equal(1, client.ReceiveBlock());
        client.Acknowledge(1);
        client.Acknowledge(1);
        client.Acknowledge(1);
        Assert.Equal(2, client.ReceiveBlock());
        Assert.Null(client.Receive(300));
        client.Acknowledge(2);
        Assert.Equal(3, client.ReceiveBlock());
        // Stale and far ahead: nothing either.
        client.Acknowledge(1);
        client.Acknowledge(7);
        Assert.Null(client.Receive(300));
    }

    [Fact]
    public void An_acknowledgment_inside_the_window_resumes_behind_it()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("a", 512 * 20);
        using var client = tftp.Client();
        client.Read("a", "windowsize=4");
        Assert.Equal("OACK windowsize=4", client.ReceiveText());
        client.Acknowledge(0);
        Assert.Equal([1, 2, 3, 4], Blocks(client, 4));
        client.Acknowledge(2);
        Assert.Equal([3, 4, 5, 6], Blocks(client, 4));
        // One more for each packet behind the gap: they start nothing.
        client.Acknowledge(2);
        client.Acknowledge(2);
        Assert.Null(client.Receive(300));
        client.Acknowledge(6);
        Assert.Equal([7, 8, 9, 10], Blocks(client, 4));
    }

    [Fact]
    public void The_acknowledgment_of_a_window_coming_twice_says_that_the_next_one_s_first_block_is_lost()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("a", 512 * 20);
        using var client = tftp.Client();
        client.Read("a", "windowsize=4");
        client.ReceiveText();
        client.Acknowledge(0);
        Blocks(client, 4);
        client.Acknowledge(4);
        Assert.Equal([5, 6, 7, 8], Blocks(client, 4));
        client.Acknowledge(4);
        client.Acknowledge(4);
        client.Acknowledge(4);
        Assert.Equal([5, 6, 7, 8], Blocks(client, 4));
        Assert.Null(client.Receive(300));
        // That window went out twice, so its acknowledgment may come twice: no doubling from here on.
        client.Acknowledge(8);
        client.Acknowledge(8);
        Assert.Equal([9, 10, 11, 12], Blocks(client, 4));
        Assert.Null(client.Receive(300));
    }

    [Fact]
    public async Task Sends_again_after_a_time_out_and_gives_up_in_the_end()
    {
        using var tftp = new TftpFixture(Fast with { Retries = 2 });
        tftp.AddFile("a", 512 * 9);
        using var client = tftp.Client();
        client.Read("a");
        Assert.Equal([1, 1, 1], Blocks(client, 3));
        Assert.Equal("ERROR 0 no acknowledgment came", client.ReceiveText());
        var entry = await tftp.NextEvent();
        Assert.Equal((EventOutcome.Failed, "a broken off after block 0 of 10", "no acknowledgment came, though the packets were sent 3 times"), (entry.Outcome, entry.What, entry.Reason));
    }

    [Fact]
    public void Sends_again_after_the_client_s_own_time_out()
    {
        using var tftp = new TftpFixture(new TftpOptions { Timeout = TimeSpan.FromMilliseconds(50) });
        tftp.AddFile("a", 100);
        using var client = tftp.Client();
        client.Read("a", "timeout=1");
        Assert.Equal("OACK timeout=1", client.ReceiveText());
        Assert.Null(client.Receive(500));
        Assert.Equal("OACK timeout=1", client.ReceiveText());
    }

    [Fact]
    public void A_packet_from_a_stranger_gets_error_5_and_the_transfer_goes_on()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("a", 512 * 3);
        using var client = tftp.Client();
        using var stranger = tftp.Client();
        client.Read("a");
        Assert.Equal(1, client.ReceiveBlock());
        stranger.Acknowledge(1);
        Assert.Equal("ERROR 5 no transfer under way from this port", stranger.ReceiveText());
        stranger.SendHex("0003 0001 00");
        Assert.Equal("ERROR 5 no transfer under way from this port", stranger.ReceiveText());
        stranger.Error(TftpErrorCode.UnknownTransferId, "who are you");
        Assert.Null(stranger.Receive(200));
        client.Acknowledge(1);
        Assert.Equal(2, client.ReceiveBlock());
    }

    [Fact]
    public async Task What_is_not_TFTP_is_met_with_silence_and_a_reason()
    {
        using var tftp = new TftpFixture();
        using var client = tftp.Client();
        client.Send(9, 9, 9, 9, 9);
        Assert.Null(client.Receive(200));
        var entry = await tftp.NextEvent();
        Assert.Equal((EventOutcome.Silent, "not TFTP: opcode 2313, TFTP has 1 to 6"), (entry.Outcome, entry.Reason));
        client.Send();
        Assert.Equal("not TFTP: 0 octets, the shortest TFTP packet has 4", (await tftp.NextEvent()).Reason);
    }

    [Fact]
    public void A_flood_of_nonsense_does_not_flood_the_journal()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("a", 100);
        using var client = tftp.Client();
        for (var i = 0; i < 500; i++)
            client.Send(0, 99, 0, 0);
        client.Download("a");
        var events = 0;
        while (tftp.Journal.Reader.TryRead(out _))
            events++;
        Assert.InRange(events, 2, 50);
    }

    [Fact]
    public void The_same_request_again_repeats_the_first_answer_and_later_starts_anew()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("a", 512 * 9);
        tftp.AddFile("b", 10);
        using var client = tftp.Client();
        client.Read("a");
        Assert.Equal(1, client.ReceiveBlock());
        client.Read("a");
        Assert.Equal(1, client.ReceiveBlock());
        client.Acknowledge(1);
        Assert.Equal(2, client.ReceiveBlock());
        // Doubled on the way: the transfer is not disturbed.
        client.Read("a");
        Assert.Null(client.Receive(200));
        client.Acknowledge(2);
        Assert.Equal(3, client.ReceiveBlock());
        client.Read("b");
        Assert.Equal("DATA 1 10", client.ReceiveText());
        Assert.Equal(1, tftp.Server.Sessions);
    }

    [Fact]
    public async Task A_restarted_client_that_uses_the_same_port_starts_anew()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("a", 512 * 9);
        using var client = tftp.Client();
        client.Read("a");
        client.ReceiveBlock();
        client.Acknowledge(1);
        Assert.Equal(2, client.ReceiveBlock());
        await Task.Delay(1100);
        client.Read("a");
        Assert.Equal(1, client.ReceiveBlock());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Block_numbers_roll_over(int rolloverTo)
    {
        using var tftp = new TftpFixture(new TftpOptions { BlockRollover = rolloverTo });
        var content = tftp.AddFile("a", 8 * 140_000 + 3);
        using var client = tftp.Client();
        Assert.Equal(content, client.Download("a", "blksize=8 windowsize=64", rolloverTo: rolloverTo));
    }

    [Fact]
    public void Never_more_transfers_than_allowed()
    {
        using var tftp = new TftpFixture(new TftpOptions { MaxSessions = 2 });
        tftp.AddFile("a", 5000);
        using var one = tftp.Client();
        using var two = tftp.Client();
        using var three = tftp.Client();
        one.Read("a");
        two.Read("a");
        one.ReceiveBlock();
        two.ReceiveBlock();
        three.Read("a");
        Assert.Equal("ERROR 0 busy: 2 transfers are under way, the most allowed", three.ReceiveText());
        one.Error(TftpErrorCode.NotDefined, "");
        three.Read("a");
        Assert.Equal(1, three.ReceiveBlock());
    }

    [Theory]
    [InlineData("127.0.0.0/8", 600, "OACK blksize=600")]
    [InlineData("10.0.0.0/8", 600, "OACK blksize=1468")]
    [InlineData("127.0.0.0/8", 9000, "OACK blksize=1468")]
    public void A_Network_limits_the_block_size_of_its_hosts(string subnet, int blockSize, string expected)
    {
        using var tftp = new TftpFixture();
        tftp.SetNetwork(subnet, blockSize);
        tftp.AddFile("a", 5000);
        using var client = tftp.Client();
        client.Read("a", "blksize=9000");
        Assert.Equal(expected, client.ReceiveText());
    }

    [Fact]
    public async Task A_file_cut_short_ends_its_transfer_and_nothing_else()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("a", 500_000);
        var other = tftp.AddFile("b", 5000);
        using var client = tftp.Client();
        client.Read("a");
        Assert.Equal(1, client.ReceiveBlock());
        File.WriteAllBytes(tftp.PathOf("a"), new byte[100_000]);
        string answer;
        var block = 1;
        do
        {
            client.Acknowledge(block++);
            answer = client.ReceiveText();
        }
        while (answer.StartsWith("DATA", StringComparison.Ordinal));
        Assert.Equal("ERROR 0 the file was cut to 100000 octets while it was sent, it had 500000", answer);
        Assert.Equal(EventOutcome.Failed, (await tftp.NextEvent()).Outcome);
        Assert.Equal(other, client.Download("b"));
    }

    [Fact]
    public void A_file_that_is_not_what_was_registered_is_refused()
    {
        using var tftp = new TftpFixture();
        tftp.AddFile("other", 100, registeredLength: 99);
        tftp.AddFile("gone", 100);
        File.Delete(tftp.PathOf("gone"));
        using var client = tftp.Client();
        client.Read("other");
        Assert.Equal("ERROR 0 the file has 100 octets, 99 were registered", client.ReceiveText());
        client.Read("gone");
        Assert.Equal("ERROR 1 the file is registered and not on disk", client.ReceiveText());
    }

    [Fact]
    public async Task A_defect_behind_one_request_does_not_end_the_service()
    {
        using var tftp = new TftpFixture();
        var content = tftp.AddFile("a", 5000);
        using var client = tftp.Client();
        client.Read("throws");
        Assert.Equal("ERROR 0 internal error", client.ReceiveText());
        Assert.Equal(EventOutcome.Failed, (await tftp.NextEvent()).Outcome);
        Assert.Equal(content, client.Download("a"));
    }

    [Fact]
    public void Netascii_is_translated_and_says_no_size()
    {
        using var tftp = new TftpFixture();
        var text = string.Concat(Enumerable.Range(0, 3000).Select(i => $"line {i}\nx\r"));
        tftp.AddMemory("text", 0, System.Text.Encoding.ASCII.GetBytes(text));
        using var client = tftp.Client();
        var expected = text.Replace("\r", "\r\0", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal);
        Assert.Equal(expected, System.Text.Encoding.ASCII.GetString(client.Download("text", mode: TftpMode.Netascii)));
        Assert.Equal(expected, System.Text.Encoding.ASCII.GetString(client.Download("text", "blksize=100 windowsize=7", TftpMode.Netascii)));
        client.Read("text", "tsize=0 blksize=100", TftpMode.Netascii);
        Assert.Equal("OACK blksize=100", client.ReceiveText());
    }

    [Fact]
    public void A_taken_port_is_one_line_that_says_what_to_do()
    {
        using var tftp = new TftpFixture();
        using var second = new TftpServer(new TftpOptions { Port = tftp.Server.Port }, tftp, tftp.State, tftp.Addresses, tftp.Journal, TimeProvider.System,
            Microsoft.Extensions.Logging.Abstractions.NullLogger<TftpServer>.Instance);
        var error = Assert.Throws<ListenException>(second.Start);
        Assert.Equal($"TFTP cannot listen at 0.0.0.0:{tftp.Server.Port}/udp: the port is taken. Stop the other service ('ss -lunp sport = {tftp.Server.Port}' names it) or set tftp.port.", error.Message);
    }

    [Fact]
    public async Task Stops_at_once_with_transfers_under_way()
    {
        var tftp = new TftpFixture();
        tftp.AddFile("a", 5000);
        using var client = tftp.Client();
        client.Read("a");
        client.ReceiveBlock();
        var started = TimeProvider.System.GetTimestamp();
        tftp.Dispose();
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 0, 2);
        Assert.Equal("the service stopped", (await tftp.NextEvent()).Reason);
        await tftp.Server.Completion;
    }

    private static int[] Blocks(TftpTestClient client, int count) => [.. Enumerable.Range(0, count).Select(_ => client.ReceiveBlock())];
}
