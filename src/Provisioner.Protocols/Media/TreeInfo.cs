using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Provisioner.Protocols.Media;

/// <summary>A <c>.treeinfo</c> (productmd 1.x and the older form), as RHEL and its kin put it at the top of an installation tree.</summary>
/// <param name="Name">The release's name, such as <c>Red Hat Enterprise Linux</c>.</param>
/// <param name="Version">Such as <c>9.4</c>.</param>
/// <param name="Architecture">As the distribution spells it: <c>x86_64</c>, <c>aarch64</c>.</param>
public sealed record TreeInfo(string Name, string Version, string Architecture)
{
    /// <summary>More than any tree has; a file of another kind is not read to its end.</summary>
    private const int MaxBytes = 1 << 20, MaxChecksums = 10_000;

    /// <summary>Path of the kernel to boot over the network, when it is named.</summary>
    public string? Kernel { get; init; }

    /// <summary>Path of its initial RAM disk, when it is named.</summary>
    public string? Initrd { get; init; }

    /// <summary>Path of the installer's second stage, when it is named.</summary>
    public string? MainImage { get; init; }

    /// <summary>The SHA-256 sums of files, lower-case hexadecimal, by path.</summary>
    public ImmutableSortedDictionary<string, string> Sha256 { get; init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>Reads the file.</summary>
    /// <param name="file">All of it.</param>
    /// <param name="info">What it says.</param>
    /// <param name="reason">When false is returned: what is wrong.</param>
    /// <remarks>Any bytes at all may be given; nothing is thrown.</remarks>
    public static bool TryParse(ReadOnlySpan<byte> file, [NotNullWhen(true)] out TreeInfo? info, [NotNullWhen(false)] out string? reason)
    {
        info = null;
        if (file.Length > MaxBytes)
        {
            reason = $".treeinfo has {file.Length} bytes, at most {MaxBytes} are read";
            return false;
        }
        string? section = null, name = null, version = null, architecture = null, general = null, generalVersion = null, generalArchitecture = null, mainImage = null;
        var sums = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        var images = new Dictionary<string, (string? Kernel, string? Initrd)>(StringComparer.Ordinal);
        foreach (var raw in Encoding.UTF8.GetString(file).Split('\n'))
        {
            var line = raw.Trim();
            if (line.Length == 0 || line[0] is ';' or '#')
                continue;
            if (line[0] == '[' && line[^1] == ']')
            {
                section = line[1..^1].Trim();
                continue;
            }
            var equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || section is null)
                continue;
            var (key, value) = (line[..equals].Trim(), line[(equals + 1)..].Trim());
            switch (section, key)
            {
                case ("release", "name"): name = value; break;
                case ("release", "version"): version = value; break;
                case ("tree", "arch"): architecture = value; break;
                case ("general", "family"): general = value; break;
                case ("general", "version"): generalVersion = value; break;
                case ("general", "arch"): generalArchitecture = value; break;
                case ("stage2", "mainimage"): mainImage = value; break;
                case ("checksums", _):
                    // "sha256:…"; a sum of another kind is not one this can be checked by.
                    if (value.StartsWith("sha256:", StringComparison.Ordinal) && sums.Count < MaxChecksums && ChecksumList.IsHex(value.AsSpan(7), 64))
                        sums[key] = value[7..].ToLowerInvariant();
                    break;
                case (_, "kernel") when section.StartsWith("images-", StringComparison.Ordinal):
                    images[section[7..]] = images.GetValueOrDefault(section[7..]) with { Kernel = value };
                    break;
                case (_, "initrd") when section.StartsWith("images-", StringComparison.Ordinal):
                    images[section[7..]] = images.GetValueOrDefault(section[7..]) with { Initrd = value };
                    break;
            }
        }
        name ??= general;
        version ??= generalVersion;
        architecture ??= generalArchitecture;
        if (string.IsNullOrEmpty(name) || string.IsNullOrEmpty(version) || string.IsNullOrEmpty(architecture))
        {
            var missing = string.IsNullOrEmpty(name) ? "name in [release]" : string.IsNullOrEmpty(version) ? "version in [release]" : "arch in [tree]";
            reason = $".treeinfo does not say {missing}, nor the older [general]";
            return false;
        }
        // [images-xen] may stand beside the architecture's own.
        var own = images.GetValueOrDefault(architecture);
        info = new(name, version, architecture) { Kernel = own.Kernel, Initrd = own.Initrd, MainImage = mainImage, Sha256 = sums.ToImmutable() };
        reason = null;
        return true;
    }
}
