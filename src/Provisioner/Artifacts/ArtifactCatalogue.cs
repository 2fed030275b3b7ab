namespace Provisioner.Artifacts;

/// <summary>What a name below <c>/artifacts/</c> stands for. Closed.</summary>
internal abstract record ArtifactTarget
{
    public sealed record Content(ArtifactSource Source) : ArtifactTarget;

    /// <summary>The checksum of another artifact, as <c>sha256sum</c> writes it.</summary>
    public sealed record ChecksumOf(ArtifactSource Source) : ArtifactTarget;

    /// <summary>nodeadm's manifest, its addresses turned to the appliance.</summary>
    public sealed record Manifest(Upstream Upstream) : ArtifactTarget;

    public sealed record Nothing(int Status, string Reason) : ArtifactTarget;
}

/// <summary>
/// The names that may be asked for, and what is known of each before it is here. No client names an upstream's address: a name is found
/// in the configuration or in an upstream's manifest, or it is a path below an upstream's URL.
/// </summary>
internal sealed class ArtifactCatalogue(ArtifactCache cache)
{
    private const string Sha256Extension = ".sha256";

    private readonly Dictionary<string, Upstream> upstreams = cache.Options.Allowed.ToDictionary(u => u.Name, StringComparer.Ordinal);
    private (string Sha256, NodeadmManifest Manifest)? lastRead;

    public async Task<ArtifactTarget> FindAsync(ArtifactPath path, CancellationToken cancellation)
    {
        if (path.Upstream == ArtifactOptions.FilesName)
        {
            return cache.Options.Files.FirstOrDefault(f => f.Name == path.Rest) is { } pinned
                ? new ArtifactTarget.Content(Pinned(pinned))
                : Missing($"the configuration's artifacts.files has no file named '{path.Rest}'");
        }
        if (!upstreams.TryGetValue(path.Upstream, out var upstream))
            return Missing($"there is no upstream '{path.Upstream}'; there are {string.Join(", ", upstreams.Keys.Order(StringComparer.Ordinal))}");
        return upstream.Kind switch
        {
            UpstreamKind.Nodeadm => await OfNodeadmAsync(path, upstream, cancellation),
            UpstreamKind.Apt => new ArtifactTarget.Content(OfApt(path, upstream)),
            UpstreamKind.Dnf => new ArtifactTarget.Content(OfDnf(path, upstream)),
            _ => new ArtifactTarget.Content(Below(path, upstream)),
        };
    }

    /// <summary>nodeadm's manifest as the upstream has it, or why it cannot be had.</summary>
    public async Task<(NodeadmManifest? Manifest, StoredArtifact? Artifact, ArtifactTarget.Nothing? Failure)> ManifestAsync(Upstream upstream, CancellationToken cancellation)
    {
        var source = Below(new ArtifactPath(upstream.Name, NodeadmManifest.Name), upstream) with { MaximumLength = NodeadmManifest.MaximumLength };
        var result = await cache.GetAsync(source, mayStream: false, cancellation);
        if (result is not ArtifactResult.Stored stored)
        {
            var failed = (ArtifactResult.Failed)result;
            return (null, null, new ArtifactTarget.Nothing(failed.Status, failed.Reason));
        }
        stored.File.Dispose();
        if (lastRead is { } last && last.Sha256 == stored.Artifact.Sha256)
            return (last.Manifest, stored.Artifact, null);
        var (content, again) = await cache.ReadAsync(source, cancellation);
        if (content is null || again is not ArtifactResult.Stored { Artifact: var read })
            return (null, null, new ArtifactTarget.Nothing(StatusCodes.Status502BadGateway, "the manifest is gone again"));
        if (!NodeadmManifest.TryParse(content, upstream.Url.Scheme == Uri.UriSchemeHttp, out var manifest, out var reason))
            return (null, null, new ArtifactTarget.Nothing(StatusCodes.Status502BadGateway, reason));
        lastRead = (read.Sha256, manifest);
        return (manifest, read, null);
    }

    /// <summary>nodeadm's manifest of the upstream of that name; null when there is none, or it cannot be had.</summary>
    public async Task<NodeadmManifest?> ManifestAsync(string upstream, CancellationToken cancellation) =>
        upstreams.TryGetValue(upstream, out var known) && known.Kind == UpstreamKind.Nodeadm ? (await ManifestAsync(known, cancellation)).Manifest : null;

    /// <summary>The digest of what is served by that name; null when it cannot be had.</summary>
    public async Task<string?> DigestAsync(ArtifactPath path, CancellationToken cancellation) =>
        await FindAsync(path, cancellation) is ArtifactTarget.Content content ? (await DigestAsync(content.Source, cancellation)).Sha256 : null;

    /// <summary>The digest of an artifact: of the file that is here, or by its upstream's checksum file.</summary>
    public async Task<(string? Sha256, ArtifactTarget.Nothing? Failure)> DigestAsync(ArtifactSource source, CancellationToken cancellation)
    {
        // A file that may change is fetched along: its checksum is to be of what the host gets next.
        if (!source.IsImmutable)
        {
            var result = await cache.GetAsync(source, mayStream: false, cancellation);
            if (result is not ArtifactResult.Stored stored)
                return (null, new ArtifactTarget.Nothing(((ArtifactResult.Failed)result).Status, ((ArtifactResult.Failed)result).Reason));
            stored.File.Dispose();
            return (stored.Artifact.Sha256, null);
        }
        if (cache.Store.Find(source.Path) is { } here)
            return (here.Sha256, null);
        var (content, answer) = await cache.ReadAsync(source.Checksum!, cancellation);
        if (content is null)
            return (null, new ArtifactTarget.Nothing(((ArtifactResult.Failed)answer).Status, ((ArtifactResult.Failed)answer).Reason));
        return ChecksumFile.TryParse(content, source.FileName, out var digest, out var reason)
            ? (digest, null)
            : (null, new ArtifactTarget.Nothing(StatusCodes.Status502BadGateway, reason));
    }

    private static ArtifactSource Below(ArtifactPath path, Upstream upstream) =>
        new(path.ToString(), upstream, new Uri(upstream.Url, "./" + ArtifactPath.Escape(path.Rest)));

    private static ArtifactSource Pinned(PinnedFile file) =>
        new($"{ArtifactOptions.FilesName}/{file.Name}", new Upstream(ArtifactOptions.FilesName, file.Url), file.Url)
        {
            Sha256 = file.Sha256,
            IsImmutable = true,
            IsPinned = true,
        };

    private async Task<ArtifactTarget> OfNodeadmAsync(ArtifactPath path, Upstream upstream, CancellationToken cancellation)
    {
        if (path.Rest == NodeadmManifest.Name)
            return new ArtifactTarget.Manifest(upstream);
        var isChecksum = path.Rest.EndsWith(Sha256Extension, StringComparison.Ordinal);
        var of = isChecksum ? path with { Rest = path.Rest[..^Sha256Extension.Length] } : path;
        var (source, failure) = of.Rest.StartsWith(ManifestFile.From, StringComparison.Ordinal)
            ? await OfManifestAsync(of, upstream, cancellation)
            : OfRelease(of, upstream);
        return source is null ? failure! : isChecksum ? new ArtifactTarget.ChecksumOf(source) : new ArtifactTarget.Content(source);
    }

    private async Task<(ArtifactSource? Source, ArtifactTarget.Nothing? Failure)> OfManifestAsync(ArtifactPath path, Upstream upstream, CancellationToken cancellation)
    {
        var (manifest, _, failure) = await ManifestAsync(upstream, cancellation);
        if (manifest?.FindFile(path.Rest) is { } file)
        {
            return (new ArtifactSource(path.ToString(), upstream, file.Url)
            {
                IsImmutable = true,
                Checksum = ChecksumAt(path, upstream, file.ChecksumUrl) with { IsImmutable = true },
            }, null);
        }
        // A host may hold a manifest that is older than ours; what came by it is here still, and was checked then.
        if (cache.Store.Find(path.ToString()) is { } here)
            return (new ArtifactSource(here.Path, upstream, new Uri(here.Url)) { IsImmutable = true, Sha256 = here.Sha256 }, null);
        return (null, failure ?? Missing($"the manifest of '{upstream.Name}' lists no such file with a checksum"));
    }

    // releases/VERSION/bin/linux/ARCH/nodeadm; what is latest changes, a version does not.
    private static (ArtifactSource? Source, ArtifactTarget.Nothing? Failure) OfRelease(ArtifactPath path, Upstream upstream)
    {
        if (path.Rest.Split('/') is not ["releases", var version, "bin", "linux", "amd64" or "arm64", "nodeadm"])
            return (null, Missing($"of '{upstream.Name}' there are manifest.yaml, what it lists, and releases/VERSION/bin/linux/amd64|arm64/nodeadm"));
        var source = Below(path, upstream);
        var isImmutable = version != "latest";
        return (source with
        {
            IsImmutable = isImmutable,
            Checksum = ChecksumAt(path, upstream, new Uri(source.Url + Sha256Extension)) with { IsImmutable = isImmutable },
        }, null);
    }

    private static ArtifactSource ChecksumAt(ArtifactPath path, Upstream upstream, Uri url) =>
        new(path + Sha256Extension, upstream, url) { MaximumLength = ChecksumFile.MaximumLength };

    // By hash: the index's name is its digest (Debian's repository format, "Acquire-By-Hash"). Packages carry their version in their name.
    private static ArtifactSource OfApt(ArtifactPath path, Upstream upstream)
    {
        var source = Below(path, upstream);
        if (path.Rest.Split('/') is [.., "by-hash", "SHA256", var digest] && ChecksumFile.IsSha256(digest))
            return source with { Sha256 = digest.ToLowerInvariant(), IsImmutable = true };
        return path.Rest.StartsWith("pool/", StringComparison.Ordinal) || path.Rest.EndsWith(".deb", StringComparison.Ordinal) || path.Rest.EndsWith(".udeb", StringComparison.Ordinal)
            ? source with { IsImmutable = true } : source;
    }

    // repodata/DIGEST-primary.xml.gz: createrepo_c's unique names for metadata.
    private static ArtifactSource OfDnf(ArtifactPath path, Upstream upstream)
    {
        var source = Below(path, upstream);
        if (path.Rest.Split('/') is [.., "repodata", { Length: > 65 } name] && name[64] == '-' && ChecksumFile.IsSha256(name[..64]))
            return source with { Sha256 = name[..64].ToLowerInvariant(), IsImmutable = true };
        return path.Rest.EndsWith(".rpm", StringComparison.Ordinal) ? source with { IsImmutable = true } : source;
    }

    private static ArtifactTarget.Nothing Missing(string reason) => new(StatusCodes.Status404NotFound, reason);
}
