using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;

namespace Provisioner.Boot.Dhcp;

/// <summary>
/// The address server (RFC 2131 §4.3): leases to registered hosts, to others only where the Network allows it. Who asks is known by
/// chaddr alone: ROM, iPXE, installer and system send different client identifiers and must get one address.
/// </summary>
internal sealed class ReserveMode(DhcpSettings settings, LeaseTable leases, AddressBook addressBook, AddressProbe probe)
{
    /// <summary>How long an offer is kept for the client to take: longer than EDK2 collects offers (32 s at most).</summary>
    public static readonly TimeSpan OfferHold = TimeSpan.FromSeconds(60);

    /// <summary>How long a declined address is left alone, as in dnsmasq.</summary>
    public static readonly TimeSpan DeclineRest = TimeSpan.FromMinutes(10);

    /// <summary>
    /// The longest lease for boot firmware and iPXE. They never renew, so a lease must outlast everything they load: 30 seconds, as
    /// MAAS gives, can end in the middle of a large initrd over TFTP. A machine that only passed through blocks its address no longer.
    /// The installer asks as a client of its own and gets the Network's full time, for the same address.
    /// </summary>
    public static readonly TimeSpan FirmwareLease = TimeSpan.FromMinutes(30);

    /// <summary>For a client without a parameter request list; subnet mask and router are never left out.</summary>
    private static ReadOnlySpan<byte> DefaultParameters =>
        [(byte)DhcpOption.DomainNameServer, (byte)DhcpOption.DomainName, (byte)DhcpOption.BroadcastAddress, (byte)DhcpOption.NtpServers];

    public DhcpResponse Respond(in DhcpQuestion question, BootDecision decision, NetworkIndex index) => question.Packet.MessageType switch
    {
        DhcpMessageType.Discover => Discover(question, decision, index),
        DhcpMessageType.Request => Request(question, decision, index),
        DhcpMessageType.Decline => Decline(question),
        DhcpMessageType.Release => Release(question),
        DhcpMessageType.Inform => Inform(question, decision),
        var other => question.Silent($"{other.ToString().ToUpperInvariant()} is what a server sends"),
    };

    private DhcpResponse Discover(in DhcpQuestion question, BootDecision decision, NetworkIndex index)
    {
        if (!IsServed(question, out var why))
            return question.Silent(why);
        // A range may be full of used addresses nobody told us of; a few tries a packet, the client asks again.
        var taken = "";
        for (var attempt = 0; attempt < 8; attempt++)
        {
            var known = leases.AddressOf(question.MacAddress, question.Network.Name);
            if (Choose(question, index, out var fromWhere) is not { } address)
                return question.Silent(fromWhere);
            if (question.Network.Spec.ProbeConflicts && (known != address || !leases.HasLease(question.MacAddress, address, question.Now)))
            {
                switch (probe(address, question.MacAddress))
                {
                    case ProbeResult.Pending:
                        return new DhcpResponse.Probing(address, taken.Length > 0, $"{taken}{address} is offered once the wire was asked whether it is taken");
                    case ProbeResult.Taken:
                        leases.Rest(question.MacAddress, question.Network.Name, address, question.Now + DeclineRest);
                        taken = $"{taken}{address} answers on the wire and belongs to a machine we do not know: it rests for {DeclineRest.TotalMinutes} minutes; ";
                        continue;
                }
            }
            var (length, file, reason) = WriteLease(question, decision, DhcpMessageType.Offer, address, LeaseTime(question));
            return new DhcpResponse.Offer(address, length, question.Deliver(settings, DhcpMessageType.Offer, address), $"{taken}{fromWhere}; {reason}") { File = file };
        }
        return question.Silent($"{taken}enough for one message: the next one tries further addresses");
    }

    private DhcpResponse Request(in DhcpQuestion question, BootDecision decision, NetworkIndex index)
    {
        var packet = question.Packet;
        var requested = packet.Address(DhcpOption.RequestedAddress);
        var served = IsServed(question, out var why);

        if (packet.TryGet(DhcpOption.ServerIdentifier, out var identifier))
        {
            // SELECTING.
            var chosen = identifier.Length == 4 ? new Ipv4Address(identifier) : default;
            if (!question.NamesUs(chosen))
            {
                leases.Withdraw(question.MacAddress, question.Network.Name, question.Now);
                return question.Silent($"it chose the server {chosen}");
            }
            if (!served)
                return Nak(question, why);
            if (requested.IsAny)
                requested = packet.Ciaddr;
            return IsRightAddress(question, index, requested, out why) ? Lease(question, decision, requested, "it takes our offer") : Nak(question, why);
        }

        if (!requested.IsAny)
        {
            // INIT-REBOOT.
            if (!question.Network.Spec.Subnet.Contains(requested))
                return Nak(question, $"{requested} is not on Network {question.Network.Name} ({question.Network.Spec.Subnet})");
            if (!served)
                return question.Silent(why);
            if (leases.AddressOf(question.MacAddress, question.Network.Name) is null && StaticAddress(question) is null)
            {
                return leases.IsFreeFor(question.MacAddress, requested, question.Now)
                    ? question.Silent($"it asks for {requested} again, and there is no record of it here (RFC 2131 §4.3.2)")
                    : Nak(question, $"{requested} belongs to another machine");
            }
            return IsRightAddress(question, index, requested, out why) ? Lease(question, decision, requested, "it starts again with the address it had") : Nak(question, why);
        }

        // RENEWING or REBINDING.
        if (packet.Ciaddr.IsAny)
            return question.Silent("a REQUEST without server identifier, requested address and ciaddr asks for nothing");
        if (!question.Network.Spec.Subnet.Contains(packet.Ciaddr))
            return Nak(question, $"{packet.Ciaddr} is not on Network {question.Network.Name} ({question.Network.Spec.Subnet})");
        if (!served)
        {
            // A NAK would take the address from a running system; its lease ends by itself.
            return question.Silent($"{why}: its lease is not extended");
        }
        return IsRightAddress(question, index, packet.Ciaddr, out why) ? Lease(question, decision, packet.Ciaddr, "it extends its lease") : Nak(question, why);
    }

    private DhcpResponse Lease(in DhcpQuestion question, BootDecision decision, Ipv4Address address, string fromWhere)
    {
        var time = LeaseTime(question);
        if (!leases.TryLease(question.MacAddress, question.Network.Name, address, question.Now + time, question.Host?.Name, question.Now))
            return Nak(question, $"{address} belongs to another machine or rests after a conflict");
        addressBook.Learn(address, question.MacAddress);
        var (length, file, reason) = WriteLease(question, decision, DhcpMessageType.Ack, address, time);
        return new DhcpResponse.Ack(address, length, question.Deliver(settings, DhcpMessageType.Ack, address), $"{fromWhere}; {reason}") { File = file };
    }

    private DhcpResponse.Nak Nak(in DhcpQuestion question, string reason)
    {
        var reply = new DhcpReplyWriter(question.Buffer, question.Packet, DhcpMessageType.Nak);
        reply.Add(DhcpOption.ServerIdentifier, question.ServerIdentifier);
        reply.Add(DhcpOption.Message, reason.Length > 200 ? reason[..200] : reason);
        reply.Echo(DhcpOption.ClientIdentifier, question.Packet);
        // Through a relay too it must reach everybody: the client may not answer ARP for its wrong address (RFC 2131 §4.3.2).
        if (!question.Packet.Giaddr.IsAny)
            reply.SetBroadcast();
        return new DhcpResponse.Nak(reply.Complete(), question.Deliver(settings, DhcpMessageType.Nak, default), reason);
    }

    private DhcpResponse.Silent Decline(in DhcpQuestion question)
    {
        var address = question.Packet.Address(DhcpOption.RequestedAddress);
        if (question.Packet.TryGet(DhcpOption.ServerIdentifier, out var identifier) && identifier.Length == 4 && !question.NamesUs(new Ipv4Address(identifier)))
            return question.Silent($"it declines an address of the server {new Ipv4Address(identifier)}");
        if (address.IsAny || leases.AddressOf(question.MacAddress, question.Network.Name) != address)
            return question.Silent($"it declines {address}, which it was not given here");
        leases.Rest(question.MacAddress, question.Network.Name, address, question.Now + DeclineRest);
        return question.Silent($"{address} is in use by another machine, says this one: it rests for {DeclineRest.TotalMinutes} minutes");
    }

    private DhcpResponse.Silent Release(in DhcpQuestion question)
    {
        var address = question.Packet.Ciaddr;
        return question.Silent(leases.Release(question.MacAddress, address, question.Now)
            ? $"{address} is free again; a RELEASE is not answered"
            : $"it has no lease of {address} to give back");
    }

    /// <summary>RFC 2131 §4.3.5: no address, no times.</summary>
    private DhcpResponse Inform(in DhcpQuestion question, BootDecision decision)
    {
        if (!IsServed(question, out var why))
            return question.Silent(why);
        var address = question.Packet.Ciaddr;
        if (question.Packet.Giaddr.IsAny && address.IsAny)
            return question.Silent("an INFORM without ciaddr cannot be answered");
        if (question.Network.Spec.Subnet.IsHostAddress(address))
            addressBook.Learn(address, question.MacAddress);
        var (length, file, reason) = WriteLease(question, decision, DhcpMessageType.Ack, default, default);
        return new DhcpResponse.Ack(address, length, question.Deliver(settings, DhcpMessageType.Ack, default), $"it has an address and asks for the rest; {reason}") { File = file };
    }

    private static bool IsServed(in DhcpQuestion question, out string reason)
    {
        reason = question.Host is null && !question.Network.Spec.AllowUnknown
            ? $"{question.MacAddress} is not registered, and Network {question.Network.Name} leases to registered hosts alone (allowUnknown: false)"
            : "";
        return reason.Length == 0;
    }

    /// <summary>A host's fixed address, for its boot card alone: two cards with one address would fight.</summary>
    private static Ipv4Address? StaticAddress(in DhcpQuestion question) =>
        question.Host is { Spec: { Address: { } address } spec }
        && question.Network.Spec.Subnet.IsHostAddress(address)
        && (spec.BootMacAddress ?? spec.MacAddresses[0]) == question.MacAddress
            ? address : null;

    private Ipv4Address? Choose(in DhcpQuestion question, NetworkIndex index, out string reason)
    {
        var network = question.Network;
        var taken = "";
        if (StaticAddress(question) is { } address)
        {
            if (leases.TryHold(question.MacAddress, network.Name, address, question.Now, OfferHold))
            {
                reason = $"{address} is {question.Host!.Name}'s own";
                return address;
            }
            taken = $"its own address {address} is held by another machine or rests after a conflict, ";
        }
        if (network.Spec.Range is not { } range)
        {
            reason = taken.Length > 0 ? $"{taken}and Network {network.Name} has no range"
                : $"Network {network.Name} has no range, and the host has no address of its own in {network.Spec.Subnet}";
            return null;
        }
        var ingress = question.Ingress;
        var subnet = network.Spec.Subnet;
        var held = leases.Hold(question.MacAddress, network.Name, range, question.Packet.Address(DhcpOption.RequestedAddress),
            candidate => index.IsReserved(candidate) || !subnet.IsHostAddress(candidate) || ingress.InterfaceAddresses.Contains(candidate),
            question.Now, OfferHold);
        reason = held is null
            ? $"{taken}no address is left in {range} of Network {network.Name}: enlarge the range"
            : $"{taken}{held} is from the range of Network {network.Name}";
        return held;
    }

    /// <summary>Whether a REQUEST for this address can be granted: the host's own, or one of the range that is nobody else's.</summary>
    private bool IsRightAddress(in DhcpQuestion question, NetworkIndex index, Ipv4Address address, out string reason)
    {
        var network = question.Network;
        var own = StaticAddress(question);
        reason = "";
        if (!network.Spec.Subnet.IsHostAddress(address))
            reason = $"{address} is no host's address on Network {network.Name} ({network.Spec.Subnet})";
        else if (!leases.IsFreeFor(question.MacAddress, address, question.Now))
            reason = $"{address} belongs to another machine or rests after a conflict";
        else if (own is { } fixedAddress && address != fixedAddress && leases.IsFreeFor(question.MacAddress, fixedAddress, question.Now))
            reason = $"{question.Host!.Name} has the address {fixedAddress}, not {address}";
        else if (own != address && (index.IsReserved(address) || question.Ingress.InterfaceAddresses.Contains(address)))
            reason = $"{address} is kept for somebody else";
        else if (own != address && (network.Spec.Range is not { } range || !range.Contains(address)))
            reason = $"{address} is not in the range of Network {network.Name}";
        return reason.Length == 0;
    }

    private static TimeSpan LeaseTime(in DhcpQuestion question) =>
        question.Client.IsBooting && question.Network.Spec.LeaseTime > FirmwareLease ? FirmwareLease : question.Network.Spec.LeaseTime;

    private static (int Length, string? File, string Reason) WriteLease(
        in DhcpQuestion question, BootDecision decision, DhcpMessageType type, Ipv4Address address, TimeSpan leaseTime)
    {
        var spec = question.Network.Spec;
        var reply = new DhcpReplyWriter(question.Buffer, question.Packet, type) { Yiaddr = address };
        // Table 3: an OFFER has no ciaddr, an ACK the client's.
        if (type == DhcpMessageType.Ack)
            reply.Ciaddr = question.Packet.Ciaddr;
        reply.Add(DhcpOption.ServerIdentifier, question.ServerIdentifier);
        if (!address.IsAny)
        {
            reply.Add(DhcpOption.LeaseTime, leaseTime);
            reply.Add(DhcpOption.RenewalTime, leaseTime / 2);
            reply.Add(DhcpOption.RebindingTime, leaseTime * 7 / 8);
        }
        reply.Add(DhcpOption.SubnetMask, spec.Subnet.Mask);
        if (spec.Gateway is { } gateway)
            reply.Add(DhcpOption.Router, gateway);
        reply.Echo(DhcpOption.ClientIdentifier, question.Packet);

        string? file = null;
        var reason = decision.Reason;
        if (question.Client.IsBooting && decision is BootDecision.BootFile boot)
        {
            file = boot.File;
            BootFields.Write(ref reply, question, file, leasing: true);
        }

        // RFC 2132 §9.8: in the order of the client's list.
        var parameters = question.Packet.TryGet(DhcpOption.ParameterRequestList, out var list) ? list : DefaultParameters;
        foreach (var parameter in parameters)
        {
            switch ((DhcpOption)parameter)
            {
                case DhcpOption.DomainNameServer:
                    reply.Add(DhcpOption.DomainNameServer, spec.Dns.AsSpan());
                    break;
                case DhcpOption.HostName when question.Host is { } host:
                    reply.Add(DhcpOption.HostName, host.Name);
                    break;
                case DhcpOption.DomainName when spec.Domain is { } domain:
                    reply.Add(DhcpOption.DomainName, domain);
                    break;
                case DhcpOption.BroadcastAddress when spec.Subnet.PrefixLength < 31:
                    reply.Add(DhcpOption.BroadcastAddress, spec.Subnet.BroadcastAddress);
                    break;
                // iPXE and some installers send their log there; the appliance takes it.
                case DhcpOption.LogServers:
                    reply.Add(DhcpOption.LogServers, question.ServerIdentifier);
                    break;
                case DhcpOption.NtpServers:
                    reply.Add(DhcpOption.NtpServers, spec.Ntp.AsSpan());
                    break;
            }
        }
        var length = reply.Complete();
        if (reply.LeftOut != DhcpOption.Pad)
            reason = $"{reason}; option {(byte)reply.LeftOut} did not fit the client's {question.Packet.MaximumReplyLength} bytes";
        return (length, file, reason);
    }
}
