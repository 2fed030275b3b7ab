using Provisioner.Protocols.Dhcp;

namespace Provisioner.Boot.Dhcp;

/// <summary>The part of an answer that names what to boot: one rule for each kind of client.</summary>
internal static class BootFields
{
    /// <summary>Writes the fields and options a client of this kind needs to load <paramref name="file"/>.</summary>
    /// <param name="leasing">The answer is a lease as well: it comes from the address server.</param>
    public static void Write(ref DhcpReplyWriter reply, in DhcpQuestion question, string file, bool leasing)
    {
        // First siaddr: EDK2 asks it before option 54 (edk2#8558), iPXE ignores the file without it.
        reply.Siaddr = question.Server;
        switch (question.Client.Kind)
        {
            case ClientKind.HttpClient:
                // EDK2 refuses an offer without it, and would look for PXE servers in one with option 43.
                reply.Add(DhcpOption.VendorClass, "HTTPClient");
                reply.Echo(DhcpOption.ClientMachineIdentifier, question.Packet);
                // In both places: some firmware reads the option alone.
                reply.TryBootFile(file);
                reply.Add(DhcpOption.BootFileName, file, nulTerminated: true);
                return;

            case ClientKind.Ipxe or ClientKind.OwnIpxe:
                if (leasing)
                {
                    // We are the proxy too: without this, iPXE waits for one.
                    reply.Add(DhcpOption.Ipxe, [(byte)IpxeOption.NoProxyDhcp, 1, 1]);
                }
                else
                {
                    // iPXE takes an offer without an address only from a PXE server.
                    reply.Add(DhcpOption.VendorClass, "PXEClient");
                }
                reply.Echo(DhcpOption.ClientMachineIdentifier, question.Packet);
                break;

            default:
                // In a lease this sends the firmware to 4011: claimed only where that answers, or it stops with PXE-E55 (sidero#1212).
                if (!leasing || question.Ingress.ProxyPortIsOpen)
                    reply.Add(DhcpOption.VendorClass, "PXEClient");
                // Verbatim where sent; some ROMs leave it out (netboot#21).
                reply.Echo(DhcpOption.ClientMachineIdentifier, question.Packet);
                AddVendorOptions(ref reply, question);
                break;
        }

        // The header's field first: EDK2 writes over the byte behind option 67, others append 0xFF to it (netboot.xyz#1198).
        reply.TryServerName(question.Server.ToString());
        if (!reply.TryBootFile(file))
            reply.Add(DhcpOption.BootFileName, file, nulTerminated: true);
        if (question.Client.Quirks.HasFlag(ClientQuirks.TftpServerName))
            reply.Add(DhcpOption.TftpServerName, question.Server.ToString());
    }

    private static void AddVendorOptions(ref DhcpReplyWriter reply, in DhcpQuestion question)
    {
        var quirks = question.Client.Quirks;
        var vendor = new PxeVendorOptions(stackalloc byte[255]);
        if (quirks.HasFlag(ClientQuirks.RaspberryPiMenu))
        {
            vendor.AddDiscoveryControl(PxeDiscoveryControl.NoBroadcast | PxeDiscoveryControl.NoMulticast);
            vendor.AddMenuPrompt(0, "PXE");
            vendor.AddBootMenu(0, "Raspberry Pi Boot");
        }
        else if (question.Ingress.IsProxyPort && question.Packet.TryGetPxe(PxeOption.BootItem, out var item) && item.Length == 4)
        {
            // PXE 2.1 §2.2.4: the chosen boot item comes back as it was sent.
            vendor.Add(PxeOption.BootItem, item);
        }
        else if ((quirks & (ClientQuirks.NoVendorOptions | ClientQuirks.DiscoveryControl)) == ClientQuirks.DiscoveryControl)
        {
            vendor.AddDiscoveryControl(PxeDiscoveryControl.UseBootFile);
        }
        else
        {
            return;
        }
        reply.Add(DhcpOption.VendorSpecific, vendor.Complete());
    }
}
