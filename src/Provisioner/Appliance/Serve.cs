using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Provisioner.Auth;
using Provisioner.Resources;

namespace Provisioner.Appliance;

/// <summary><c>provisioner serve</c>: starts, says what listens and what does not, runs until told to stop.</summary>
internal static partial class Serve
{
    /// <returns>0 after a clean stop, 1 when it cannot start or broke.</returns>
    public static async Task<int> RunAsync(string? configFile, string? dataDirectory, string? socket, bool allowUnsynchronisedClock, TextWriter error, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        _ = Umask(0b010_111); // 027: nothing of it is for others, and the socket is for nobody else until its mode is set.
        WebApplication? app = null;
        try
        {
            var options = Options(configFile, dataDirectory, socket);
            if (allowUnsynchronisedClock)
                options = options with { Ca = options.Ca with { AllowUnsynchronisedClock = true } };
            app = ApplianceHost.Build(options);
            var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Provisioner.Appliance");
            await app.StartAsync(cancellation);
            Report(app, logger, Stopwatch.GetElapsedTime(started));
            await app.WaitForShutdownAsync(cancellation);
            return Broken(app) is { } broken ? Refuse(error, broken) : 0;
        }
        catch (OperationCanceledException)
        {
            return 0; // Told to stop while it was starting.
        }
        catch (Exception exception) when (StartRefusedException.Explain(exception) is not null)
        {
            return Refuse(error, exception);
        }
        finally
        {
            if (app is not null)
                await app.DisposeAsync();
        }
    }

    /// <exception cref="StartRefusedException">The file cannot be read, or says something wrong.</exception>
    public static ApplianceOptions Options(string? configFile, string? dataDirectory, string? socket)
    {
        var options = configFile is null ? new ApplianceOptions() : Read(configFile) with { ConfigurationFile = Path.GetFullPath(configFile) };
        if (dataDirectory is not null)
            options = options with { DataDirectory = Path.GetFullPath(dataDirectory) };
        return socket is null ? options : options with { Socket = Path.GetFullPath(socket) };
    }

    private static ApplianceOptions Read(string file)
    {
        try
        {
            return ApplianceConfiguration.Read(File.ReadAllText(file, new UTF8Encoding(false, throwOnInvalidBytes: true)));
        }
        catch (ChangeRefusedException refused)
        {
            throw new StartRefusedException(string.Join('\n', refused.Mistakes.Select(mistake => $"{file}: {mistake}")), refused);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or DecoderFallbackException)
        {
            throw new StartRefusedException($"The configuration file '{file}' cannot be read: {exception.Message} Correct --config, or start without it.", exception);
        }
    }

    private static void Report(WebApplication app, ILogger logger, TimeSpan took)
    {
        var options = app.Services.GetRequiredService<ApplianceOptions>();
        Log.Data(logger, options.DataDirectory);
        foreach (var plane in app.Services.GetRequiredService<ApplianceStatus>().Planes())
        {
            if (plane.Listens)
                Log.Listens(logger, plane.Name, plane.At, plane.Reason);
            else
                Log.Silent(logger, plane.Name, plane.At, plane.Reason);
        }
        if (!Privileges.MayUseLowPorts)
            Log.HighPorts(logger);
        if (app.Services.GetRequiredService<SetupLink>().Create() is { } link)
            Log.SetUp(logger, link);
        Log.Ready(logger, ApplianceStatus.Version, took.TotalSeconds);
    }

    // A background service that ended by a fault stops the host; without this the process would say it ended well.
    private static Exception? Broken(WebApplication app) => app.Services.GetServices<IHostedService>()
        .OfType<BackgroundService>().Select(service => service.ExecuteTask)
        .FirstOrDefault(task => task is { IsFaulted: true })?.Exception?.GetBaseException();

    private static int Refuse(TextWriter error, Exception exception)
    {
        error.WriteLine($"provisioner: {StartRefusedException.Explain(exception) ?? exception.Message}");
        return 1;
    }

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint Umask(uint mask);

    private static partial class Log
    {
        [LoggerMessage(1001, LogLevel.Information, "data    {Directory}")]
        public static partial void Data(ILogger logger, string directory);

        [LoggerMessage(1002, LogLevel.Information, "{Plane,-7} {At} ({Reason})")]
        public static partial void Listens(ILogger logger, string plane, string at, string reason);

        [LoggerMessage(1003, LogLevel.Information, "{Plane,-7} {At} is not listened on ({Reason})")]
        public static partial void Silent(ILogger logger, string plane, string at, string reason);

        [LoggerMessage(1004, LogLevel.Information, "without CAP_NET_BIND_SERVICE high ports are used: real firmware asks on 67, 69 and 4011")]
        public static partial void HighPorts(ILogger logger);

        [LoggerMessage(1006, LogLevel.Information, "setup   {Link} (once, for the first admin; 'provisioner setup' prints another)")]
        public static partial void SetUp(ILogger logger, string link);

        [LoggerMessage(1005, LogLevel.Information, "provisioner {Version} is ready after {Seconds:0.00} s")]
        public static partial void Ready(ILogger logger, string version, double seconds);
    }
}
