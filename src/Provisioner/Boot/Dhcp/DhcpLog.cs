using Provisioner.Protocols;

namespace Provisioner.Boot.Dhcp;

internal static partial class DhcpLog
{
    [LoggerMessage(2001, LogLevel.Information, "DHCP listens on udp {Port} for {Networks}")]
    public static partial void Listening(ILogger logger, int port, string networks);

    [LoggerMessage(2002, LogLevel.Information, "DHCP on udp {Port} closed: no Network has it on")]
    public static partial void Closed(ILogger logger, int port);

    [LoggerMessage(2003, LogLevel.Error, "DHCP cannot listen on udp {Port}: {Problem}. It is tried again every {Seconds} s")]
    public static partial void CannotListen(ILogger logger, int port, string problem, double seconds);

    [LoggerMessage(2004, LogLevel.Error, "DHCP on udp {Port} broke: {Problem}. It is opened again")]
    public static partial void ListenerBroke(ILogger logger, int port, string problem);

    [LoggerMessage(2005, LogLevel.Warning, "Network {Network} names the interface {Interface}, which is not here; DHCP waits for it")]
    public static partial void InterfaceMissing(ILogger logger, string network, string @interface);

    [LoggerMessage(2006, LogLevel.Information, "The interface {Interface} of Network {Network} is here")]
    public static partial void InterfaceArrived(ILogger logger, string network, string @interface);

    [LoggerMessage(2007, LogLevel.Warning, "A DHCP answer to {Mac} could not be sent ({Delivery}): {Problem}")]
    public static partial void SendFailed(ILogger logger, MacAddress mac, string delivery, string problem);

    [LoggerMessage(2008, LogLevel.Warning, "Clients without an address are answered by broadcast: packet sockets are not permitted ({Problem}); CAP_NET_RAW allows them")]
    public static partial void NoPacketSocket(ILogger logger, string problem);

    [LoggerMessage(2009, LogLevel.Warning, "{Address} could not be probed before it was offered: {Problem}")]
    public static partial void ProbeFailed(ILogger logger, Ipv4Address address, string problem);

    [LoggerMessage(2010, LogLevel.Error, "A DHCP message from {Mac} broke the answer: a defect")]
    public static partial void Defect(ILogger logger, MacAddress mac, Exception exception);

    [LoggerMessage(2011, LogLevel.Information, "{Count} leases taken over from the store")]
    public static partial void LeasesLoaded(ILogger logger, int count);

    [LoggerMessage(2012, LogLevel.Warning, "{Count} leases were not stored before the stop: the store did not keep up")]
    public static partial void LeasesNotStored(ILogger logger, int count);

    [LoggerMessage(2013, LogLevel.Debug, "{What}: {Reason}")]
    public static partial void Answered(ILogger logger, string what, string reason);
}
