namespace Provisioner.Auth;

internal static partial class Log
{
    [LoggerMessage(15001, LogLevel.Warning, "When a session or token was last used could not be stored: {Reason}")]
    public static partial void LastUseNotStored(ILogger logger, string reason);
}
