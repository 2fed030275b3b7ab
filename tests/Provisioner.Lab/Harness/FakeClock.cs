using System.Globalization;

namespace Provisioner.Lab.Harness;

/// <summary>
/// Another time of day for a program on this machine, by libfaketime: time namespaces (time_namespaces(7)) leave CLOCK_REALTIME out. What the
/// program waits by is the monotonic clock, which stays as it is: its timers keep their length.
/// </summary>
internal static class FakeClock
{
    /// <summary>Where Debian and Ubuntu keep it, by the machine's architecture; without it there is none.</summary>
    public static string Library { get; } =
        Directory.EnumerateDirectories("/usr/lib", "*-linux-gnu").Select(LibraryIn).FirstOrDefault(File.Exists) ?? LibraryIn("/usr/lib");

    /// <summary>What env(1) sets for a program whose clock is to be so far ahead.</summary>
    public static string[] Environment(TimeSpan ahead) =>
    [
        $"LD_PRELOAD={Library}",
        string.Create(CultureInfo.InvariantCulture, $"FAKETIME=+{ahead.TotalSeconds:F0}"),
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        // The times of files stay those of the machine.
        "NO_FAKE_STAT=1",
    ];

    private static string LibraryIn(string directory) => Path.Combine(directory, "faketime", "libfaketimeMT.so.1");
}
