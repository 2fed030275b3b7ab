using Provisioner.Artifacts;
using Provisioner.Resources;

namespace Provisioner.Installing;

/// <summary>
/// Where packages come from: a URL, or <c>cache:NAME/PATH</c>, which is PATH of the upstream NAME by way of the appliance that installs the
/// host. A name, and no address, so that the same Profile is right at another site.
/// </summary>
internal static class PackageSource
{
    public const string CachePrefix = "cache:";

    public const string Expected = "an http or https URL without a password, or cache:NAME/PATH for what the appliance's cache has of the upstream NAME";

    public static bool IsCached(string source) => source.StartsWith(CachePrefix, StringComparison.Ordinal);

    /// <summary>What is wrong with it, or null.</summary>
    public static string? Wrong(string text)
    {
        if (!IsCached(text))
            return InstallTexts.Url(text);
        var (name, path) = Parts(text);
        return Texts.Name(name, 64) is not null ? "names no upstream after cache:"
            : name == ArtifactOptions.FilesName ? "is where single files are, and no repository"
            : path.Contains('%', StringComparison.Ordinal) ? "has a %; write the path as it is"
            : !ArtifactPath.TryParse($"{name}/{WithVariables(path.Length == 0 ? "" : path + "/", "x86_64", "9")}x", out _, out var wrong) ? $"is not in the cache: {wrong}"
            : null;
    }

    /// <summary>The upstream, and the path below it without a slash at either end.</summary>
    public static (string Upstream, string Path) Parts(string source)
    {
        var bare = source[CachePrefix.Length..];
        var slash = bare.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? (bare, "") : (bare[..slash], bare[(slash + 1)..].TrimEnd('/'));
    }

    /// <summary>The path in the cache: <c>NAME/PATH</c>.</summary>
    public static string Below(string source) => Parts(source) is var (name, path) && path.Length > 0 ? $"{name}/{path}" : Parts(source).Upstream;

    /// <summary>Where a host finds it: a URL as it is, what is in the cache at the appliance.</summary>
    /// <param name="httpRoot">Where the boot plane is reached, such as <c>http://10.77.0.1:8080</c>.</param>
    public static string AddressOf(string source, string httpRoot) => IsCached(source) ? $"{httpRoot}{ArtifactPath.Prefix}{Below(source)}" : source;

    /// <summary>As dnf fills in what stands in a repository's address (dnf.conf(5), "Repo Variables").</summary>
    public static string WithVariables(string path, string architecture, string release) => path
        .Replace("$basearch", architecture, StringComparison.Ordinal).Replace("$arch", architecture, StringComparison.Ordinal).Replace("$releasever", release, StringComparison.Ordinal);

    /// <summary>Everything of an installation that comes from the cache.</summary>
    public static IEnumerable<string> CachedOf(InstallOptions options) =>
        options.Repositories.Select(r => r.Url).Prepend(options.Mirror ?? "").Where(IsCached);

    /// <summary>Why the packages of that Profile cannot come from this appliance's cache; null when they can.</summary>
    public static string? WhyNotHere(string profile, InstallOptions options, IReadOnlyCollection<string> upstreams) =>
        CachedOf(options).FirstOrDefault(source => !upstreams.Contains(Parts(source).Upstream)) is { } missing
            ? $"Profile {profile} takes packages from {missing}, and this appliance's artifacts.upstreams have no '{Parts(missing).Upstream}'; there {(upstreams.Count == 0 ? "are none" : $"are {string.Join(", ", upstreams.Order(StringComparer.Ordinal))}")}"
            : null;
}
