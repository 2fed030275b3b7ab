using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Provisioner.Protocols.Media;

/// <summary>A <c>.disk/info</c>, the one line with which Debian and Ubuntu name a disc.</summary>
/// <param name="Name">Such as <c>Ubuntu-Server</c> or <c>Debian GNU/Linux</c>.</param>
/// <param name="Version">Such as <c>24.04.4</c>.</param>
/// <param name="Architecture">As the distribution spells it: <c>amd64</c>, <c>arm64</c>.</param>
/// <param name="Text">The whole line.</param>
public readonly record struct DiskInfo(string Name, string Version, string Architecture, string Text)
{
    private const int MaxBytes = 4096;

    private static readonly string[] Architectures = ["amd64", "arm64", "i386", "armhf", "ppc64el", "riscv64", "s390x"];

    /// <summary>Reads the file.</summary>
    /// <param name="file">All of it.</param>
    /// <param name="info">What it says.</param>
    /// <param name="reason">When false is returned: what is wrong.</param>
    /// <remarks>Any bytes at all may be given; nothing is thrown.</remarks>
    public static bool TryParse(ReadOnlySpan<byte> file, out DiskInfo info, [NotNullWhen(false)] out string? reason)
    {
        info = default;
        if (file.Length > MaxBytes)
        {
            reason = $".disk/info has {file.Length} bytes, at most {MaxBytes} are read";
            return false;
        }
        // Ubuntu-Server 24.04.4 LTS "Noble Numbat" - Release amd64 (20260210)
        // Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware 20240210-11:27
        var text = Encoding.UTF8.GetString(file).Split('\n')[0].Trim();
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var version = Array.FindIndex(words, w => char.IsAsciiDigit(w[0]));
        if (version <= 0)
        {
            reason = ".disk/info names no distribution with a version, such as 'Ubuntu-Server 24.04.4 LTS \"Noble Numbat\" - Release amd64'";
            return false;
        }
        var dash = Array.IndexOf(words, "-", version);
        var architecture = dash < 0 ? null : words[dash..].FirstOrDefault(w => Array.IndexOf(Architectures, w) >= 0);
        if (architecture is null)
        {
            reason = $".disk/info names no architecture behind a dash, one of {string.Join(", ", Architectures)}";
            return false;
        }
        info = new(string.Join(' ', words[..version]), words[version], architecture, text);
        reason = null;
        return true;
    }
}
