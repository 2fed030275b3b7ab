using CsCheck;
using Provisioner.Boot;
using Provisioner.Boot.Dhcp;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;

namespace Provisioner.Tests.Boot.Dhcp;

/// <summary>The address server's state machine (RFC 2131 §4.3).</summary>
public sealed class ReserveModeTests
{
    private readonly Site site = new(DhcpMode.Reserve);

    [Fact]
    public void A_registered_host_gets_an_address_of_the_range()
    {
        Assert.Equal("10.77.0.100", Discover(Site.Known).Address.ToString());
        var ack = Ack(Select(Site.Known, "10.77.0.100"));
        Assert.Equal("10.77.0.100", ack.Address.ToString());
        var lease = Assert.Single(site.Stored.Values);
        Assert.Equal(("10.77.0.100", Site.Known, "lan", "alpha"), (lease.Address.ToString(), lease.MacAddress.ToString(), lease.Network, lease.HostName));
        Assert.Equal(Site.Noon.AddHours(2), lease.EndsAt);
        Assert.Equal(MacAddress.Parse(Site.Known), site.AddressBook.Find(ack.Address));
    }

    [Fact]
    public void A_host_with_an_address_of_its_own_gets_that()
    {
        Assert.Equal("10.77.0.21", Discover(Site.Fixed).Address.ToString());
        Assert.Equal("10.77.0.21", Ack(Select(Site.Fixed, "10.77.0.21")).Address.ToString());
    }

    [Fact]
    public void A_static_address_is_for_the_boot_card_alone()
    {
        var beta = site.Snapshot.Hosts["beta"];
        var second = MacAddress.Parse("52:54:00:77:00:03");
        site.Snapshot = site.Snapshot with
        {
            Hosts = site.Snapshot.Hosts.SetItem("beta", beta with { Spec = beta.Spec with { MacAddresses = [second, MacAddress.Parse(Site.Fixed)], BootMacAddress = MacAddress.Parse(Site.Fixed) } }),
            HostByMacAddress = site.Snapshot.HostByMacAddress.SetItem(second, "beta"),
        };
        Assert.Equal("10.77.0.100", Discover(second.ToString()).Address.ToString());
        Assert.Equal("10.77.0.21", Discover(Site.Fixed).Address.ToString());
    }

    [Fact]
    public void An_unregistered_machine_is_left_alone_and_told_why_in_the_record()
    {
        var silent = Silent(site.Ask(new Message(DhcpMessageType.Discover, Site.Unknown).Pxe(7)));
        Assert.Contains("not registered", silent.Reason, StringComparison.Ordinal);
        Assert.Contains("allowUnknown", silent.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unregistered_machine_gets_an_address_where_that_is_allowed()
    {
        var open = new Site(DhcpMode.Reserve, spec => spec with { AllowUnknown = true });
        Assert.IsType<DhcpResponse.Offer>(open.Ask(new Message(DhcpMessageType.Discover, Site.Unknown).Pxe(7)));
    }

    [Fact]
    public void Identity_is_chaddr_alone_whatever_the_client_identifier()
    {
        Discover(Site.Known, m => m.With(DhcpOption.ClientIdentifier, 0, 1, 2, 3));
        Ack(Select(Site.Known, "10.77.0.100"));
        var offer = Discover(Site.Known, m => m.With(DhcpOption.ClientIdentifier, 255, 9, 9, 9, 9));
        Assert.Equal("10.77.0.100", offer.Address.ToString());
        Assert.Equal("ff09090909", Convert.ToHexStringLower(site.Reply(offer).Option(DhcpOption.ClientIdentifier)));
    }

    [Fact]
    public void Silent_when_it_takes_another_server_and_the_offer_is_free_again()
    {
        Discover(Site.Known);
        var silent = Silent(site.Ask(new Message(DhcpMessageType.Request, Site.Known).Server("10.77.0.2").Requested("10.77.0.200")));
        Assert.Contains("10.77.0.2", silent.Reason, StringComparison.Ordinal);
        Assert.True(site.Leases.IsFreeFor(MacAddress.Parse(Site.Fixed), Ipv4Address.Parse("10.77.0.100"), site.Now));
        Assert.Empty(site.Stored);
    }

    [Theory]
    [InlineData("10.77.0.50", "not in the range")]
    [InlineData("10.77.0.255", "no host's address")]
    [InlineData("192.168.1.5", "no host's address")]
    [InlineData("10.77.0.1", "kept for somebody else")]
    [InlineData("10.77.0.254", "kept for somebody else")]
    [InlineData("10.77.0.21", "kept for somebody else")]
    public void Refuses_an_address_it_cannot_have(string address, string reason)
    {
        Discover(Site.Known);
        Assert.Contains(reason, Nak(Select(Site.Known, address)).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_an_address_that_is_another_s()
    {
        Ack(Select(Site.Fixed, "10.77.0.21"));
        site.Register("gamma", "52:54:00:77:00:04");
        Discover(Site.Known);
        Ack(Select(Site.Known, "10.77.0.100"));
        var nak = Nak(Select("52:54:00:77:00:04", "10.77.0.100"));
        Assert.Contains("belongs to another machine", nak.Reason, StringComparison.Ordinal);
        Assert.Contains("belongs to another machine", site.Reply(nak).Text(DhcpOption.Message), StringComparison.Ordinal);
    }

    [Fact]
    public void A_host_that_got_an_address_of_its_own_is_moved_there()
    {
        Discover(Site.Known);
        Ack(Select(Site.Known, "10.77.0.100"));
        site.Register("alpha", Site.Known, "10.77.0.30");
        Assert.Contains("has the address 10.77.0.30", Nak(Renew(Site.Known, "10.77.0.100")).Reason, StringComparison.Ordinal);
        Assert.Equal("10.77.0.30", Discover(Site.Known).Address.ToString());
        Assert.Equal("10.77.0.30", Ack(Select(Site.Known, "10.77.0.30")).Address.ToString());
    }

    [Fact]
    public void Init_reboot_with_the_right_address_is_confirmed()
    {
        Discover(Site.Known);
        Ack(Select(Site.Known, "10.77.0.100"));
        site.Now += TimeSpan.FromHours(1);
        Assert.Equal("10.77.0.100", Ack(site.Ask(new Message(DhcpMessageType.Request, Site.Known).Requested("10.77.0.100"))).Address.ToString());
        Assert.Equal(site.Now.AddHours(2), site.Stored[Ipv4Address.Parse("10.77.0.100")].EndsAt);
    }

    [Fact]
    public void Init_reboot_with_an_address_of_another_subnet_is_refused() =>
        Assert.Contains("not on Network lan", Nak(site.Ask(new Message(DhcpMessageType.Request, Site.Known).Requested("192.168.1.5"))).Reason, StringComparison.Ordinal);

    [Fact]
    public void Init_reboot_without_a_record_is_left_alone() =>
        Assert.Contains("no record", Silent(site.Ask(new Message(DhcpMessageType.Request, Site.Known).Requested("10.77.0.105"))).Reason, StringComparison.Ordinal);

    [Fact]
    public void Init_reboot_with_an_address_that_is_another_s_is_refused()
    {
        Discover(Site.Known);
        Ack(Select(Site.Known, "10.77.0.100"));
        site.Register("gamma", "52:54:00:77:00:04");
        Nak(site.Ask(new Message(DhcpMessageType.Request, "52:54:00:77:00:04").Requested("10.77.0.100")));
    }

    [Fact]
    public void Renewing_extends_the_lease_and_answers_at_its_address()
    {
        Discover(Site.Known);
        Ack(Select(Site.Known, "10.77.0.100"));
        site.Now += TimeSpan.FromHours(1);
        var ack = Ack(Renew(Site.Known, "10.77.0.100"));
        Assert.Equal(new DhcpDelivery(DhcpDeliveryKind.Unicast, Ipv4Address.Parse("10.77.0.100"), 68, default, Ipv4Address.Parse("10.77.0.1"), 3), ack.Delivery);
        Assert.Equal(site.Now.AddHours(2), site.Stored[Ipv4Address.Parse("10.77.0.100")].EndsAt);
    }

    [Fact]
    public void A_lease_that_was_lost_is_taken_up_again_when_its_address_is_free() =>
        Assert.Equal("10.77.0.107", Ack(Renew(Site.Known, "10.77.0.107")).Address.ToString());

    [Fact]
    public void A_host_that_was_removed_is_not_extended_and_not_cut_off()
    {
        Discover(Site.Known);
        Ack(Select(Site.Known, "10.77.0.100"));
        site.Snapshot = site.Snapshot with { HostByMacAddress = site.Snapshot.HostByMacAddress.Remove(MacAddress.Parse(Site.Known)) };
        Assert.Contains("not extended", Silent(Renew(Site.Known, "10.77.0.100")).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_request_for_nothing_is_left_alone() =>
        Assert.Contains("asks for nothing", Silent(site.Ask(new Message(DhcpMessageType.Request, Site.Known))).Reason, StringComparison.Ordinal);

    [Fact]
    public void A_declined_address_rests_and_the_client_gets_another()
    {
        Discover(Site.Known);
        Ack(Select(Site.Known, "10.77.0.100"));
        var silent = Silent(site.Ask(new Message(DhcpMessageType.Decline, Site.Known).Server("10.77.0.1").Requested("10.77.0.100")));
        Assert.Contains("rests for 10 minutes", silent.Reason, StringComparison.Ordinal);
        Assert.Equal("10.77.0.101", Discover(Site.Known).Address.ToString());
        Assert.Contains("rests", Nak(Select(Site.Known, "10.77.0.100")).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_declines_what_is_not_theirs()
    {
        Discover(Site.Known);
        Ack(Select(Site.Known, "10.77.0.100"));
        Silent(site.Ask(new Message(DhcpMessageType.Decline, Site.Fixed).Server("10.77.0.1").Requested("10.77.0.100")));
        Assert.True(site.Leases.HasLease(MacAddress.Parse(Site.Known), Ipv4Address.Parse("10.77.0.100"), site.Now));
    }

    [Fact]
    public void A_declined_static_address_rests_and_the_host_gets_one_of_the_range()
    {
        Discover(Site.Fixed);
        Ack(Select(Site.Fixed, "10.77.0.21"));
        site.Ask(new Message(DhcpMessageType.Decline, Site.Fixed).Server("10.77.0.1").Requested("10.77.0.21"));
        var offer = Discover(Site.Fixed);
        Assert.Equal("10.77.0.100", offer.Address.ToString());
        Assert.Contains("rests after a conflict", offer.Reason, StringComparison.Ordinal);
        Ack(Select(Site.Fixed, "10.77.0.100"));
        site.Now += TimeSpan.FromMinutes(11);
        Assert.Equal("10.77.0.21", Discover(Site.Fixed).Address.ToString());
    }

    [Fact]
    public void A_released_address_is_free()
    {
        Discover(Site.Known);
        Ack(Select(Site.Known, "10.77.0.100"));
        Silent(site.Ask(new Message(DhcpMessageType.Release, Site.Known).Server("10.77.0.1").Ciaddr("10.77.0.100")));
        Assert.Empty(site.Leases.Active(site.Now));
        Assert.Equal(site.Now, site.Stored[Ipv4Address.Parse("10.77.0.100")].EndsAt);
    }

    [Fact]
    public void An_inform_is_answered_without_address_and_times()
    {
        var ack = Ack(site.Ask(new Message(DhcpMessageType.Inform, Site.Known).Ciaddr("10.77.0.60")));
        var reply = site.Reply(ack);
        Assert.True(reply.Yiaddr.IsAny);
        Assert.Equal("10.77.0.60", reply.Ciaddr.ToString());
        Assert.False(reply.Has(DhcpOption.LeaseTime) || reply.Has(DhcpOption.RenewalTime) || reply.Has(DhcpOption.RebindingTime));
        Assert.True(reply.Has(DhcpOption.SubnetMask) && reply.Has(DhcpOption.DomainNameServer));
        Assert.Equal(DhcpDeliveryKind.Unicast, ack.Delivery.Kind);
        Assert.Empty(site.Stored);
    }

    [Fact]
    public void Leases_survive_a_restart()
    {
        Discover(Site.Known);
        Ack(Select(Site.Known, "10.77.0.100"));
        site.Register("gamma", "52:54:00:77:00:04");
        site.Restart();
        Assert.Equal("10.77.0.101", Discover("52:54:00:77:00:04").Address.ToString());
        Assert.Equal("10.77.0.100", Ack(site.Ask(new Message(DhcpMessageType.Request, Site.Known).Requested("10.77.0.100"))).Address.ToString());
    }

    [Fact]
    public void An_offer_taken_after_a_restart_is_honoured()
    {
        Discover(Site.Known);
        site.Restart();
        Ack(Select(Site.Known, "10.77.0.100"));
    }

    [Fact]
    public void A_full_range_is_said_so()
    {
        var open = new Site(DhcpMode.Reserve, spec => spec with { AllowUnknown = true });
        for (var i = 0; i < 10; i++)
            Assert.IsType<DhcpResponse.Offer>(open.Ask(new Message(DhcpMessageType.Discover, $"52:54:00:88:00:{i:x2}")));
        var silent = Assert.IsType<DhcpResponse.Silent>(open.Ask(new Message(DhcpMessageType.Discover, "52:54:00:88:00:ff")));
        Assert.Contains("enlarge the range", silent.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_Network_without_a_range_serves_static_addresses()
    {
        var bare = new Site(DhcpMode.Reserve, spec => spec with { Range = null });
        Assert.IsType<DhcpResponse.Offer>(bare.Ask(new Message(DhcpMessageType.Discover, Site.Fixed)));
        Assert.Contains("has no range", Assert.IsType<DhcpResponse.Silent>(bare.Ask(new Message(DhcpMessageType.Discover, Site.Known))).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_offer_waits_for_the_wire_and_a_taken_address_rests()
    {
        var asked = new List<string>();
        var known = new Dictionary<string, ProbeResult>();
        var probing = new Site(DhcpMode.Reserve, spec => spec with { ProbeConflicts = true });
        probing.Probe = address =>
        {
            asked.Add(address.ToString());
            return known.GetValueOrDefault(address.ToString(), ProbeResult.Pending);
        };
        var message = new Message(DhcpMessageType.Discover, Site.Known);
        Assert.Equal("10.77.0.100", Assert.IsType<DhcpResponse.Probing>(probing.Ask(message)).Address.ToString());
        known["10.77.0.100"] = ProbeResult.Taken;
        Assert.Equal("10.77.0.101", Assert.IsType<DhcpResponse.Probing>(probing.Ask(message)).Address.ToString());
        known["10.77.0.101"] = ProbeResult.Free;
        Assert.Equal("10.77.0.101", Assert.IsType<DhcpResponse.Offer>(probing.Ask(message)).Address.ToString());
        Assert.True(probing.Stored[Ipv4Address.Parse("10.77.0.100")].Declined);

        Assert.IsType<DhcpResponse.Ack>(probing.Ask(new Message(DhcpMessageType.Request, Site.Known).Server("10.77.0.1").Requested("10.77.0.101")));
        asked.Clear();
        Assert.IsType<DhcpResponse.Offer>(probing.Ask(message));
        Assert.Empty(asked);
    }

    [Fact]
    public void Without_a_boot_file_the_lease_is_given_all_the_same()
    {
        site.Decision = _ => new BootDecision.NoBootFile("alpha boots its own disk (no-file)");
        var offer = Discover(Site.Known, m => m.Pxe(7));
        var reply = site.Reply(offer);
        Assert.Equal("10.77.0.100", reply.Yiaddr.ToString());
        Assert.True(reply.Siaddr.IsAny);
        Assert.True(reply.File.IsEmpty);
        Assert.False(reply.Has(DhcpOption.VendorClass));
        Assert.Contains("own disk", offer.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void PXE_is_claimed_only_while_4011_answers()
    {
        Assert.True(site.Reply(site.Ask(new Message(DhcpMessageType.Discover, Site.Known).Pxe(7))).Has(DhcpOption.VendorClass));
        var reply = site.Reply(site.Ask(new Message(DhcpMessageType.Discover, Site.Known).Pxe(7), proxyPortIsOpen: false));
        Assert.False(reply.Has(DhcpOption.VendorClass));
        Assert.Equal("snponly.efi", DhcpPacket.Printable(reply.File));
    }

    [Fact]
    public void A_long_file_goes_into_option_67_with_a_NUL()
    {
        site.Decision = _ => new BootDecision.BootFile("http://10.77.0.1:8080/" + new string('x', 140), "long");
        var reply = site.Reply(site.Ask(new Message(DhcpMessageType.Discover, Site.Known).Pxe(7).With(DhcpOption.UserClass, "iPXE")));
        Assert.True(reply.File.IsEmpty);
        Assert.True(reply.TryGet(DhcpOption.BootFileName, out var file));
        Assert.Equal(163, file.Length);
        Assert.Equal(0, file[^1]);
    }

    [Fact]
    public void The_parameter_list_s_order_is_kept_and_what_was_not_asked_is_left_out()
    {
        var offer = Discover(Site.Known, m => m.With(DhcpOption.ParameterRequestList, 42, 15, 6));
        var codes = new List<byte>();
        var reader = new DhcpOptionReader(site.Buffer.AsSpan(240));
        while (reader.MoveNext())
            codes.Add(reader.Code);
        Assert.Equal([53, 54, 51, 58, 59, 1, 3, 42, 15, 6], codes);
        Assert.IsType<DhcpResponse.Offer>(offer);
    }

    [Fact]
    public void Firmware_gets_a_lease_of_half_an_hour_and_the_system_the_whole_time_for_the_same_address()
    {
        var firmware = Discover(Site.Known, m => m.Pxe(7));
        Assert.Equal(1800u, Seconds(site.Reply(firmware)));
        Ack(site.Ask(new Message(DhcpMessageType.Request, Site.Known).Server("10.77.0.1").Requested("10.77.0.100").Pxe(7)));
        Assert.Equal(Site.Noon.AddMinutes(30), Assert.Single(site.Stored.Values).EndsAt);
        var system = Discover(Site.Known);
        Assert.Equal(firmware.Address, system.Address);
        Assert.Equal(7200u, Seconds(site.Reply(system)));

        static uint Seconds(DhcpPacket reply) => System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(reply.Option(DhcpOption.LeaseTime));
    }

    [Fact]
    public void A_NAK_through_a_relay_carries_the_broadcast_flag()
    {
        var nak = Nak(site.Ask(new Message(DhcpMessageType.Request, Site.Known).Giaddr("10.78.0.1").Requested("10.77.0.100"), @interface: "eth9"));
        Assert.Equal((DhcpDeliveryKind.Relay, "10.78.0.1", 67), (nak.Delivery.Kind, nak.Delivery.To.ToString(), nak.Delivery.Port));
        Assert.Equal(0x8000, site.Reply(nak).Flags);
    }

    [Fact]
    public void A_NAK_without_a_relay_is_broadcast() =>
        Assert.Equal(DhcpDeliveryKind.Broadcast, Nak(site.Ask(new Message(DhcpMessageType.Request, Site.Known).Ciaddr("192.168.7.7"))).Delivery.Kind);

    [Fact]
    public void A_relay_s_server_identifier_is_taken_as_ours()
    {
        byte[] relay = [11, 4, 10, 78, 0, 1];
        var offer = Assert.IsType<DhcpResponse.Offer>(site.Ask(new Message(DhcpMessageType.Discover, Site.Known).Giaddr("10.78.0.1").With(DhcpOption.RelayAgentInformation, relay), @interface: "eth9"));
        Assert.Equal("10.78.0.1", site.Reply(offer).Address(DhcpOption.ServerIdentifier).ToString());
        Ack(site.Ask(new Message(DhcpMessageType.Request, Site.Known).Giaddr("10.78.0.1").Server("10.78.0.1").Requested(offer.Address.ToString())
            .With(DhcpOption.RelayAgentInformation, relay), @interface: "eth9"));
    }

    [Fact]
    public void A_routed_client_renews_by_any_interface()
    {
        Assert.IsType<DhcpResponse.Offer>(site.Ask(new Message(DhcpMessageType.Discover, Site.Known).Giaddr("10.78.0.1"), @interface: "eth9"));
        Ack(site.Ask(new Message(DhcpMessageType.Request, Site.Known).Giaddr("10.78.0.1").Server("192.0.2.1").Requested("10.78.0.100"), @interface: "eth9"));
        var ack = Ack(site.Ask(new Message(DhcpMessageType.Request, Site.Known).Ciaddr("10.78.0.100"), "10.78.0.100", @interface: "eth9"));
        Assert.Equal((DhcpDeliveryKind.Unicast, 0), (ack.Delivery.Kind, ack.Delivery.InterfaceIndex));
    }

    [Fact]
    public void Without_an_address_in_the_subnet_it_is_silent_and_says_what_to_do()
    {
        var elsewhere = new Site(DhcpMode.Reserve, spec => spec with { Subnet = Ipv4Cidr.Parse("10.99.0.0/24") });
        Assert.Contains("advertise", Assert.IsType<DhcpResponse.Silent>(elsewhere.Ask(new Message(DhcpMessageType.Discover, Site.Known))).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void The_advertised_address_is_the_server_s()
    {
        var vip = new Site(DhcpMode.Reserve, spec => spec with { Advertise = Ipv4Address.Parse("10.77.0.9") });
        var reply = vip.Reply(vip.Ask(new Message(DhcpMessageType.Discover, Site.Known).Pxe(7)));
        Assert.Equal("10.77.0.9", reply.Address(DhcpOption.ServerIdentifier).ToString());
        Assert.Equal("10.77.0.9", reply.Siaddr.ToString());
        Assert.Equal("10.77.0.9", vip.Asked[^1].Endpoint.Address.ToString());
    }

    /// <summary>Whatever a client sends in whatever order: an answer or a reason, never an exception.</summary>
    [Fact]
    public void Any_message_gets_an_answer_or_a_reason() =>
        Gen.Select(
            Gen.Int[1, 8],
            OneOf(Site.Known, Site.Fixed, Site.Unknown),
            OneOf("0.0.0.0", "10.77.0.100", "10.77.0.21", "10.78.0.100", "255.255.255.255"),
            OneOf("0.0.0.0", "10.78.0.1", "172.16.0.1"),
            Gen.Select(OneOf<byte>(43, 50, 52, 54, 55, 57, 60, 61, 77, 82, 93, 97, 175), Gen.Byte.Array[0, 30]).Array[0, 6],
            Gen.Bool).Sample((type, mac, ciaddr, giaddr, options, proxyPort) =>
        {
            var message = new Message((DhcpMessageType)type, mac).Ciaddr(ciaddr).Giaddr(giaddr);
            foreach (var (code, value) in options)
                message.With((DhcpOption)code, value);
            if (!DhcpPacket.TryParse(message.ToBytes(), out _, out _))
                return;
            var any = new Site(DhcpMode.Reserve, spec => spec with { AllowUnknown = true });
            var response = any.Ask(message, port4011: proxyPort);
            Assert.False(string.IsNullOrWhiteSpace(response.Reason));
            if (response is DhcpResponse.Offer or DhcpResponse.Ack or DhcpResponse.Nak)
                _ = any.Reply(response).MessageType;
        }, iter: 5_000);

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private DhcpResponse.Offer Discover(string mac, Func<Message, Message>? more = null)
    {
        var message = new Message(DhcpMessageType.Discover, mac);
        return Assert.IsType<DhcpResponse.Offer>(site.Ask(more?.Invoke(message) ?? message));
    }

    private DhcpResponse Select(string mac, string address) => site.Ask(new Message(DhcpMessageType.Request, mac).Server("10.77.0.1").Requested(address));

    private DhcpResponse Renew(string mac, string address) => site.Ask(new Message(DhcpMessageType.Request, mac).Ciaddr(address), address);

    private static DhcpResponse.Ack Ack(DhcpResponse response) => Assert.IsType<DhcpResponse.Ack>(response);

    private static DhcpResponse.Nak Nak(DhcpResponse response) => Assert.IsType<DhcpResponse.Nak>(response);

    private static DhcpResponse.Silent Silent(DhcpResponse response) => Assert.IsType<DhcpResponse.Silent>(response);
}
