using System.Diagnostics;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Provisioner.Networks.Sockets;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;

namespace Provisioner.Boot.Dhcp;

/// <summary>A server that answered on the wire.</summary>
/// <param name="Address">Its own, as option 54 says it.</param>
/// <param name="Offered">The address it offers; null when it offers none, as a proxyDHCP server does.</param>
/// <param name="BootFile">What it would have a server boot; null when it says nothing of booting.</param>
internal sealed record HeardServer(Ipv4Address Address, Ipv4Address? Offered, string? BootFile)
{
    public bool GivesAddresses => Offered is not null;

    /// <summary>It answers as a PXE server, or names a boot file.</summary>
    public bool Boots { get; init; }
}

/// <summary>
/// Asks the wire who answers DHCP and PXE there: a DISCOVER as firmware sends it, from port 68, and whatever OFFERs come. Nothing is requested, so no
/// address is taken.
/// </summary>
internal static class ServerProbe
{
    private const int ClientPort = 68, ServerPort = 67;

    /// <summary>A server may first ask whether the address is free; dnsmasq waits three seconds for that.</summary>
    public static readonly TimeSpan Wait = TimeSpan.FromSeconds(4);

    /// <summary>By which this process knows its own question. Other appliances answer it: one that should not be there is to be found.</summary>
    public static byte[] OwnClass { get; } = Encoding.ASCII.GetBytes($"probe-{RandomNumberGenerator.GetHexString(16, lowercase: true)}");

    /// <summary>Whoever answers on that interface, ourselves left out.</summary>
    /// <param name="isOurs">Whether an address is this machine's.</param>
    /// <exception cref="SocketException">It cannot be asked: the interface is gone, or a DHCP client has the port.</exception>
    public static IReadOnlyList<HeardServer> Ask(string interfaceName, Func<Ipv4Address, bool> isOurs, CancellationToken ct)
    {
        var network = NetworkInterface.GetAllNetworkInterfaces().FirstOrDefault(n => n.Name == interfaceName) ?? throw new SocketException((int)SocketError.NetworkUnreachable);
        var mac = MacOf(network);
        var xid = BitConverter.ToUInt32(RandomNumberGenerator.GetBytes(4));
        using var socket = DatagramSocket.Bind(Ipv4Address.Any, ClientPort, interfaceName);
        Span<byte> question = stackalloc byte[DhcpDiscover.MaximumLength];
        var length = DhcpDiscover.Write(question, mac, xid, OwnClass);
        if (!socket.Send(question[..length], Ipv4Address.Broadcast, ServerPort, default, network.GetIPProperties().GetIPv4Properties().Index))
            throw new SocketException(System.Runtime.InteropServices.Marshal.GetLastPInvokeError());
        var heard = new Dictionary<Ipv4Address, HeardServer>();
        Span<byte> answer = stackalloc byte[2048];
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) is var passed && passed < Wait && !ct.IsCancellationRequested)
        {
            var received = socket.Receive(answer, out var info, (int)Math.Min((Wait - passed).TotalMilliseconds + 1, 250));
            if (received > 0 && Read(answer[..received], xid, info.RemoteAddress) is { } server && !isOurs(server.Address) && !isOurs(info.RemoteAddress))
                heard[server.Address] = heard.TryGetValue(server.Address, out var before) ? server with { Boots = server.Boots || before.Boots, BootFile = server.BootFile ?? before.BootFile, Offered = server.Offered ?? before.Offered } : server;
        }
        return [.. heard.Values.OrderBy(s => s.Address.Bits)];
    }

    /// <summary>What an OFFER says of its sender; null for anything else.</summary>
    internal static HeardServer? Read(ReadOnlySpan<byte> datagram, uint xid, Ipv4Address sender)
    {
        if (!DhcpPacket.TryParse(datagram, out var packet, out _) || packet.Op != 2 || packet.Xid != xid || packet.MessageType is not DhcpMessageType.Offer)
            return null;
        var identifier = packet.Address(DhcpOption.ServerIdentifier);
        var file = packet.File.Length > 0 ? DhcpPacket.Printable(packet.File) : packet.Text(DhcpOption.BootFileName);
        return new HeardServer(identifier == default ? sender : identifier, packet.Yiaddr == default ? null : packet.Yiaddr, string.IsNullOrEmpty(file) ? null : file)
        {
            Boots = !string.IsNullOrEmpty(file) || packet.VendorClassStartsWith("PXEClient"u8),
        };
    }

    // Not the interface's own, which may be a registered host's; of the range that anybody may make up (IEEE 802, locally administered).
    private static MacAddress MacOf(NetworkInterface network)
    {
        var bytes = network.GetPhysicalAddress().GetAddressBytes();
        if (bytes.Length != 6)
            bytes = [2, 0, 0, 0, 0, 1];
        bytes[0] = (byte)(bytes[0] & 0xfe ^ 2);
        return bytes.All(b => b == 0) ? new MacAddress([2, 0, 0, 0, 0, 1]) : new MacAddress(bytes);
    }
}
