using System.Net;
using Provisioner.Protocols;
using Provisioner.Storage;

namespace Provisioner.Boot.Http;

/// <summary>Who is at the other end of a connection to the boot plane.</summary>
internal static class BootConnection
{
    /// <summary>The address the client asked at is one it can reach, unless the Network says otherwise.</summary>
    public static BootClient ClientOf(ConnectionInfo connection, Snapshot snapshot)
    {
        var address = Ipv4Address.From(connection.RemoteIpAddress ?? IPAddress.Any);
        var local = Ipv4Address.From(connection.LocalIpAddress ?? IPAddress.Any);
        foreach (var network in snapshot.Networks.Values)
        {
            if (network.Spec.Advertise is { } advertised && network.Spec.Subnet.Contains(address))
                return new BootClient(address, new BootEndpoint(advertised, connection.LocalPort));
        }
        return new BootClient(address, new BootEndpoint(local, connection.LocalPort));
    }
}
