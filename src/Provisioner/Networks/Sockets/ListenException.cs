using System.Net.Sockets;
using Provisioner.Protocols;

namespace Provisioner.Networks.Sockets;

/// <summary>A service cannot listen where it was told to. The message is one line that says what to do; the start ends with it.</summary>
public sealed class ListenException : Exception
{
    public ListenException()
    {
    }

    public ListenException(string message) : base(message)
    {
    }

    public ListenException(string message, Exception innerException) : base(message, innerException)
    {
    }

    /// <summary>As <see cref="ForUdp"/>, for what Kestrel listens with.</summary>
    /// <param name="place">Where it should have listened.</param>
    /// <param name="error">What Kestrel said.</param>
    public static ListenException ForTcp(string service, string setting, string place, int port, IOException error) =>
        new($"{service} cannot listen at {place}/tcp: {error.GetBaseException().Message.TrimEnd('.')}. Stop what uses it ('ss -ltnp sport = {port}' names it) or set {setting}.", error);

    /// <summary>Turns the kernel's answer into what to do about it.</summary>
    /// <param name="service">Such as <c>TFTP</c>.</param>
    /// <param name="setting">The configuration key that moves it, such as <c>tftp.port</c>.</param>
    /// <param name="address">Where it should have listened.</param>
    /// <param name="port">Its UDP port.</param>
    /// <param name="error">What the kernel said.</param>
    /// <param name="interfaceName">The interface it was to be bound to, if one.</param>
    public static ListenException ForUdp(string service, string setting, Ipv4Address address, int port, SocketException error, string? interfaceName = null)
    {
        ArgumentNullException.ThrowIfNull(error);
        var what = error.SocketErrorCode switch
        {
            SocketError.AddressAlreadyInUse => $"the port is taken. Stop the other service ('ss -lunp sport = {port}' names it) or set {setting}",
            SocketError.AccessDenied => $"ports below 1024 need root or CAP_NET_BIND_SERVICE. Start it as a system service or set {setting} to a higher port",
            SocketError.AddressNotAvailable => $"no interface here has the address {address}. Give one that 'ip address' shows, or 0.0.0.0",
            _ => error.Message,
        };
        var place = interfaceName is null ? "" : $" on {interfaceName}";
        return new ListenException($"{service} cannot listen at {address}:{port}/udp{place}: {what}.", error);
    }
}
