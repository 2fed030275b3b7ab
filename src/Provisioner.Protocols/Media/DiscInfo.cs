using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Provisioner.Protocols.Media;

/// <summary>A <c>.discinfo</c>, as RHEL and its kin put it on each disc: a time, the release, the architecture, a line each.</summary>
/// <param name="Release">Such as <c>Red Hat Enterprise Linux 9.4</c>.</param>
/// <param name="Architecture">As the distribution spells it: <c>x86_64</c>, <c>aarch64</c>.</param>
public readonly record struct DiscInfo(string Release, string Architecture)
{
    private const int MaxBytes = 4096;

    /// <summary>The release without its version, such as <c>Red Hat Enterprise Linux</c>.</summary>
    public string Name => Release[..VersionAt].TrimEnd();

    /// <summary>The version at the release's end, such as <c>9.4</c>; empty when there is none.</summary>
    public string Version => Release[VersionAt..].Trim();

    private int VersionAt
    {
        get
        {
            var blank = Release.LastIndexOf(' ');
            return blank >= 0 && blank + 1 < Release.Length && char.IsAsciiDigit(Release[blank + 1]) ? blank : Release.Length;
        }
    }

    /// <summary>Reads the file.</summary>
    /// <param name="file">All of it.</param>
    /// <param name="info">What it says.</param>
    /// <param name="reason">When false is returned: what is wrong.</param>
    /// <remarks>Any bytes at all may be given; nothing is thrown.</remarks>
    public static bool TryParse(ReadOnlySpan<byte> file, out DiscInfo info, [NotNullWhen(false)] out string? reason)
    {
        info = default;
        if (file.Length > MaxBytes)
        {
            reason = $".discinfo has {file.Length} bytes, at most {MaxBytes} are read";
            return false;
        }
        var lines = Encoding.UTF8.GetString(file).Split('\n', StringSplitOptions.TrimEntries);
        if (lines.Length < 3 || lines[0].Length == 0 || !lines[0].All(c => char.IsAsciiDigit(c) || c == '.'))
        {
            reason = ".discinfo does not begin with a time, the release and the architecture, a line each";
            return false;
        }
        if (lines[1].Length == 0 || lines[2].Length == 0 || lines[2].Contains(' ', StringComparison.Ordinal))
        {
            reason = $".discinfo names the release '{lines[1]}' and the architecture '{lines[2]}', which are not one";
            return false;
        }
        info = new(lines[1], lines[2]);
        reason = null;
        return true;
    }
}
