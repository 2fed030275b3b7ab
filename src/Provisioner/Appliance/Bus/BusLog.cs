namespace Provisioner.Appliance.Bus;

internal static partial class BusLog
{
    [LoggerMessage(1101, LogLevel.Debug, "Connected to the system bus at {Address}")]
    public static partial void Connected(ILogger logger, string address);

    [LoggerMessage(1102, LogLevel.Information, "What the system does for this service is off: {Problem}. It is tried again")]
    public static partial void NotConnected(ILogger logger, string problem);

    [LoggerMessage(1103, LogLevel.Error, "The connection to the system bus broke: a defect. The service goes on without it")]
    public static partial void Defect(ILogger logger, Exception exception);

    [LoggerMessage(1104, LogLevel.Warning, "A signal of the system bus was not understood: {Problem}")]
    public static partial void Unreadable(ILogger logger, string problem);

    [LoggerMessage(1105, LogLevel.Warning, "Signals are not heard ({Rule}): {Problem}")]
    public static partial void NotMatched(ILogger logger, string rule, string problem);

    [LoggerMessage(1106, LogLevel.Information, "{Feature}: {Says}")]
    public static partial void Standing(ILogger logger, string feature, string says);
}
