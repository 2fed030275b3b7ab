namespace Provisioner.Installing;

internal static class InstallServices
{
    /// <summary>The answers of unattended installations.</summary>
    /// <param name="services">Needs TemplateEngine from elsewhere.</param>
    public static IServiceCollection AddInstalling(this IServiceCollection services) =>
        services.AddSingleton(_ => JoinFiles.BuiltIn()).AddSingleton<AnswerFiles>();
}
