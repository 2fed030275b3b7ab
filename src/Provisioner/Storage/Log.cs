namespace Provisioner.Storage;

internal static partial class Log
{
    [LoggerMessage(4001, LogLevel.Error, "A change could not be stored; the service goes on with what it has")]
    public static partial void NotStored(ILogger logger, Exception cause);

    [LoggerMessage(4002, LogLevel.Error, "A listener failed on a new snapshot")]
    public static partial void ListenerFailed(ILogger logger, Exception cause);

    [LoggerMessage(4003, LogLevel.Information, "{Path}: {Hosts} hosts, {Profiles} profiles, {Images} images, {Networks} networks")]
    public static partial void Opened(ILogger logger, string path, int hosts, int profiles, int images, int networks);
}
