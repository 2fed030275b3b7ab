namespace Provisioner.Webhooks;

internal static partial class Log
{
    [LoggerMessage(LogLevel.Warning, "webhook {Name}: event {Id} was not taken (try {Attempt}): {Answer}")]
    public static partial void NotDelivered(ILogger logger, string name, long id, int attempt, string answer);

    [LoggerMessage(LogLevel.Warning, "where a webhook stands, or that it does not answer, could not be stored: {Reason}")]
    public static partial void NotStored(ILogger logger, string reason);
}
