namespace Provisioner.Images;

internal static class ImageServices
{
    /// <summary>The image files on disk and their import. Needs CurrentState, StateWriter and TimeProvider.</summary>
    public static IServiceCollection AddImages(this IServiceCollection services, string dataDirectory) =>
        services
            .AddSingleton(provider => new ImageStore(Path.Combine(Path.GetFullPath(dataDirectory), "images"), provider.GetRequiredService<TimeProvider>()))
            .AddSingleton(new ImageLimits())
            .AddSingleton<ImageImports>()
            .AddSingleton<ImageImport>()
            .AddSingleton(provider => new Bsdtar(provider.GetRequiredService<TimeProvider>()))
            .AddSingleton<DiscImport>()
            .AddSingleton<CataloguePulls>()
            .AddHostedService<ImageSweep>();
}
