namespace Provisioner.Templates;

internal static partial class Log
{
    [LoggerMessage(7001, LogLevel.Warning, "{Problem}; the built-in template is used")]
    public static partial void Refused(ILogger logger, string problem);

    [LoggerMessage(7002, LogLevel.Information, "{Directory}: in place of the built-in templates: {Names}")]
    public static partial void Loaded(ILogger logger, string directory, string names);

    [LoggerMessage(7003, LogLevel.Error, "The template {Name} of this site failed, the built-in one was used: {Reason}")]
    public static partial void Failed(ILogger logger, string name, string reason);
}
