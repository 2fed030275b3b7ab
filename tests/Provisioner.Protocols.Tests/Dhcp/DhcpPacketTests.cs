using System.Text;
using CsCheck;
using Provisioner.Protocols.Dhcp;

namespace Provisioner.Protocols.Tests.Dhcp;

public sealed class DhcpPacketTests
{
    [Fact]
    public void Any_bytes_are_refused_with_a_reason_or_read_without_an_exception() =>
        Gen.Byte.Array[0, 700].Sample(bytes => ReadAll(bytes));

    [Fact]
    public void Any_change_to_a_message_is_refused_with_a_reason_or_read_without_an_exception() =>
        Gen.Select(Gen.Select(Gen.Int[0, 399], Gen.Byte).Array[1, 12], Gen.Int[0, 400]).Sample((changes, length) =>
        {
            var bytes = Valid([(60, "PXEClient:Arch:00007"u8.ToArray()), (93, [0, 7]), (97, new byte[17]), (43, [6, 1, 8, 71, 4, 0, 0, 0, 0, 255]),
                (82, [5, 4, 10, 0, 0, 1, 11, 4, 10, 0, 0, 2]), (175, [0x13, 1, 1]), (77, "\u0004iPXE"u8.ToArray()), (52, [3]), (57, [5, 220])]);
            Array.Resize(ref bytes, 400);
            foreach (var (at, value) in changes)
                bytes[at] = value;
            ReadAll(bytes.AsSpan(0, length).ToArray());
        });

    [Fact]
    public void Any_options_that_are_written_are_read_back() =>
        Gen.Select(Gen.Byte[1, 254], Gen.Byte.Array[0, 40]).Array[0, 8].Sample(options =>
        {
            var unique = options.DistinctBy(o => o.Item1).Where(o => o.Item1 is not (53 or 52 or 82)).ToArray();
            Assert.True(DhcpPacket.TryParse(Valid([(57, [5, 220])]), out var request, out _));
            var buffer = new byte[DhcpPacket.MaximumLength];
            var writer = new DhcpReplyWriter(buffer, request, DhcpMessageType.Offer);
            foreach (var (code, value) in unique)
                writer.Add((DhcpOption)code, value);
            var length = writer.Complete();

            Assert.True(DhcpPacket.TryParse(buffer.AsSpan(0, length), out var reply, out var reason), reason);
            Assert.Equal(DhcpMessageType.Offer, reply.MessageType);
            foreach (var (code, value) in unique)
            {
                Assert.True(reply.TryGet((DhcpOption)code, out var read));
                Assert.Equal(value, read.ToArray());
            }
        });

    [Theory]
    [InlineData(0, 3, "op is 3")]
    [InlineData(1, 6, "only Ethernet")]
    [InlineData(2, 16, "only Ethernet")]
    [InlineData(28, 1, "no station's address")]
    [InlineData(236, 0, "magic cookie")]
    [InlineData(241, 2, "option 53 (message type) is not one byte")]
    [InlineData(242, 0, "option 53 (message type) is not one byte")]
    [InlineData(242, 9, "option 53 (message type) is not one byte")]
    [InlineData(240, 54, "plain BOOTP")]
    [InlineData(241, 200, "runs past the end")]
    public void A_broken_message_is_refused_with_the_field_that_is_wrong(int at, byte value, string reason)
    {
        var bytes = Valid([]);
        bytes[at] = value;
        Assert.False(DhcpPacket.TryParse(bytes, out _, out var said));
        Assert.Contains(reason, said, StringComparison.Ordinal);
    }

    [Fact]
    public void A_short_datagram_is_refused()
    {
        Assert.False(DhcpPacket.TryParse(new byte[239], out _, out var reason));
        Assert.Contains("239 bytes", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_without_END_is_read()
    {
        var bytes = Valid([(60, "PXEClient"u8.ToArray())]);
        Assert.True(DhcpPacket.TryParse(bytes.AsSpan(0, bytes.Length - 1), out var packet, out _));
        Assert.Equal("PXEClient", packet.Text(DhcpOption.VendorClass));
    }

    [Fact]
    public void Parts_of_an_option_are_joined_over_options_file_and_sname_in_that_order()
    {
        var bytes = Valid([(52, [3]), (60, "one "u8.ToArray())]);
        "<\u0004two ÿ"u8[..6].CopyTo(bytes.AsSpan(108));
        "<\u0005three"u8.CopyTo(bytes.AsSpan(44));
        bytes[114] = 255;
        bytes[51] = 255;
        Assert.True(DhcpPacket.TryParse(bytes, out var packet, out var reason), reason);
        Assert.Equal("one two three", packet.Text(DhcpOption.VendorClass));
        Assert.True(packet.File.IsEmpty);
        Assert.True(packet.Sname.IsEmpty);
    }

    [Fact]
    public void A_length_that_leaves_an_overloaded_field_is_refused()
    {
        var bytes = Valid([(52, [1])]);
        bytes[108] = 60;
        bytes[109] = 127;
        Assert.False(DhcpPacket.TryParse(bytes, out _, out var reason));
        Assert.Contains("of file (overloaded)", reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("iPXE", true)]
    [InlineData("\u0004iPXE", true)]
    [InlineData("\u0003abc\u0004iPXE", true)]
    [InlineData("iPXE\0", true)]
    [InlineData("iPXEx", false)]
    [InlineData("\u0005iPXEx", false)]
    [InlineData("\u0009iPXE", false)]
    [InlineData("", false)]
    public void The_user_class_is_read_in_both_encodings(string sent, bool isIpxe)
    {
        Assert.True(DhcpPacket.TryParse(Valid([(77, Encoding.Latin1.GetBytes(sent))]), out var packet, out _));
        Assert.Equal(isIpxe, packet.HasUserClass("iPXE"u8));
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("", true)]
    [InlineData("b10501aabbccdd130101", true)]
    [InlineData("b10501aabbccdd", false)]
    [InlineData("130100", false)]
    public void Without_a_feature_list_iPXE_counts_as_having_HTTP(string? features, bool hasHttp)
    {
        Assert.True(DhcpPacket.TryParse(Valid(features is null ? [] : [(175, Convert.FromHexString(features))]), out var packet, out _));
        Assert.Equal(hasHttp, packet.IpxeHasHttp);
    }

    [Fact]
    public void The_machine_identifier_is_read_as_SMBIOS_writes_it()
    {
        Assert.True(DhcpPacket.TryParse(Valid([(97, Convert.FromHexString("00" + "00112233445566778899aabbccddeeff"))]), out var packet, out _));
        Assert.Equal(Guid.Parse("33221100-5544-7766-8899-aabbccddeeff"), packet.MachineUuid);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0100112233445566778899aabbccddeeff")]
    [InlineData("0000000000000000000000000000000000")]
    [InlineData("0000112233")]
    public void A_machine_identifier_that_is_none_is_null(string hex)
    {
        Assert.True(DhcpPacket.TryParse(Valid([(97, Convert.FromHexString(hex))]), out var packet, out _));
        Assert.Null(packet.MachineUuid);
    }

    [Fact]
    public void Relay_suboptions_are_read()
    {
        Assert.True(DhcpPacket.TryParse(Valid([(82, [1, 2, 255, 0, 5, 4, 10, 1, 2, 3, 11, 4, 10, 9, 8, 7])]), out var packet, out _));
        Assert.Equal("10.1.2.3", packet.RelayAddress(RelayAgentOption.LinkSelection).ToString());
        Assert.Equal("10.9.8.7", packet.RelayAddress(RelayAgentOption.ServerIdentifierOverride).ToString());
    }

    [Theory]
    [InlineData(null, 548)]
    [InlineData("0100", 548)]
    [InlineData("0240", 548)]
    [InlineData("0400", 996)]
    [InlineData("05dc", 1472)]
    [InlineData("ff00", 1472)]
    public void The_reply_keeps_to_the_client_s_limit(string? sent, int expected)
    {
        Assert.True(DhcpPacket.TryParse(Valid(sent is null ? [] : [(57, Convert.FromHexString(sent))]), out var packet, out _));
        Assert.Equal(expected, packet.MaximumReplyLength);

        var buffer = new byte[DhcpPacket.MaximumLength];
        var writer = new DhcpReplyWriter(buffer, packet, DhcpMessageType.Ack);
        for (byte code = 128; code < 228; code++)
            writer.Add((DhcpOption)code, new byte[37]);
        var length = writer.Complete();
        Assert.InRange(length, expected - 39, expected);
        Assert.NotEqual(DhcpOption.Pad, writer.LeftOut);
        Assert.True(DhcpPacket.TryParse(buffer.AsSpan(0, length), out _, out var reason), reason);
    }

    [Fact]
    public void A_reply_is_padded_after_END_and_carries_option_82_last()
    {
        byte[] relay = [1, 3, 0, 255, 0];
        Assert.True(DhcpPacket.TryParse(Valid([(82, relay)]), out var packet, out _));
        var buffer = new byte[DhcpPacket.MaximumLength];
        buffer.AsSpan().Fill(0xAA);
        var writer = new DhcpReplyWriter(buffer, packet, DhcpMessageType.Ack);
        writer.Add(DhcpOption.ServerIdentifier, Ipv4Address.Parse("10.0.0.1"));
        Assert.Equal(300, writer.Complete());
        Assert.Equal("350105" + "36040a000001" + "5205010300ff00" + "ff" + new string('0', 86), Convert.ToHexStringLower(buffer.AsSpan(240, 60)));
    }

    [Fact]
    public void Relay_information_that_cannot_be_echoed_whole_is_left_out()
    {
        var huge = new (byte, byte[])[4];
        Array.Fill(huge, ((byte)82, new byte[250]));
        Assert.True(DhcpPacket.TryParse(Valid(huge), out var packet, out _));
        var buffer = new byte[DhcpPacket.MaximumLength];
        var writer = new DhcpReplyWriter(buffer, packet, DhcpMessageType.Ack);
        Assert.Equal(300, writer.Complete());
        Assert.Equal(DhcpOption.RelayAgentInformation, writer.LeftOut);
    }

    [Fact]
    public void Relay_information_beyond_255_bytes_is_echoed_in_parts()
    {
        Assert.True(DhcpPacket.TryParse(Valid([(82, Enumerable.Repeat((byte)7, 255).ToArray()), (82, [1, 2, 3])]), out var packet, out _));
        var buffer = new byte[DhcpPacket.MaximumLength];
        var writer = new DhcpReplyWriter(buffer, packet, DhcpMessageType.Ack);
        var length = writer.Complete();
        Assert.True(DhcpPacket.TryParse(buffer.AsSpan(0, length), out var reply, out var reason), reason);
        Assert.Equal(packet.Option(DhcpOption.RelayAgentInformation).ToArray(), reply.Option(DhcpOption.RelayAgentInformation).ToArray());
    }

    [Fact]
    public void Sname_and_file_hold_what_fits_with_a_NUL()
    {
        Assert.True(DhcpPacket.TryParse(Valid([]), out var packet, out _));
        var buffer = new byte[DhcpPacket.MaximumLength];
        var writer = new DhcpReplyWriter(buffer, packet, DhcpMessageType.Ack);
        Assert.True(writer.TryServerName(new string('s', 63)));
        Assert.False(writer.TryServerName(new string('s', 64)));
        Assert.True(writer.TryBootFile(new string('f', 127)));
        Assert.False(writer.TryBootFile(new string('f', 128)));
        Assert.Equal(0, buffer[44]);
        Assert.Equal(0, buffer[108]);
    }

    [Fact]
    public void Option_43_is_built_as_PXE_reads_it()
    {
        var options = new PxeVendorOptions(stackalloc byte[255]);
        options.AddDiscoveryControl(PxeDiscoveryControl.UseBootFile);
        options.AddBootServer(0, Ipv4Address.Parse("10.0.0.1"));
        options.AddMenuPrompt(0, "PXE");
        options.AddBootMenu(0, "Raspberry Pi Boot");
        Assert.Equal("060108" + "08070000010a000001" + "0a0400505845" + "09140000115261737062657272792050692042" + "6f6f74" + "ff", Convert.ToHexStringLower(options.Complete()));
    }

    [Fact]
    public void A_frame_carries_right_checksums()
    {
        // A DHCP datagram as Linux itself sent it: headers of both layers, then "hello".
        var frame = new byte[64];
        var length = UdpFrame.Write(frame, Ipv4Address.Parse("10.77.0.1"), 67, Ipv4Address.Parse("10.77.0.100"), 68, "hello"u8);
        Assert.Equal(33, length);
        Assert.Equal(0xFFFF, Sum(frame.AsSpan(0, 20)));
        byte[] pseudo = [10, 77, 0, 1, 10, 77, 0, 100, 0, 17, 0, 13, .. frame.AsSpan(20, 13), 0];
        Assert.Equal(0xFFFF, Sum(pseudo));
    }

    private static int Sum(ReadOnlySpan<byte> bytes)
    {
        var sum = 0;
        for (var i = 0; i < bytes.Length; i += 2)
            sum += bytes[i] << 8 | bytes[i + 1];
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return sum;
    }

    private static void ReadAll(byte[] bytes)
    {
        if (!DhcpPacket.TryParse(bytes, out var packet, out var reason))
        {
            Assert.False(string.IsNullOrWhiteSpace(reason));
            return;
        }
        Assert.Null(reason);
        for (var code = 1; code < 255; code++)
        {
            Assert.Equal(packet.Has((DhcpOption)code), packet.TryGet((DhcpOption)code, out _));
            _ = packet.Address((DhcpOption)code);
            _ = packet.Text((DhcpOption)code);
        }
        _ = packet.File.Length + packet.Sname.Length + packet.Bytes.Length;
        _ = (packet.MachineUuid, packet.NetworkInterface, packet.ClientArchitecture, packet.IpxeHasHttp, packet.HasUserClass("iPXE"u8),
            packet.RelayAddress(RelayAgentOption.LinkSelection), packet.TryGetPxe(PxeOption.BootItem, out _), packet.ListsArchitecture(7));
        var writer = new DhcpReplyWriter(new byte[DhcpPacket.MaximumLength], packet, DhcpMessageType.Ack);
        writer.Echo(DhcpOption.ClientIdentifier, packet);
        Assert.InRange(writer.Complete(), 300, DhcpPacket.MaximumLength);
    }

    private static byte[] Valid((byte Code, byte[] Value)[] options)
    {
        var bytes = new List<byte>(new byte[240]);
        (bytes[0], bytes[1], bytes[2], bytes[28], bytes[33]) = (1, 1, 6, 0x52, 1);
        (bytes[236], bytes[237], bytes[238], bytes[239]) = (0x63, 0x82, 0x53, 0x63);
        bytes.AddRange([53, 1, 1]);
        foreach (var (code, value) in options)
            bytes.AddRange([code, (byte)value.Length, .. value]);
        bytes.Add(255);
        return [.. bytes];
    }
}
