namespace Provisioner.Appliance.Machine;

internal static partial class MachineLog
{
    [LoggerMessage(1111, LogLevel.Information, "This machine's {What} is set to {Value}, as the configuration says")]
    public static partial void Set(ILogger logger, string what, string value);

    [LoggerMessage(1112, LogLevel.Warning, "This machine's {What} is not set as the configuration says: {Problem}")]
    public static partial void NotSet(ILogger logger, string what, string problem);

    [LoggerMessage(1113, LogLevel.Information, "Shutting down this machine is held: {Why}")]
    public static partial void Held(ILogger logger, string why);

    [LoggerMessage(1114, LogLevel.Warning, "Shutting down this machine is not held while servers are installed: {Problem}")]
    public static partial void NotHeld(ILogger logger, string problem);
}
