using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Provisioner.Appliance;

/// <summary>Logs for whom they are read by: the journal when there is one, otherwise a person.</summary>
internal static class ConsoleLogging
{
    public static void Configure(ILoggingBuilder logging)
    {
        logging.AddFilter("Microsoft", LogLevel.Warning);
        // How the start went wrong is said in one line on stderr, not as a stack trace here.
        logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Error);
        // JOURNAL_STREAM is set for what systemd starts (systemd.exec(5)); the journal has the time already and reads <N> as the level.
        if (Environment.GetEnvironmentVariable("JOURNAL_STREAM") is { Length: > 0 } && Console.IsOutputRedirected)
            logging.AddSystemdConsole();
        else
            logging.AddConsole(console => console.FormatterName = TerseFormatter.FormatterName).AddConsoleFormatter<TerseFormatter, ConsoleFormatterOptions>();
    }

    /// <summary><c>20:01:05 TFTP …</c>: the time, what happened, and the level only where it matters.</summary>
    private sealed class TerseFormatter(TimeProvider time) : ConsoleFormatter(FormatterName)
    {
        public const string FormatterName = "terse";

        private static readonly bool Colours = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null or "";

        public override void Write<TState>(in LogEntry<TState> entry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
        {
            var (label, colour) = entry.LogLevel switch
            {
                LogLevel.Warning => ("warning: ", "\e[33m"),
                LogLevel.Error or LogLevel.Critical => ("error: ", "\e[31m"),
                _ => ("", ""),
            };
            textWriter.Write(time.GetLocalNow().ToString("HH:mm:ss "));
            textWriter.Write(Colours && colour.Length > 0 ? $"{colour}{label}\e[0m" : label);
            textWriter.WriteLine(entry.Formatter(entry.State, entry.Exception));
            if (entry.Exception is { } exception)
                textWriter.WriteLine(exception);
        }
    }
}
