using System.Net;

namespace Provisioner.Boot.Tftp;

internal static partial class TftpLog
{
    [LoggerMessage(200, LogLevel.Information, "TFTP listens at {Address}:{Port}/udp, segmentation offload {SegmentationOffload}")]
    public static partial void Listening(this ILogger logger, string address, int port, bool segmentationOffload);

    [LoggerMessage(201, LogLevel.Debug, "TFTP {Client}: {Request}")]
    public static partial void Requested(this ILogger logger, IPEndPoint client, string request);

    [LoggerMessage(202, LogLevel.Information, "TFTP {Client}: {What} ({Reason})")]
    public static partial void Sent(this ILogger logger, IPEndPoint client, string what, string reason);

    [LoggerMessage(203, LogLevel.Warning, "TFTP {Client}: {What} ({Reason})")]
    public static partial void Refused(this ILogger logger, IPEndPoint client, string what, string reason);

    [LoggerMessage(204, LogLevel.Warning, "TFTP {Client}: {What} ({Reason})")]
    public static partial void Broken(this ILogger logger, IPEndPoint client, string what, string reason);

    [LoggerMessage(205, LogLevel.Debug, "TFTP {Client}: {Reason}")]
    public static partial void Ignored(this ILogger logger, IPEndPoint client, string reason);

    [LoggerMessage(206, LogLevel.Error, "TFTP {Client}: the request could not be handled")]
    public static partial void Unexpected(this ILogger logger, Exception error, IPEndPoint client);

    [LoggerMessage(207, LogLevel.Critical, "TFTP stopped: its socket is broken")]
    public static partial void SocketBroken(this ILogger logger, Exception error);
}
