using System.Collections.Immutable;
using Provisioner.Boot;
using Provisioner.Images;
using Provisioner.Installing;
using Provisioner.Profiles;
using Provisioner.Resources;

namespace Provisioner.Artifacts.Packages;

/// <summary>The packages that the hosts of a Profile take from the cache.</summary>
/// <param name="Archives">Where they look.</param>
/// <param name="Names">What they install: the profile's packages, and what the answers always add.</param>
/// <param name="IsWhole">The distribution's own archive is among them: what is in none of them is missing, and not in the image.</param>
internal sealed record PackageNeeds(string Profile, ImmutableArray<PackageArchive> Archives, ImmutableArray<string> Names, bool IsWhole)
{
    // What curtin writes into the sources of an installed Ubuntu.
    private static readonly string[] Pockets = ["", "-updates", "-backports", "-security"];

    private static readonly ImmutableArray<string> UbuntuComponents = ["main", "restricted", "universe", "multiverse"];

    /// <returns>Null when they take none from there.</returns>
    public static PackageNeeds? Of(Profile profile, Image image)
    {
        if (profile.Spec.Install is not { } options || InstallTarget.Of(image, options.Diskless, out _) is not { } target || !PackageSource.CachedOf(options).Any())
            return null;
        var archives = ImmutableArray.CreateBuilder<PackageArchive>();
        var whole = options.Mirror is { } mirror && PackageSource.IsCached(mirror);
        if (target.IsRhel)
        {
            var architecture = Values.NameOf(image.Spec.Architecture);
            var release = target.Major.ToString(System.Globalization.CultureInfo.InvariantCulture);
            string Below(string source) => PackageSource.WithVariables(PackageSource.Below(source), architecture, release);
            if (whole)
                archives.AddRange(InstallPlan.Trees.Select(tree => new DnfArchive($"{Below(options.Mirror!)}/{tree}/{architecture}/os", architecture)));
            archives.AddRange(options.Repositories.Where(r => PackageSource.IsCached(r.Url)).Select(r => new DnfArchive(Below(r.Url), architecture)));
        }
        else
        {
            var architecture = DebianName(image.Spec.Architecture);
            var codename = target.Major switch { 20 => "focal", 22 => "jammy", _ => "noble" };
            if (whole)
                archives.AddRange(Pockets.Select(pocket => new AptArchive(PackageSource.Below(options.Mirror!), codename + pocket, UbuntuComponents, architecture)));
            archives.AddRange(options.Repositories.Where(r => PackageSource.IsCached(r.Url))
                .Select(r => new AptArchive(PackageSource.Below(r.Url), r.Suite ?? "./", r.Components.IsDefaultOrEmpty ? ["main"] : r.Components, architecture)));
        }
        var names = AnswerFiles.Packages(target, options);
        // What nodeadm has the package manager install.
        if (profile.Spec.Cluster is not null)
            names = names.Concat(target.IsRhel ? ["containerd.io", "iptables"] : ["containerd", "iptables"]).Distinct(StringComparer.Ordinal);
        return new PackageNeeds(profile.Name, archives.ToImmutable(), [.. names], whole);
    }

    /// <summary>A processor as Debian and Go name it.</summary>
    public static string DebianName(CpuArchitecture architecture) => architecture == CpuArchitecture.Arm64 ? "arm64" : "amd64";
}
