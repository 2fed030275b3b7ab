using Provisioner.Networks;
using Provisioner.Protocols.Dhcp;

namespace Provisioner.Boot.Dhcp;

/// <summary>
/// Another server gives the addresses, we name the boot file (PXE 2.1 §2.2): an offer without an address on 67, and the same again,
/// as an ACK, on 4011 for firmware that asks there. 4011 answers in mode <c>reserve</c> too.
/// </summary>
internal sealed class ProxyMode(DhcpSettings settings, AddressBook addressBook)
{
    public DhcpResponse Respond(in DhcpQuestion question, BootDecision decision)
    {
        switch (question.Packet.MessageType)
        {
            case DhcpMessageType.Discover:
                return Answer(question, decision, DhcpMessageType.Offer);

            case DhcpMessageType.Request:
                // Overheard: it tells which address the other server gave. Only a broadcast reaches us.
                var requested = question.Packet.Address(DhcpOption.RequestedAddress);
                if (requested.IsAny)
                    requested = question.Packet.Ciaddr;
                if (question.Network.Spec.Subnet.IsHostAddress(requested))
                    addressBook.Learn(requested, question.MacAddress);
                return question.Silent(requested.IsAny
                    ? "another server gives the addresses on this Network"
                    : $"another server gives the addresses on this Network; it asks for {requested}");

            default:
                return question.Silent("another server gives the addresses on this Network");
        }
    }

    /// <summary>
    /// The same decision as on 67, iPXE included: a boot server that hands iPXE its own binary again never ends (netboot#77).
    /// The question is a REQUEST, or with some ROMs an INFORM.
    /// </summary>
    public DhcpResponse RespondOnProxyPort(in DhcpQuestion question, BootDecision decision)
    {
        addressBook.Learn(question.Packet.Ciaddr, question.MacAddress);
        return question.Packet.MessageType is DhcpMessageType.Request or DhcpMessageType.Inform or DhcpMessageType.Discover
            ? question.Client.Kind == ClientKind.HttpClient
                ? question.Silent("UEFI HTTP Boot has no business on port 4011")
                : Answer(question, decision, question.Packet.MessageType == DhcpMessageType.Discover ? DhcpMessageType.Offer : DhcpMessageType.Ack)
            : question.Silent($"port 4011 answers REQUEST, INFORM and DISCOVER, not {question.Packet.MessageType.ToString().ToUpperInvariant()}");
    }

    private DhcpResponse Answer(in DhcpQuestion question, BootDecision decision, DhcpMessageType type)
    {
        if (!question.Client.IsBooting)
            return question.Silent("it does not ask to boot (option 60 is neither PXEClient nor HTTPClient)");
        if (decision is not BootDecision.BootFile { File: var file })
            return question.Silent(decision.Reason);
        var reply = new DhcpReplyWriter(question.Buffer, question.Packet, type) { Ciaddr = question.Packet.Ciaddr };
        reply.Add(DhcpOption.ServerIdentifier, question.ServerIdentifier);
        reply.Echo(DhcpOption.ClientIdentifier, question.Packet);
        BootFields.Write(ref reply, question, file, leasing: false);
        var delivery = question.Deliver(settings, type, yiaddr: default);
        var length = reply.Complete();
        return type == DhcpMessageType.Offer
            ? new DhcpResponse.Offer(default, length, delivery, decision.Reason) { File = file }
            : new DhcpResponse.Ack(question.Packet.Ciaddr, length, delivery, decision.Reason) { File = file };
    }
}
