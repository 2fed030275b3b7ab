using System.Collections.Immutable;
using Provisioner.Installing;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Images;

/// <summary>What a person says of an ISO image they import.</summary>
internal sealed record DiscRequest
{
    /// <summary>Of the whole file, lower-case hexadecimal.</summary>
    public string? Sha256 { get; init; }

    /// <summary>Where it was downloaded, to be remembered.</summary>
    public string? Url { get; init; }

    /// <summary>Kernel, initrd and boot loaders alone; what is installed comes from a mirror.</summary>
    public bool BootOnly { get; init; }

    /// <summary>The mirror.</summary>
    public string? InstallSource { get; init; }
}

/// <summary>Takes an ISO image in, recognises and verifies it, and makes an Image of it: all of it, or nothing.</summary>
internal sealed class DiscImport(ImageStore store, StateWriter writer, CurrentState state, ImageLimits limits, Bsdtar bsdtar, ImageImports imports, ILogger<DiscImport> logger)
{
    /// <summary>Names of tar entries and their headers, beside the contents.</summary>
    private const long Overhead = 256 << 20;

    /// <param name="content">The ISO image.</param>
    /// <param name="request">What is said of the image.</param>
    /// <param name="discRequest">What is said of the ISO image.</param>
    /// <param name="announcedBytes">The size the sender names, or null: a lack of room is told before the first byte is written.</param>
    /// <param name="actor">Who imports it.</param>
    /// <param name="cancellation">The sender went away.</param>
    /// <exception cref="ChangeRefusedException">Everything that is wrong; nothing is left behind.</exception>
    public Task<Image> ImportAsync(
        Stream content, ImageRequest request, DiscRequest discRequest, long? announcedBytes, string? actor, CancellationToken cancellation) =>
        imports.FollowAsync(request.Name, actor, announcedBytes, running => ImportAsync(content, request, discRequest, announcedBytes, actor, running, cancellation), cancellation);

    /// <summary>The same, for whoever tells by itself how it stands.</summary>
    public async Task<Image> ImportAsync(
        Stream content, ImageRequest request, DiscRequest discRequest, long? announcedBytes, string? actor, RunningImport running, CancellationToken cancellation)
    {
        RefuseWithoutRoom(announcedBytes ?? 0, "The ISO image");
        var scratch = store.CreateStaging();
        var staging = store.CreateStaging();
        try
        {
            var received = await DiscFile.ReceiveAsync(running.Counting(content), Path.Combine(scratch, "disc.iso"), announcedBytes, limits, store.FreeBytes, cancellation);
            if (discRequest.Sha256 is { } pinned && pinned != received.Sha256)
            {
                throw new ChangeRefusedException(RefusalKind.Invalid,
                    [new Mistake($"The ISO image has SHA-256 {received.Sha256}, and {pinned} was to be expected") { Path = "sha256", Value = received.Sha256, Expected = pinned }]);
            }
            running.Begin(ImportStage.Checking);
            var disc = Disc.Recognise(await bsdtar.ReadAsync(received.Path, Disc.Marks, Disc.Marks.Length * Disc.LargestMark + Overhead,
                tar => DiscArchive.ReadMarksAsync(tar, limits, cancellation), cancellation));
            if (disc.Family == DistributionFamily.Rhel && !discRequest.BootOnly)
                RefuseWithoutRoom(received.Volume.Bytes, "The unpacked tree");
            running.Begin(ImportStage.Unpacking, received.Volume.Bytes);
            var (files, compared) = await UnpackAsync(received, disc, discRequest.BootOnly, scratch, staging, running, cancellation);
            running.Begin(ImportStage.Storing);
            var verified = Verified(received, disc, discRequest, compared);
            if (disc.ServesItself)
            {
                var name = $"{request.Name}.iso";
                File.Move(received.Path, Path.Combine(staging, name));
                files = files.Add(new StagedFile(name, received.Size, received.Sha256));
            }
            ImageStore.Remove(scratch);

            Image Register(StateEditor editor, string generation) =>
                ImageImport.Register(editor, files, request, before => Spec(disc, before, files, request, discRequest, received), verified, generation, actor);
            _ = ImageContents.Describe(files, request, Spec(disc, state.Snapshot.Images.GetValueOrDefault(request.Name)?.Spec, files, request, discRequest, received));
            var image = await store.PublishAsync(staging, request.Name,
                generation => writer.ChangeAsync(editor => Register(editor, generation), CancellationToken.None), cancellation);
            Log.Imported(logger, image.Name, files.Length, files.Sum(f => f.Size));
            return image;
        }
        finally
        {
            // Moved away when all went well; whatever else happened, nothing of it counts.
            ImageStore.Remove(staging);
            ImageStore.Remove(scratch);
        }
    }

    private async Task<(ImmutableArray<StagedFile> Files, int Compared)> UnpackAsync(
        DiscFile received, Disc disc, bool bootOnly, string scratch, string staging, RunningImport running, CancellationToken cancellation)
    {
        var maximum = received.Volume.Bytes + Overhead;
        var archive = new DiscArchive(disc, received.Volume.Bytes, limits, store.FreeBytes);
        var contents = await bsdtar.ReadAsync(received.Path, [], maximum,
            tar => archive.UnpackAsync(running.Counting(tar), staging, path => disc.Takes(path, bootOnly), cancellation), cancellation);
        archive.RefuseMissing();
        if (contents.Links.IsEmpty)
            return (contents.Files, contents.Checked);

        // The kernel to boot over the network is a further name of one that was not wanted, such as isolinux/vmlinuz: fetched now.
        var targets = contents.Links.Select(l => l.Target).ToHashSet(StringComparer.Ordinal);
        var aside = Path.Combine(scratch, "linked");
        var linked = await bsdtar.ReadAsync(received.Path, targets, maximum,
            tar => new DiscArchive(disc, received.Volume.Bytes, limits, store.FreeBytes).UnpackAsync(tar, aside, targets.Contains, cancellation), cancellation);
        var files = contents.Files.ToBuilder();
        var compared = contents.Checked;
        foreach (var link in contents.Links)
        {
            var file = linked.Files.FirstOrDefault(f => f.Path == link.Target)
                ?? throw ImageArchive.Refused(link.Path, $"is a hard link to '{ImageArchive.Shorten(link.Target)}', which cannot be read");
            if (disc.Sha256.GetValueOrDefault(link.Path) is { } listed)
            {
                if (listed != file.Sha256)
                    throw ImageArchive.Refused(link.Path, $"has SHA-256 {file.Sha256} and {listed} in the disc's own {disc.ListedIn}: the ISO image is damaged, or is not what it claims to be");
                compared++;
            }
            var to = Path.Combine(staging, link.Path);
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(Path.Combine(aside, link.Target), to);
            files.Add(file with { Path = link.Path });
        }
        return (files.ToImmutable(), compared);
    }

    /// <summary>What the image is: as it was declared, or else as the catalogue says, with what the disc itself says.</summary>
    private static ImageSpec Spec(Disc disc, ImageSpec? before, ImmutableArray<StagedFile> files, ImageRequest request, DiscRequest discRequest, DiscFile received)
    {
        var entry = ImageCatalogue.Fitting(disc.Family, disc.Version, disc.Architecture, disc.Kernel)?.Spec;
        var spec = before ?? entry ?? new ImageSpec { Architecture = disc.Architecture, Kernel = disc.Kernel };
        var known = files.Select(f => f.Path).ToHashSet(StringComparer.Ordinal);
        var url = discRequest.Url ?? (entry?.Source is { Sha256: { } sum } source && sum == received.Sha256 ? source.Url : null);
        return spec with
        {
            Family = disc.Family,
            Distribution = disc.Distribution,
            Version = disc.Version,
            Kernel = known.Contains(spec.Kernel) ? spec.Kernel : disc.Kernel,
            Initrd = spec.Initrd.Length > 0 && spec.Initrd.All(known.Contains) ? spec.Initrd : [disc.Initrd],
            InstallSource = discRequest.InstallSource ?? disc.Family switch
            {
                DistributionFamily.Ubuntu => $"{request.Name}.iso",
                DistributionFamily.Rhel when !discRequest.BootOnly => ".",
                // A tree that is not there any more would stop the installer in its second stage.
                _ => spec.InstallSource is { } set && (set.Contains("://", StringComparison.Ordinal) || PackageSource.IsCached(set)) ? spec.InstallSource : null,
            },
            Source = new ImageSource { Url = url, Sha256 = received.Sha256, Iso = url is null ? spec.Source?.Iso : null },
        };
    }

    private static ImmutableArray<string> Verified(DiscFile received, Disc disc, DiscRequest request, int compared)
    {
        var verified = ImmutableArray.CreateBuilder<string>();
        if (request.Sha256 is not null)
            verified.Add("the SHA-256 given with it");
        else if (ImageCatalogue.Entries.FirstOrDefault(e => e.Spec.Source?.Sha256 == received.Sha256) is { } entry)
            verified.Add($"the SHA-256 of {entry.Name} in the catalogue");
        if (received.Volume.Implanted is not null)
            verified.Add("the checksum implanted into it");
        if (compared > 0)
            verified.Add($"{compared} {(compared == 1 ? "sum" : "sums")} of its {disc.ListedIn}");
        return verified.ToImmutable();
    }

    private void RefuseWithoutRoom(long bytes, string what)
    {
        if (bytes > store.FreeBytes() - limits.KeepFreeBytes)
        {
            throw new ChangeRefusedException(RefusalKind.Invalid,
                $"{what} needs {bytes:N0} bytes and {Math.Max(0, store.FreeBytes() - limits.KeepFreeBytes):N0} are free where the data is kept. Free some room, or start the service with --data on a larger file system.");
        }
    }
}
