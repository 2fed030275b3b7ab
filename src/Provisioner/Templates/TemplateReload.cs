using System.Runtime.InteropServices;

namespace Provisioner.Templates;

internal static class TemplateServices
{
    /// <summary>The templates, with the operator's own from <c>templates</c> in the data directory in their places.</summary>
    public static IServiceCollection AddTemplates(this IServiceCollection services, string dataDirectory) =>
        services
            .AddSingleton<TemplateEngine>()
            .AddHostedService(provider => new TemplateReload(
                provider.GetRequiredService<TemplateEngine>(), Path.Combine(dataDirectory, "templates"), provider.GetRequiredService<ILogger<TemplateReload>>()));
}

/// <summary>Reads the operator's templates when the service starts, and again at SIGHUP (<c>systemctl reload</c>).</summary>
internal sealed class TemplateReload(TemplateEngine engine, string directory, ILogger<TemplateReload> logger) : IHostedService
{
    private PosixSignalRegistration? hangup;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        engine.OverrideFailed = (name, cause) => Log.Failed(logger, name, cause.Message);
        Load();
        hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true; // Its usual meaning is to end.
            Load();
        });
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        hangup?.Dispose();
        return Task.CompletedTask;
    }

    public void Load()
    {
        var good = TemplateOverrides.Read(engine, directory, out var problems);
        engine.Override(good);
        foreach (var problem in problems)
            Log.Refused(logger, problem.ToString());
        if (good.Count > 0)
            Log.Loaded(logger, directory, string.Join(", ", good.Keys.Order(StringComparer.Ordinal)));
    }
}
