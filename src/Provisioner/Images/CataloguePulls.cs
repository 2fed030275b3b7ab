using System.Collections.Concurrent;
using Provisioner.Artifacts;
using Provisioner.Cli;
using Provisioner.Resources;

namespace Provisioner.Images;

/// <summary>Instead of the network, for downloads of the catalogue.</summary>
internal sealed record PullWire(Func<HttpMessageHandler> Create);

/// <summary>
/// Downloads discs of the catalogue and imports them. Their addresses are the program's own, each with the checksum that the disc has to have: nobody
/// can have the service fetch anything else.
/// </summary>
internal sealed class CataloguePulls(DiscImport disc, ImageImports imports, ArtifactOptions artifacts, IHostApplicationLifetime lifetime, TimeProvider time, PullWire? wire = null)
{
    private readonly ConcurrentDictionary<string, CancellationTokenSource> running = new(StringComparer.Ordinal);

    /// <summary>Why nothing is downloaded here; null when it is.</summary>
    public string? WhyNot => artifacts.Offline ? "The appliance is offline (artifacts.offline): it fetches nothing." : null;

    /// <summary>Whether it can be downloaded here; the others a person brings.</summary>
    public static bool Has(Image entry) => entry.Spec.Source is { Url: not null, Sha256: not null };

    /// <summary>Whether it is being downloaded.</summary>
    public bool Runs(string image) => running.ContainsKey(image);

    /// <summary>Begins, and goes on by itself; <see cref="ImageImports"/> says how it stands.</summary>
    /// <exception cref="ChangeRefusedException">It cannot be downloaded, or is being so.</exception>
    public void Start(string image, string actor)
    {
        if (WhyNot is { } whyNot)
            throw new ChangeRefusedException(RefusalKind.Conflict, whyNot);
        if (ImageCatalogue.Find(image) is not { } entry || !Has(entry))
            throw new ChangeRefusedException(RefusalKind.NotFound, $"The catalogue has no address of '{Reading.Shorten(image)}'. Upload its ISO image.");
        var stop = CancellationTokenSource.CreateLinkedTokenSource(lifetime.ApplicationStopping);
        if (!running.TryAdd(image, stop))
        {
            stop.Dispose();
            throw new ChangeRefusedException(RefusalKind.Conflict, $"{image} is being downloaded already.");
        }
        _ = Task.Run(() => RunAsync(entry, actor, stop), CancellationToken.None);
    }

    /// <summary>Ends it; nothing of it is kept.</summary>
    public void Cancel(string image)
    {
        if (!running.TryGetValue(image, out var stop))
            return;
        try
        {
            stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended by itself.
        }
    }

    private async Task RunAsync(Image entry, string actor, CancellationTokenSource stop)
    {
        try
        {
            await imports.FollowAsync(entry.Name, actor, null, import => PullAsync(entry, actor, import, stop.Token), stop.Token);
        }
        catch (Exception e) when (e is ChangeRefusedException or OperationCanceledException or IOException or HttpRequestException or Storage.StoreException)
        {
            // The import's own status says it, for whoever asks.
        }
        finally
        {
            running.TryRemove(entry.Name, out _);
            stop.Dispose();
        }
    }

    private async Task<Image> PullAsync(Image entry, string actor, RunningImport import, CancellationToken cancellation)
    {
        try
        {
            var source = entry.Spec.Source!;
            using var download = await ImageDownload.OpenAsync(source.Url!, source.Sha256, _ => { }, time, cancellation, wire?.Create());
            import.Begin(ImportStage.Receiving, download.Bytes);
            await using var bytes = download.Open();
            return await disc.ImportAsync(bytes, new ImageRequest(entry.Name), new DiscRequest { Sha256 = source.Sha256, Url = source.Url }, download.Bytes, actor, import, cancellation);
        }
        catch (CommandFailedException failed)
        {
            throw new ChangeRefusedException(RefusalKind.Conflict, $"{string.Join(' ', failed.Lines)} Let the appliance reach it (proxy, firewall, DNS), or download it elsewhere and upload the file.");
        }
    }
}
