namespace Provisioner.Certificates;

internal static partial class Log
{
    [LoggerMessage(6001, LogLevel.Error, "A certificate could not be issued")]
    public static partial void NotSigned(ILogger logger, Exception cause);

    [LoggerMessage(6002, LogLevel.Warning, "No certificates are issued: {Reason}")]
    public static partial void NotIssuing(ILogger logger, string reason);

    [LoggerMessage(6003, LogLevel.Error, "The watch over certificates failed; it tries again")]
    public static partial void WatchFailed(ILogger logger, Exception cause);

    [LoggerMessage(6004, LogLevel.Information, "{Subject} issues certificates until {NotAfter:u}")]
    public static partial void Issuing(ILogger logger, string subject, DateTimeOffset notAfter);

    [LoggerMessage(6005, LogLevel.Error, "The appliance's own certificate could not be made; it tries again")]
    public static partial void NoServerCertificate(ILogger logger, Exception cause);
}
