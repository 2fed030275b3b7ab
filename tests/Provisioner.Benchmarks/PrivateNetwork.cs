using System.Diagnostics;

namespace Provisioner.Benchmarks;

/// <summary>
/// A network namespace with nothing but a loopback interface: peers may take their well-known ports, and nothing reaches the
/// machine's own network. It is gone with the process.
/// </summary>
internal static class PrivateNetwork
{
    private const string Marker = "PROVISIONER_BENCHMARK_NETWORK";

    /// <summary>Runs this program again inside; null when it is inside already.</summary>
    public static int? Enter(string[] arguments)
    {
        if (Environment.GetEnvironmentVariable(Marker) is not null)
            return null;
        if (!Environment.IsPrivilegedProcess)
        {
            Console.Error.WriteLine("The benchmarks need root, for a network namespace of their own.");
            return 1;
        }
        var start = new ProcessStartInfo("unshare", ["--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh", Environment.ProcessPath!, .. arguments]);
        start.Environment[Marker] = "1";
        using var inside = Process.Start(start)!;
        inside.WaitForExit();
        return inside.ExitCode;
    }
}
