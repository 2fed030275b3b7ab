namespace Provisioner.Backup;

internal static class BackupServices
{
    /// <summary>Adds backups, when asked and on their schedule. Add it after storage, images and AWS.</summary>
    public static IServiceCollection AddBackup(this IServiceCollection services) => services
        .AddSingleton<BackupService>()
        .AddSingleton<BackupVerdicts>()
        .AddHostedService(provider => provider.GetRequiredService<BackupService>());
}
