using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Provisioner.Benchmarks.Http;

/// <summary>One run of wrk against a server, and what the server took for it.</summary>
/// <param name="Requests">Those that were answered to the end.</param>
/// <param name="Bytes">All that was read, of answers still under way, too.</param>
/// <param name="CpuSeconds">Of the server alone.</param>
internal sealed partial record Wrk(double Requests, double Bytes, double Seconds, double CpuSeconds, long Resident)
{
    /// <exception cref="InvalidOperationException">Any request failed, or the server ended.</exception>
    public static Wrk Load(string wrk, Peer peer, int connections, int seconds, params string[] arguments)
    {
        var before = peer.Measure();
        using var load = Process.Start(new ProcessStartInfo(wrk, ["-t1", $"-c{connections}", $"-d{seconds}s", .. arguments])
        {
            UseShellExecute = false, RedirectStandardOutput = true,
        })!;
        var output = load.StandardOutput.ReadToEnd();
        load.WaitForExit();
        var after = peer.Measure();
        var count = RequestCount().Match(output);
        if (!count.Success || peer.HasEnded)
            throw new InvalidOperationException($"{peer.Name}: {output}{peer.Output}");
        if (Failures().Match(output) is { Success: true } failure)
            throw new InvalidOperationException($"{peer.Name}: {failure.Value}");
        return new Wrk(
            Number(count), ReadBytes(ReadAmount().Match(output)), Number(Duration().Match(output)), after.CpuSeconds - before.CpuSeconds, after.ResidentBytes);
    }

    /// <summary>Waits until the server listens.</summary>
    public static void WaitFor(Peer peer, int port)
    {
        for (var attempt = 0; attempt < 300; attempt++)
        {
            if (peer.HasEnded)
                throw new InvalidOperationException($"{peer.Name} ended: {peer.Output}");
            try
            {
                using var probe = new TcpClient("127.0.0.1", port);
                return;
            }
            catch (SocketException)
            {
                new ManualResetEventSlim().Wait(100);
            }
        }
        throw new TimeoutException($"{peer.Name} does not listen: {peer.Output}");
    }

    private static double Number(Match match) => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);

    // wrk counts in powers of 1024.
    private static double ReadBytes(Match amount) => Number(amount) * Math.Pow(1024, "BKMGT".IndexOf(amount.Groups[2].Value[0], StringComparison.Ordinal));

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex RequestCount();

    [GeneratedRegex(@"requests in ([\d.]+)s")]
    private static partial Regex Duration();

    [GeneratedRegex(@"([\d.]+)([KMGT]?B) read")]
    private static partial Regex ReadAmount();

    [GeneratedRegex(@"Non-2xx.*|Socket errors: connect [1-9].*")]
    private static partial Regex Failures();
}
