using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Provisioner.Networks.Sockets;

/// <summary>
/// Listening at an address that this machine does not have yet, or has lost for a while (IP_FREEBIND, ip(7)): a link may come late, or go and come
/// back, and whoever listens need not hear of it.
/// </summary>
internal static class LateAddress
{
    /// <summary>Before the socket is bound.</summary>
    public static void Allow(Socket socket) =>
        socket.SetRawSocketOption(Libc.SOL_IP, Libc.IP_FREEBIND, MemoryMarshal.AsBytes(new ReadOnlySpan<int>([1])));

    /// <summary>As <see cref="Allow"/>, for what Kestrel listens with.</summary>
    public static void AllowLateAddresses(this IServiceCollection services) =>
        services.Configure<SocketTransportOptions>(transport => transport.CreateBoundListenSocket = Bind);

    private static Socket Bind(EndPoint endpoint)
    {
        if (endpoint is not IPEndPoint { AddressFamily: AddressFamily.InterNetwork } ip)
            return SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            Allow(socket);
            socket.Bind(ip);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
