namespace Provisioner.Progress;

internal static class ProgressServices
{
    /// <summary>Adds what is heard of installers: reports, syslog, and the watch over those that go quiet. Add it after storage.</summary>
    public static IServiceCollection AddProgress(this IServiceCollection services, SyslogOptions syslog, string dataDirectory) => services
        .AddSingleton(syslog)
        .AddSingleton(provider => new InstallerLog(dataDirectory, provider.GetRequiredService<TimeProvider>()))
        .AddSingleton<StageRecorder>()
        .AddHostedService(provider => provider.GetRequiredService<StageRecorder>())
        .AddSingleton<SyslogService>()
        .AddHostedService(provider => provider.GetRequiredService<SyslogService>());
}
