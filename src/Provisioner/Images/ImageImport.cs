using System.Collections.Immutable;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Images;

/// <summary>Takes a tar stream in and makes an Image of it: all of it, or nothing.</summary>
internal sealed class ImageImport(ImageStore store, StateWriter writer, CurrentState state, ImageLimits limits, ImageImports imports, ILogger<ImageImport> logger)
{
    /// <summary>Unpacks, checks, moves into place and registers.</summary>
    /// <param name="announcedBytes">The size the sender names, or null: a lack of room is told before the first byte is written.</param>
    /// <exception cref="ChangeRefusedException">Everything that is wrong; nothing is left behind.</exception>
    public Task<Image> ImportAsync(Stream tar, ImageRequest request, long? announcedBytes, string? actor, CancellationToken cancellation) =>
        imports.FollowAsync(request.Name, actor, announcedBytes, running => ImportAsync(tar, request, announcedBytes, actor, running, cancellation), cancellation);

    private async Task<Image> ImportAsync(Stream tar, ImageRequest request, long? announcedBytes, string? actor, RunningImport running, CancellationToken cancellation)
    {
        if (announcedBytes > store.FreeBytes() - limits.KeepFreeBytes)
            throw new ChangeRefusedException(RefusalKind.Invalid,
                $"The image needs {announcedBytes:N0} bytes and {Math.Max(0, store.FreeBytes() - limits.KeepFreeBytes):N0} are free where the data is kept. Free some room, or start the service with --data on a larger file system.");
        var staging = store.CreateStaging();
        try
        {
            var files = await ImageArchive.UnpackAsync(running.Counting(tar), staging, limits, store.FreeBytes, cancellation);
            running.Begin(ImportStage.Storing);
            var before = state.Snapshot.Images.GetValueOrDefault(request.Name);
            _ = ImageContents.Describe(files, request, before?.Spec);
            var image = await store.PublishAsync(staging, request.Name,
                generation => writer.ChangeAsync(editor => Register(editor, files, request, declared => declared, [], generation, actor), CancellationToken.None), cancellation);
            Log.Imported(logger, image.Name, files.Length, files.Sum(f => f.Size));
            return image;
        }
        finally
        {
            // Moved away when all went well; whatever else happened, nothing of it counts.
            ImageStore.Remove(staging);
        }
    }

    /// <param name="editor">On the writer's lane.</param>
    /// <param name="files">All that was imported.</param>
    /// <param name="request">What the person said.</param>
    /// <param name="declare">What is known of the image besides, of what it was.</param>
    /// <param name="verified">What the files were checked against.</param>
    /// <param name="generation">Where they are.</param>
    /// <param name="actor">Who imports them.</param>
    internal static Image Register(
        StateEditor editor, ImmutableArray<StagedFile> files, ImageRequest request, Func<ImageSpec?, ImageSpec?> declare, ImmutableArray<string> verified, string generation, string? actor)
    {
        // Described once more on the writer's lane: the image may have been applied anew while the archive came in.
        var before = editor.Snapshot.Images.GetValueOrDefault(request.Name);
        var spec = ImageContents.Describe(files, request, declare(before?.Spec));
        return ImageChanges.Register(editor, new Image(before?.Metadata ?? new Metadata(request.Name), spec)
        {
            Status = new ImageStatus
            {
                Files = [.. files.Select(f => f.ToImageFile()).OrderBy(f => f.Path, StringComparer.Ordinal)],
                ImportedAt = editor.Now,
                Generation = generation,
                Verified = verified,
            },
        }, actor);
    }
}

/// <summary>At the start, before anybody is answered: sweeps what a killed import left.</summary>
internal sealed class ImageSweep(ImageStore store, CurrentState state, ILogger<ImageSweep> logger) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var directory in await store.SweepAsync(state.Snapshot, cancellationToken))
            Log.Unregistered(logger, directory);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

internal static partial class Log
{
    [LoggerMessage(3001, LogLevel.Information, "Image {Image} imported: {Files} files, {Bytes} bytes")]
    public static partial void Imported(ILogger logger, string image, int files, long bytes);

    [LoggerMessage(3002, LogLevel.Warning, "{Directory} belongs to no registered image: import it again, or remove it")]
    public static partial void Unregistered(ILogger logger, string directory);
}
