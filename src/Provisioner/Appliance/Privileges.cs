using System.Globalization;

namespace Provisioner.Appliance;

/// <summary>What this process may do, and where its data lies by default.</summary>
internal static class Privileges
{
    /// <summary>Where root's service, and one under systemd, keeps its data.</summary>
    public const string SystemDataDirectory = "/var/lib/provisioner";

    private const int NetBindService = 10;

    /// <summary>Ports below 1024: capability NET_BIND_SERVICE (capabilities(7)), which root has and a unit may grant.</summary>
    public static bool MayUseLowPorts { get; } = EffectiveCapabilities() >> NetBindService is var shifted && (shifted & 1) != 0;

    /// <summary>
    /// What systemd names (StateDirectory=), <c>/var/lib/provisioner</c> for root, otherwise the user's own
    /// (XDG Base Directory Specification).
    /// </summary>
    public static string DefaultDataDirectory { get; } =
        Environment.GetEnvironmentVariable("STATE_DIRECTORY") is { Length: > 0 } state ? state.Split(':')[0]
        : Environment.IsPrivilegedProcess ? SystemDataDirectory
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "provisioner");

    private static ulong EffectiveCapabilities()
    {
        try
        {
            foreach (var line in File.ReadLines("/proc/self/status"))
            {
                if (line.StartsWith("CapEff:", StringComparison.Ordinal))
                    return ulong.Parse(line.AsSpan(7).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            }
        }
        catch (IOException)
        {
            // Without /proc: by user.
        }
        return Environment.IsPrivilegedProcess ? ulong.MaxValue : 0;
    }
}
