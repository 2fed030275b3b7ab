using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Provisioner.Artifacts.Packages;
using Provisioner.Installing;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Artifacts;

/// <summary>What is to be in the cache before anybody asks.</summary>
internal sealed record WarmRequest
{
    /// <summary>Profiles: what their hosts fetch.</summary>
    public IReadOnlyList<string> Profiles { get; init; } = [];

    /// <summary>Paths below <c>/artifacts/</c>.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>nodeadm itself: a version, or <c>latest</c>.</summary>
    public string? Nodeadm { get; init; }

    /// <summary>A Kubernetes version such as 1.34: what <c>nodeadm install</c> fetches for it.</summary>
    public string? Kubernetes { get; init; }

    /// <summary>amd64, arm64.</summary>
    public IReadOnlyList<string> Architectures { get; init; } = [];

    /// <summary>The upstream nodeadm comes from.</summary>
    public string Upstream { get; init; } = "nodeadm";
}

/// <summary>What is to be fetched.</summary>
/// <param name="Packages">Of which files, their archives say.</param>
internal sealed record WarmPlan(IReadOnlyList<string> Paths, IReadOnlyList<PackageNeeds> Packages);

internal enum WarmState
{
    Waiting,
    Fetching,

    /// <summary>It is in the cache.</summary>
    Ready,
    Failed,

    /// <summary>A package that no archive in the cache has, and that may come from elsewhere.</summary>
    Unresolved,
}

/// <summary>How far one path of a warming is.</summary>
/// <param name="Reason">Why it failed, or what vouches for it.</param>
internal sealed record WarmStep(string Path, WarmState State, long Received = 0, long? Length = null, string? Reason = null);

/// <summary>Fills the cache with what a site is going to ask for.</summary>
internal sealed class ArtifactWarming(ArtifactCache cache, ArtifactCatalogue catalogue, CurrentState state, TimeProvider time)
{
    private const int AtOnce = 4;

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(250);

    /// <summary>Finds out what is meant, as far as it can be known before archives are read.</summary>
    /// <exception cref="ChangeRefusedException">Nothing is meant, or there is no such version or Profile.</exception>
    public async Task<WarmPlan> PlanAsync(WarmRequest request, CancellationToken cancellation)
    {
        string[] architectures = request.Architectures.Count == 0 ? ["amd64", "arm64"] : [.. request.Architectures];
        var paths = new List<string>();
        var packages = new List<PackageNeeds>();
        foreach (var path in request.Paths)
        {
            if (!ArtifactPath.TryParse(path, out var parsed, out var wrong))
                throw new ChangeRefusedException(RefusalKind.Invalid, $"'{Reading.Shorten(path)}': {wrong}.");
            paths.Add(parsed.ToString());
        }
        if (request.Nodeadm is { } version)
            paths.AddRange(Releases(request.Upstream, version, architectures));
        if (request.Kubernetes is { } kubernetes)
            paths.AddRange(await OfManifestAsync(request.Upstream, kubernetes, architectures, cancellation));
        foreach (var profile in request.Profiles)
            await AddAsync(profile, paths, packages, cancellation);
        return paths.Count + packages.Count > 0 ? new WarmPlan([.. paths.Distinct(StringComparer.Ordinal)], packages)
            : throw new ChangeRefusedException(RefusalKind.Invalid, "Nothing is named: give a Profile, paths, a nodeadm version or a Kubernetes version.");
    }

    /// <summary>Fetches what was planned, and the packages once it is known which, and tells each step as it is reached. What is under way goes on when nobody listens any more.</summary>
    public async IAsyncEnumerable<WarmStep> RunAsync(WarmPlan plan, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var told = new HashSet<string>(plan.Paths, StringComparer.Ordinal);
        await foreach (var step in FetchAllAsync(plan.Paths, cancellation))
            yield return step;
        foreach (var needs in plan.Packages)
        {
            await foreach (var step in FetchAllAsync([.. needs.Archives.Select(a => a.Head).Where(told.Add)], cancellation))
                yield return step;
            var indexes = new List<(PackageArchive Archive, ArchiveIndex Index)>();
            var complete = true;
            foreach (var archive in needs.Archives)
            {
                var (listed, wrong) = await ReadAsync(archive.Head, archive.Indexes, cancellation);
                indexes.AddRange((listed ?? []).Select(index => (archive, index)));
                complete &= wrong is null;
                if (wrong is not null)
                    yield return new WarmStep(archive.Head, WarmState.Failed, Reason: wrong);
            }
            await foreach (var step in FetchAllAsync([.. indexes.Select(i => i.Index.Path).Where(told.Add)], cancellation))
                yield return step;
            var packages = new PackageIndex();
            foreach (var (archive, index) in indexes.Where(i => i.Index.Reads is not null))
            {
                var (_, wrong) = await ReadAsync(index.Path, content =>
                {
                    foreach (var package in archive.Read(content, index))
                        packages.Add(package);
                    return "";
                }, cancellation);
                complete &= wrong is null;
                if (wrong is not null)
                    yield return new WarmStep(index.Path, WarmState.Failed, Reason: wrong);
            }
            var resolution = packages.Resolve(needs.Names);
            await foreach (var step in FetchAllAsync([.. resolution.Packages.Select(p => p.Path).Where(told.Add)], cancellation))
                yield return step;
            foreach (var (name, neededBy) in resolution.Unresolved)
            {
                var why = neededBy is null ? $"Profile {needs.Profile} installs it" : $"{neededBy} needs it";
                yield return needs.IsWhole && complete
                    ? new WarmStep($"package {name}", WarmState.Failed, Reason: $"{why}, and no archive of the Profile has it")
                    : new WarmStep($"package {name}", WarmState.Unresolved, Reason: $"{why}, and {(complete ? "no archive from the cache has it: the image, or another archive, has to" : "not all archives could be read")}");
            }
        }
    }

    // nodeadm, and what a host checks it by.
    private static IEnumerable<string> Releases(string upstream, string version, IEnumerable<string> architectures) =>
        architectures.Select(architecture => $"{upstream}/releases/{version}/bin/linux/{architecture}/nodeadm");

    private async Task<IEnumerable<string>> OfManifestAsync(string name, string kubernetes, string[] architectures, CancellationToken cancellation)
    {
        var upstream = cache.Options.Allowed.FirstOrDefault(u => u.Name == name && u.Kind == UpstreamKind.Nodeadm)
            ?? throw new ChangeRefusedException(RefusalKind.NotFound, $"There is no upstream '{name}' of kind nodeadm.");
        var (manifest, _, failure) = await catalogue.ManifestAsync(upstream, cancellation);
        if (manifest is null)
            throw new ChangeRefusedException(RefusalKind.Conflict, $"nodeadm's manifest cannot be had: {failure!.Reason}.");
        if (!manifest.TrySelect(kubernetes, architectures, out var files, out var reason))
            throw new ChangeRefusedException(RefusalKind.NotFound, $"{reason}.");
        return files.Select(file => $"{upstream.Name}/{file.Rest}");
    }

    // What the hosts of a Profile fetch from here.
    private async Task AddAsync(string name, List<string> paths, List<PackageNeeds> packages, CancellationToken cancellation)
    {
        var snapshot = state.Snapshot;
        if (!snapshot.Profiles.TryGetValue(name, out var profile))
            throw new ChangeRefusedException(RefusalKind.NotFound, $"There is no Profile '{Reading.Shorten(name)}'; a path has a slash, as in ubuntu/dists/noble/InRelease.");
        if (!snapshot.Images.TryGetValue(profile.Spec.Image, out var image))
            throw new ChangeRefusedException(RefusalKind.Conflict, $"Image {profile.Spec.Image} of Profile {name} does not exist.");
        if (profile.Spec.Install is { } options && PackageSource.WhyNotHere(name, options, [.. cache.Options.Allowed.Select(u => u.Name)]) is { } nowhere)
            throw new ChangeRefusedException(RefusalKind.Conflict, $"{nowhere}.");
        var before = paths.Count;
        paths.AddRange(cache.Options.Files.Select(file => $"{ArtifactOptions.FilesName}/{file.Name}"));
        if (profile.Spec.Cluster is { } joins)
        {
            if (!snapshot.Clusters.TryGetValue(joins, out var cluster))
                throw new ChangeRefusedException(RefusalKind.Conflict, $"Cluster {joins} of Profile {name} does not exist.");
            string[] architecture = [PackageNeeds.DebianName(image.Spec.Architecture)];
            var upstream = cluster.Spec.NodeadmUpstream;
            foreach (var path in Releases(upstream, cluster.Spec.Nodeadm, architecture))
                paths.AddRange([path, path + ".sha256"]);
            paths.Add($"{upstream}/{NodeadmManifest.Name}");
            paths.AddRange(await OfManifestAsync(upstream, cluster.Spec.KubernetesVersion, architecture, cancellation));
        }
        if (PackageNeeds.Of(profile, image) is { } needs)
            packages.Add(needs);
        else if (paths.Count == before)
            throw new ChangeRefusedException(RefusalKind.Conflict, $"The hosts of Profile {name} fetch nothing from the cache: it has no cluster, and neither its mirror nor a repository begins with cache:.");
    }

    private async Task<(T? Value, string? Wrong)> ReadAsync<T>(string path, Func<Stream, T> read, CancellationToken cancellation)
        where T : class
    {
        if (!ArtifactPath.TryParse(path, out var parsed, out var wrong))
            return (null, wrong);
        if (await catalogue.FindAsync(parsed, cancellation) is not ArtifactTarget.Content(var source))
            return (null, "its upstream is not of the kind apt or dnf");
        var result = await cache.GetAsync(source, mayStream: false, cancellation);
        if (result is not ArtifactResult.Stored stored)
            return (null, ((ArtifactResult.Failed)result).Reason);
        await using var content = new FileStream(stored.File, FileAccess.Read);
        try
        {
            return (await Task.Run(() => read(content), cancellation), null);
        }
        catch (InvalidDataException e)
        {
            return (null, e.Message);
        }
    }

    private async IAsyncEnumerable<WarmStep> FetchAllAsync(IReadOnlyList<string> paths, [EnumeratorCancellation] CancellationToken cancellation)
    {
        if (paths.Count == 0)
            yield break;
        var told = paths.ToDictionary(path => path, path => new WarmStep(path, WarmState.Waiting), StringComparer.Ordinal);
        foreach (var step in told.Values)
            yield return step;
        var steps = new ConcurrentDictionary<string, WarmStep>(told, StringComparer.Ordinal);
        var all = Parallel.ForEachAsync(paths, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation }, async (path, stop) =>
        {
            steps[path] = new WarmStep(path, WarmState.Fetching);
            steps[path] = await FetchAsync(path, stop);
        });
        while (true)
        {
            var ended = await Task.WhenAny(all, Task.Delay(Pace, time, cancellation)) == all;
            foreach (var path in paths)
            {
                var step = steps[path];
                if (step.State == WarmState.Fetching && cache.ProgressOf(path) is var (received, length))
                    step = step with { Received = received, Length = length };
                if (step == told[path])
                    continue;
                told[path] = step;
                yield return step;
            }
            if (!ended)
                continue;
            await all;
            yield break;
        }
    }

    private async Task<WarmStep> FetchAsync(string path, CancellationToken cancellation)
    {
        if (!ArtifactPath.TryParse(path, out var parsed, out var wrong))
            return new WarmStep(path, WarmState.Failed, Reason: wrong);
        switch (await catalogue.FindAsync(parsed, cancellation))
        {
            case ArtifactTarget.Content(var source):
                var result = await cache.GetAsync(source, mayStream: false, cancellation);
                if (result is not ArtifactResult.Stored stored)
                    return new WarmStep(path, WarmState.Failed, Reason: ((ArtifactResult.Failed)result).Reason);
                stored.File.Dispose();
                return new WarmStep(path, WarmState.Ready, stored.Artifact.Size, stored.Artifact.Size, $"checked by {stored.Artifact.VerifiedBy}");
            case ArtifactTarget.Manifest(var upstream):
                var (_, artifact, failure) = await catalogue.ManifestAsync(upstream, cancellation);
                return artifact is null ? new WarmStep(path, WarmState.Failed, Reason: failure!.Reason) : new WarmStep(path, WarmState.Ready, artifact.Size, artifact.Size);
            case ArtifactTarget.ChecksumOf(var source):
                var (digest, missing) = await catalogue.DigestAsync(source, cancellation);
                return digest is null ? new WarmStep(path, WarmState.Failed, Reason: missing!.Reason) : new WarmStep(path, WarmState.Ready);
            case ArtifactTarget.Nothing nothing:
                return new WarmStep(path, WarmState.Failed, Reason: nothing.Reason);
            default:
                return new WarmStep(path, WarmState.Failed, Reason: "it is no artifact");
        }
    }
}
