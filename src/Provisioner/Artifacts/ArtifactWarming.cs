using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Provisioner.Resources;

namespace Provisioner.Artifacts;

/// <summary>What is to be in the cache before anybody asks.</summary>
internal sealed record WarmRequest
{
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

internal enum WarmState
{
    Waiting,
    Fetching,

    /// <summary>It is in the cache.</summary>
    Ready,
    Failed,
}

/// <summary>How far one path of a warming is.</summary>
/// <param name="Reason">Why it failed, or what vouches for it.</param>
internal sealed record WarmStep(string Path, WarmState State, long Received = 0, long? Length = null, string? Reason = null);

/// <summary>Fills the cache with what a site is going to ask for.</summary>
internal sealed class ArtifactWarming(ArtifactCache cache, ArtifactCatalogue catalogue, TimeProvider time)
{
    private const int AtOnce = 4;

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(250);

    /// <summary>Finds out which paths are meant.</summary>
    /// <exception cref="ChangeRefusedException">Nothing is meant, or there is no such version.</exception>
    public async Task<IReadOnlyList<string>> PlanAsync(WarmRequest request, CancellationToken cancellation)
    {
        var architectures = request.Architectures.Count == 0 ? ["amd64", "arm64"] : request.Architectures;
        var paths = new List<string>();
        foreach (var path in request.Paths)
        {
            if (!ArtifactPath.TryParse(path, out var parsed, out var wrong))
                throw new ChangeRefusedException(RefusalKind.Invalid, $"'{Reading.Shorten(path)}': {wrong}.");
            paths.Add(parsed.ToString());
        }
        if (request.Nodeadm is { } version)
            paths.AddRange(architectures.Select(architecture => $"{request.Upstream}/releases/{version}/bin/linux/{architecture}/nodeadm"));
        if (request.Kubernetes is { } kubernetes)
        {
            var upstream = cache.Options.Allowed.FirstOrDefault(u => u.Name == request.Upstream && u.Kind == UpstreamKind.Nodeadm)
                ?? throw new ChangeRefusedException(RefusalKind.NotFound, $"There is no upstream '{request.Upstream}' of kind nodeadm.");
            var (manifest, _, failure) = await catalogue.ManifestAsync(upstream, cancellation);
            if (manifest is null)
                throw new ChangeRefusedException(RefusalKind.Conflict, $"nodeadm's manifest cannot be had: {failure!.Reason}.");
            if (!manifest.TrySelect(kubernetes, [.. architectures], out var files, out var reason))
                throw new ChangeRefusedException(RefusalKind.NotFound, $"{reason}.");
            paths.AddRange(files.Select(file => $"{upstream.Name}/{file.Rest}"));
        }
        return paths.Count > 0 ? [.. paths.Distinct(StringComparer.Ordinal)]
            : throw new ChangeRefusedException(RefusalKind.Invalid, "Nothing is named: give paths, a nodeadm version or a Kubernetes version.");
    }

    /// <summary>Fetches the paths, a few at a time, and tells each step as it is reached. What is under way goes on when nobody listens any more.</summary>
    public async IAsyncEnumerable<WarmStep> RunAsync(IReadOnlyList<string> paths, [EnumeratorCancellation] CancellationToken cancellation)
    {
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
